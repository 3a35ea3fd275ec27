//! Says in words why a match of a rule's pattern is no finding, for `scan --explain`. It works out figures that the scan
//! has no use for, and must never put a secret, or a part of one, into them.

use std::borrow::Cow;

use super::compile::Rule;
use super::file::Looks;
use super::judge::{self, Lack};
use super::search::Captures;
use super::{allow, placeholder, random};
use crate::finding::Refusal;

/// Why the match that `captures` holds was refused for lack of this.
pub fn refusal(rule: &Rule, hay: &[u8], captures: &Captures<'_>, lack: Lack) -> Refusal {
    let range = rule.secret_of(captures).map_or(0..0, |secret| secret.range());
    let secret = &hay[range.clone()];
    match lack {
        Lack::Secret => Refusal::new("empty", "there is nothing where the secret would stand"),
        Lack::Checksum => {
            let name = rule.checksum.map_or("", |checksum| checksum.name());
            Refusal::new("checksum", format!("its checksum ({name}) is wrong"))
        }
        Lack::Digits => Refusal::new(
            "digits",
            format!(
                "it has {} digits, such a token has at least {}",
                judge::digits(secret),
                rule.digits
            ),
        ),
        Lack::Entropy => Refusal::new(
            "entropy",
            format!(
                "its entropy is {:.2} bits a character, below {:.2}",
                judge::entropy(secret).abs(),
                rule.entropy.unwrap_or_default()
            ),
        ),
        Lack::Credentials => Refusal::new("not-credentials", "it is not base64 of user:password"),
        Lack::Looks => looks(rule, secret),
        Lack::UnlessValue => {
            let value = judge::value(rule, secret).unwrap_or(Cow::Borrowed(secret));
            let word = judge::refused_word(rule, &value).unwrap_or_default();
            Refusal::new(
                "placeholder",
                format!("it holds {word:?}, as placeholders of this service do"),
            )
        }
        Lack::Published => Refusal::new(
            "published",
            "the documentation of its service prints this very value",
        ),
        Lack::Context => context(rule, hay, &range),
        Lack::Allowed => {
            let list = allow::by_match(rule, hay, captures, secret);
            let name = list.map_or("an allowlist", |list| list.name.as_str());
            Refusal::new("allowlist", format!("{name} lets it through"))
        }
        Lack::Decode => Refusal::new("decode", "it does not say about itself what such a token says"),
    }
}

fn looks(rule: &Rule, secret: &[u8]) -> Refusal {
    let value = judge::value(rule, secret).unwrap_or(Cow::Borrowed(secret));
    if let Some(kind) = placeholder::placeholder(&value) {
        return Refusal::new("placeholder", format!("it is a placeholder: {kind}"));
    }
    let short = random::shortfall(&value).map_or_else(String::new, |short| format!(": {short}"));
    let what = if rule.looks == Some(Looks::Chosen) {
        "it looks neither drawn at random nor chosen as a password"
    } else {
        "it does not look drawn at random"
    };
    Refusal::new("looks", format!("{what}{short}"))
}

/// So many words are named.
const NAMED: usize = 6;

fn context(rule: &Rule, hay: &[u8], range: &std::ops::Range<usize>) -> Refusal {
    let Some(context) = &rule.context else {
        return Refusal::new("context", "the words around it say that it is something else");
    };
    if judge::has_word_near(context, hay, range) {
        let word = judge::word_before(context, hay, range).unwrap_or_default();
        return Refusal::new(
            "context",
            format!("{word:?} stands right before it: it is that, and no token"),
        );
    }
    let mut words: Vec<String> = context
        .words
        .iter()
        .take(NAMED)
        .map(|word| format!("{word:?}"))
        .collect();
    if context.words.len() > NAMED {
        words.push("…".to_owned());
    }
    Refusal::new(
        "context",
        format!(
            "none of {} stands within {} bytes",
            words.join(", "),
            context.within
        ),
    )
}
