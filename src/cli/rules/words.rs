//! A rule in sentences: what such a token looks like, how sure a match is and why, and what can be done about it.
//!
//! A made-up example is drawn from the pattern's shape, masked: it must never look like a token to a scanner.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::finding::{Confidence, Severity};
use crate::rule::Rule;
use crate::rule::file::{Looks, With};

/// Longest masked example, in characters.
const LONGEST: usize = 200;

/// What is known of the rule, a sentence each.
pub(super) fn of(rule: &Rule) -> Vec<String> {
    let mut all = vec![shape(rule), sure(rule)];
    all.push(format!(
        "A live one is {}.",
        match rule.severity {
            Severity::Info => "public by design: nothing to do".to_owned(),
            other => format!("of {other} severity"),
        }
    ));
    if !rule.public {
        all.push(done(rule));
    }
    all
}

fn shape(rule: &Rule) -> String {
    let mut says = match masked(rule) {
        Some(example) => format!("Looks like {example}"),
        None if rule.prefix.is_empty() => {
            "Has a form that is too long for a line: see the pattern".to_owned()
        }
        None => format!("Begins with {} and goes on as the pattern says", rule.prefix),
    };
    if let Some(longest) = rule.longest.filter(|&longest| longest < 10_000) {
        says.push_str(&format!(", {longest} bytes at most with what stands around it"));
    }
    says + "."
}

fn sure(rule: &Rule) -> String {
    let mut why = Vec::new();
    if let Some(checksum) = rule.checksum {
        why.push(format!("its checksum ({}) must be right", checksum.name()));
    }
    if !rule.prefix.is_empty() {
        why.push(format!("it begins with {:?}", rule.prefix));
    }
    if rule.decode().is_some() {
        why.push("it says about itself what it is".to_owned());
    }
    if let Some(context) = &rule.context {
        why.push(format!(
            "a word of its service must stand within {} bytes",
            context.within
        ));
    }
    if let Some(bits) = rule.entropy {
        why.push(format!("it must have {bits:.2} bits of entropy a character"));
    }
    if rule.digits > 0 {
        why.push(format!("it must hold {} digits or more", rule.digits));
    }
    match rule.looks {
        Some(Looks::Random) => why.push("it must look drawn at random".to_owned()),
        Some(Looks::Chosen) => why.push("it must look drawn at random or chosen as a password".to_owned()),
        Some(Looks::Any) => why.push("placeholders are passed over".to_owned()),
        None => {}
    }
    for id in &rule.needs {
        why.push(format!("{id} must stand near"));
    }
    let confidence = match rule.confidence {
        Confidence::High => "A match is hardly ever a false alarm",
        Confidence::Medium => "A match is now and then a false alarm",
        Confidence::Low => "A match is often a false alarm, and reported with --confidence low alone",
    };
    if why.is_empty() {
        return format!("{confidence}.");
    }
    format!("{confidence}: {}.", why.join("; "))
}

fn done(rule: &Rule) -> String {
    let mut can = Vec::new();
    if rule.verify().is_some() {
        can.push("verified: its service says whether it is alive".to_owned());
    }
    if rule.owners().is_some() {
        can.push("traced to the owners of its organisation".to_owned());
    }
    if let Some(contain) = rule.contain() {
        let undone = if contain.reversible { "can" } else { "cannot" };
        can.push(format!("contained ({}; {undone} be undone)", contain.effect));
    }
    let ways: Vec<_> = rule
        .revoke()
        .into_iter()
        .flat_map(|revoke| revoke.ways())
        .collect();
    let by_call: Vec<_> = ways.iter().filter(|way| way.with != With::Session).collect();
    if !by_call.is_empty() {
        let with: Vec<_> = by_call.iter().map(|way| holder(way.with)).collect();
        can.push(format!("revoked with {}", with.join(" or ")));
    }
    let mut says = match can.split_last() {
        None => "Nothing can be asked of its service by a call".to_owned(),
        Some((last, [])) => format!("It can be {last}"),
        Some((last, rest)) => format!("It can be {}, and {last}", rest.join(", ")),
    };
    if let Some(page) = rule.card().page {
        says.push_str(&format!("; a person revokes it at {page}"));
    }
    says + "."
}

fn holder(with: With) -> &'static str {
    match with {
        With::Secret => "the token itself",
        With::Operator => "the operator's credential",
        With::Session => "a person's session",
    }
}

/// The secret's shape with every free character masked, `ghp_••••(36)`; nothing where the pattern fixes none.
fn masked(rule: &Rule) -> Option<String> {
    let hir = regex_syntax::ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .build()
        .parse(&rule.pattern)
        .ok()?;
    let secret = group(&hir)?;
    let mut text = String::new();
    mask(secret, &mut text);
    (text.chars().count() <= LONGEST).then_some(text)
}

/// What the group `secret` holds.
fn group(hir: &Hir) -> Option<&Hir> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some("secret") => Some(&capture.sub),
        kind => kind.subs().iter().find_map(group),
    }
}

fn mask(hir: &Hir, text: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => text.push_str(&free(class, "")),
        HirKind::Capture(capture) => mask(&capture.sub, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| mask(part, text)),
        HirKind::Alternation(parts) => {
            let mut each = Vec::new();
            for part in parts {
                let mut one = String::new();
                mask(part, &mut one);
                each.push(one);
            }
            text.push_str(&format!("({})", each.join(" or ")));
        }
        HirKind::Repetition(repetition) => {
            let times = match (repetition.min, repetition.max) {
                (0, Some(1)) => "?".to_owned(),
                (least, Some(most)) if least == most => format!(" ×{least}"),
                (least, Some(most)) => format!(" ×{least}-{most}"),
                (least, None) => format!(" ×{least} or more"),
            };
            match repetition.sub.kind() {
                HirKind::Class(class) => text.push_str(&free(class, &times)),
                _ => {
                    let mut one = String::new();
                    mask(&repetition.sub, &mut one);
                    text.push_str(&format!("({one}{times})"));
                }
            }
        }
    }
}

/// A class in a word: `[letters and digits ×36]`.
fn free(class: &Class, times: &str) -> String {
    let has = |byte: u8| match class {
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&byte)),
        Class::Unicode(class) => {
            let c = char::from(byte);
            class
                .ranges()
                .iter()
                .any(|range| (range.start()..=range.end()).contains(&c))
        }
    };
    let (lower, upper) = (has(b'z'), has(b'Z'));
    let word = match (lower, upper, has(b'9')) {
        (true, true, true) => "letters and digits",
        (true, false, true) => "lower-case letters and digits",
        (false, true, true) => "capitals and digits",
        (true, true, false) => "letters",
        (true, false, false) => "lower-case letters",
        (false, true, false) => "capitals",
        (false, false, true) if has(b'f') || has(b'F') => "hexadecimal digits",
        (false, false, true) => "digits",
        (false, false, false) => "signs",
    };
    let signs: String = b"-_+/=.~"
        .iter()
        .filter(|&&sign| word != "signs" && has(sign))
        .map(|&sign| char::from(sign))
        .collect();
    let and = if signs.is_empty() {
        String::new()
    } else {
        format!(" and {signs}")
    };
    format!("[{word}{and}{times}]")
}
