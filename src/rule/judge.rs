//! Is a match of a rule's pattern really a token? The one judgement that the scan, the proof of a rule file and the
//! command line share. Reads bytes only: it must never ask anybody.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::compile::{Context, Rule};
use super::file::Looks;
use super::search::Captures;
use super::{allow, decode, placeholder, random};

/// How far before the secret the words of `context.unless` are looked for, in bytes.
pub const UNLESS_WITHIN: usize = 24;

/// Words of `context.words` from this length on count wherever they stand; shorter ones occur in other words by chance.
const LONG_WORD: usize = 6;

/// A match that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Where the secret stands.
    pub range: Range<usize>,
    /// What it says about itself, by name; untrusted text.
    pub facts: BTreeMap<String, String>,
}

/// What a match fell short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// It holds no secret.
    Secret,
    /// Its checksum is wrong.
    Checksum,
    /// It has too few digits.
    Digits,
    /// Its entropy is too low.
    Entropy,
    /// It is not base64 of `user:password`.
    Credentials,
    /// It is a placeholder, or does not look as it must.
    Looks,
    /// It holds a word that a placeholder of its service holds.
    UnlessValue,
    /// The documentation of its service prints it.
    Published,
    /// None of the words that must stand near does, or one stands before it that must not.
    Context,
    /// An allowlist of an imported configuration lets it through.
    Allowed,
    /// It does not say about itself what it must.
    Decode,
}

/// Whether what `captures` found in `hay` is a token of this rule: checksum, digits, entropy, the words around it, and
/// what it says about itself. `hay` is the text that `captures` was made from, so that the words around are at hand.
/// Other parts that the rule needs are not looked for.
pub fn judge(rule: &Rule, hay: &[u8], captures: &Captures<'_>) -> Option<Judged> {
    assess(rule, hay, captures).ok()
}

/// The same, with what the match fell short of; `explain` says it in words.
pub fn assess(rule: &Rule, hay: &[u8], captures: &Captures<'_>) -> Result<Judged, Lack> {
    let secret = rule.secret_of(captures).ok_or(Lack::Secret)?;
    let (range, bytes) = (secret.range(), secret.as_bytes());
    let unless = |lacks: bool, lack: Lack| if lacks { Err(lack) } else { Ok(()) };
    unless(bytes.is_empty(), Lack::Secret)?;
    unless(
        rule.checksum.is_some_and(|checksum| !checksum.holds(bytes)),
        Lack::Checksum,
    )?;
    unless(digits(bytes) < rule.digits, Lack::Digits)?;
    unless(
        rule.entropy.is_some_and(|least| entropy(bytes) < least),
        Lack::Entropy,
    )?;
    written(rule, bytes)?;
    unless(
        rule.context
            .as_ref()
            .is_some_and(|context| !stands_in(context, hay, &range)),
        Lack::Context,
    )?;
    unless(
        allow::by_match(rule, hay, captures, bytes).is_some(),
        Lack::Allowed,
    )?;
    let mut facts = match rule.decode() {
        Some(file) => {
            let part = captures.name(&file.group).ok_or(Lack::Decode)?;
            decode::read(file, part.as_bytes()).ok_or(Lack::Decode)?
        }
        None => BTreeMap::new(),
    };
    for name in &rule.facts {
        let text = captures
            .name(name)
            .and_then(|group| std::str::from_utf8(group.as_bytes()).ok());
        if let Some(text) = text.filter(|text| decode::is_fact(text)) {
            facts.insert(name.clone().into_owned(), text.to_owned());
        }
    }
    Ok(Judged { range, facts })
}

/// The first token of this rule in `hay`.
pub fn first(rule: &Rule, hay: &[u8]) -> Option<Judged> {
    let mut at = 0;
    while at <= hay.len() {
        let captures = rule.captures_at(hay, at)?;
        if let Some(judged) = judge(rule, hay, &captures) {
            return Some(judged);
        }
        let whole = captures.get_match();
        at = whole.end().max(whole.start() + 1);
    }
    None
}

/// How many digits there are.
pub(super) fn digits(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| byte.is_ascii_digit()).count()
}

/// What of a secret is judged: itself, or the text that it is base64 of.
pub(super) fn value<'s>(rule: &Rule, secret: &'s [u8]) -> Option<Cow<'s, [u8]>> {
    let text = match rule.looks {
        _ if !rule.base64 => None,
        Some(Looks::Any) => Some(decode::password(secret)?),
        _ => decode::written(secret),
    };
    Some(text.map_or(Cow::Borrowed(secret), Cow::Owned))
}

/// Whether the value, or the text in it, looks like a secret and not like a placeholder.
fn written(rule: &Rule, secret: &[u8]) -> Result<(), Lack> {
    if rule.looks.is_none() && rule.unless_value.is_empty() && rule.published.is_empty() {
        return Ok(());
    }
    let value = value(rule, secret).ok_or(Lack::Credentials)?;
    let looks = match rule.looks {
        None => true,
        Some(_) if placeholder::is_placeholder(&value) => false,
        Some(Looks::Random) => random::is_random(&value),
        Some(Looks::Chosen) => random::is_random(&value) || placeholder::is_chosen(&value),
        Some(Looks::Any) => true,
    };
    if !looks {
        return Err(Lack::Looks);
    }
    if refused_word(rule, &value).is_some() {
        return Err(Lack::UnlessValue);
    }
    if is_published(rule, secret) {
        return Err(Lack::Published);
    }
    Ok(())
}

/// The word in `value` that a secret of this rule does not hold.
pub(super) fn refused_word<'r>(rule: &'r Rule, value: &[u8]) -> Option<&'r str> {
    let lower = value.to_ascii_lowercase();
    let holds = |word: &&Cow<'_, str>| memchr::memmem::find(&lower, word.as_bytes()).is_some();
    rule.unless_value.iter().find(holds).map(|word| &**word)
}

/// Whether the service's own documentation prints this very value.
fn is_published(rule: &Rule, secret: &[u8]) -> bool {
    if rule.published.is_empty() {
        return false;
    }
    let digest = Sha256::digest(secret);
    let start = digest[..8]
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    rule.published.iter().any(|known| *known == start)
}

/// Shannon entropy in bits per byte.
pub fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for &byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    let all = bytes.len() as f64;
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| {
            let share = f64::from(count) / all;
            -share * share.log2()
        })
        .sum()
}

fn stands_in(context: &Context, hay: &[u8], secret: &Range<usize>) -> bool {
    has_word_near(context, hay, secret) && word_before(context, hay, secret).is_none()
}

/// Whether one of the words that must stand near does, or none must.
pub(super) fn has_word_near(context: &Context, hay: &[u8], secret: &Range<usize>) -> bool {
    let near =
        secret.start.saturating_sub(context.within)..secret.end.saturating_add(context.within).min(hay.len());
    let (written, near) = (&hay[near.clone()], hay[near].to_ascii_lowercase());
    let stands = |word: &Cow<'_, str>| {
        memchr::memmem::find_iter(&near, word.as_bytes())
            .any(|at| context.anywhere || word.len() >= LONG_WORD || is_word(written, at, word.len()))
    };
    context.words.is_empty() || context.words.iter().any(stands)
}

/// The word right before the secret that must not stand there.
pub(super) fn word_before<'c>(context: &'c Context, hay: &[u8], secret: &Range<usize>) -> Option<&'c str> {
    // One byte more than is looked at, so that a word cut in two is not taken for a whole one.
    let before = hay[secret.start.saturating_sub(UNLESS_WITHIN + 1)..secret.start].to_ascii_lowercase();
    context
        .unless
        .iter()
        .find(|word| holds_word(&before, word.as_bytes(), secret.start > UNLESS_WITHIN))
        .map(|word| &**word)
}

/// Whether the letters at `at` are a word of their own, as names are put together: `oktaToken`, `OKTA_TOKEN` and `myOkta`
/// hold `okta`, `rookTable` does not, and `sumOfAll` does not hold `sumo`.
fn is_word(text: &[u8], at: usize, length: usize) -> bool {
    let word = &text[at..at + length];
    let Some((first, rest)) = word.split_first() else {
        return false;
    };
    let begins = at
        .checked_sub(1)
        .and_then(|before| text.get(before))
        .is_none_or(|before| {
            !before.is_ascii_alphabetic()
                || (before.is_ascii_lowercase() && first.is_ascii_uppercase())
                || text[..at].ends_with(b"-D")
        });
    let upper = rest.iter().any(u8::is_ascii_uppercase);
    let lower = rest.iter().any(u8::is_ascii_lowercase);
    let mixed = upper && (lower || first.is_ascii_lowercase());
    // `fbApi` ends where a hump of `fbApiKey` ends, `sumO` does not.
    let ends = text
        .get(at + length)
        .is_none_or(|after| !after.is_ascii_lowercase());
    begins && (!mixed || ends)
}

/// Whether `word` stands in `text` without a further letter on either side; with `cut`, not at its very beginning.
fn holds_word(text: &[u8], word: &[u8], cut: bool) -> bool {
    let letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
    memchr::memmem::find_iter(text, word).any(|at| {
        let (before, after) = (at.checked_sub(1).map(|i| &text[i]), text.get(at + word.len()));
        let longer = (letter(word.first()) && letter(before)) || (letter(word.last()) && letter(after));
        let halved = cut && at == 0;
        !longer && !halved
    })
}

#[cfg(test)]
mod tests {
    use super::{entropy, holds_word, is_word};

    #[test]
    fn entropy_counts_bits_per_byte() {
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-9);
        assert!(entropy(b"aaaa").abs() < 1e-9);
        assert!(entropy(b"").abs() < 1e-9);
    }

    #[test]
    fn a_short_context_word_is_told_from_the_middle_of_another() {
        let holds = |text: &str, word: &str| {
            let at = text.to_lowercase().find(word).unwrap();
            is_word(text.as_bytes(), at, word.len())
        };
        for text in [
            "oktaToken",
            "OKTA_TOKEN",
            "myOkta",
            "corp_okta=",
            "OktaKey",
            "java -Dokta.token=",
        ] {
            assert!(holds(text, "okta"), "{text}");
        }
        assert!(!holds("rookTable", "okta"));
        assert!(!holds("sumOfAll", "sumo"));
        assert!(holds("fbApiKey", "fbapi"));
    }

    #[test]
    fn a_word_counts_only_without_letters_beside_it() {
        assert!(holds_word(b"git_sha1: ", b"sha1", false));
        assert!(holds_word(b"uses: a/b@", b"@", false));
        assert!(!holds_word(b"shared_token=", b"sha", false));
        assert!(!holds_word(b"commits/", b"commit", false));
        assert!(!holds_word(b"sha: ", b"sha", true), "it may be cut");
    }
}
