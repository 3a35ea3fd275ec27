//! How unlike natural text a value is: whether it was drawn at random rather than written by a person.
//!
//! Entropy alone cannot tell on short values: `changeme` has as many distinct letters as a random password. What tells
//! is which letter follows which. The table below holds what each pair costs, in quarter bits, learnt from 75 MB of
//! Rust, C, Python and Markdown of public packages (identifiers and words; hexadecimal left out).
//! It reads bytes only, in linear time, and must never ask anybody.

use std::fmt;

/// Kinds of characters: 26 letters, case folded; digits; everything else.
const KINDS: usize = 28;

/// Cost of the column's kind after the row's, in quarter bits, written as the character that many after `(`.
const COSTS: [&[u8; KINDS]; KINDS] = [
    br"O<88KD<P<TB5:6R:U572?DB@@OP;",
    br"6G?C7KIP4>P3AI6B]9:<4HQS8UP:",
    br"5H?F6FH5<S69@G2?J:>6>CNNDYN8",
    br"8BC;0B@I5NP=EH;BN;:@=DIG@ZL1",
    br":G97?>BLFSI8<5F?B367H?D:CSN4",
    br"9KB>88DV3^M5EC6FT88=<XJTBbI1",
    br">HDJ0JB<2[N>A9>FP78?<JNQGEO2",
    br"2KFA1HLL7WIE?H6FW:?8;OA]BJM3",
    br"=A9:<:;YJVM::16=T>83S?TC]<Q@",
    br"9IAM/IGE8M;IHG1EOD4C9KKTOOL:",
    br">DA>-CEH6VODD@ADQE8=@GFJJSN1",
    br"5FG;27GI3XG7FL5ESJ>;<HNQ>VE7",
    br"1>C@1HJM6ZK@<E85NF;A9MLSEXO5",
    br"8I955;6J;R@;J>9DRC73>AJUEOO6",
    br"BA79I>BM@L>982>9^3;:8@<HQWT8",
    br"2KAD4EE?;]E9EK5;Q4>7;BLQE\J5",
    br"FGAA>OCUG\T/DFFFOA@L-LJXTWM4",
    br"6I>>0B?P5aCB??6CS;98>BII<SP5",
    br">J;K1KE:6WB@EG<;@E92;JHP=ON3",
    br"6K=E2DN95^N@AI8AV5;<>KKD;MM2",
    br"?;<>7;AW:\U793F8_653MSXF\PEC",
    br"1K>E.?HG5\X?@E?FRGADNPK@QMB7",
    br"3ICA7FL;2MR?D66EM3=AJMBJPTO4",
    br"<I;=8@GF<[R@CHA5HE@1EHK=CS?0",
    br"B?AD;DJK@RR==8A3QC47JGEPKJL.",
    br"9KC?+FIH:VNBCC9JQK@KHEFPB@J9",
    br"HHIIJILKKYLOFPGJOLHFEPTETO5/",
    br"9:8;;9?>7KD;9;<8I958=>>IOJD<",
];

/// Bits per pair above which a long value is random; words and identifiers of 32 characters stay below 4.4 in 99 of 100
/// cases, random ones of lower-case letters above 5.6.
const LONG: f64 = 4.3;

/// What is added for short values, whose mean scatters more: this many bits, divided by the length.
const SHORT: f64 = 8.0;

/// Fewest different characters of a random value, case folded; short values need two in three.
const DIFFERENT: usize = 6;

/// Names of constants are written in capitals without digits; so short a value of that kind is taken for one.
const LONGEST_NAME: usize = 24;

/// From this length on, hexadecimal with digits and letters is no word.
const LEAST_HEX: usize = 12;

/// Shorter values never look drawn at random.
const SHORTEST: usize = 4;

/// Whether `value` looks drawn at random.
pub fn is_random(value: &[u8]) -> bool {
    shortfall(value).is_none()
}

/// Why a value does not look drawn at random.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shortfall {
    /// It has only so many characters.
    Short(usize),
    /// It has only so many different ones.
    Monotonous(usize),
    /// It is written like the name of a constant.
    Constant,
    /// It is put together of words.
    Composed,
    /// Its letters follow each other as in words.
    Familiar {
        /// Bits that a pair of neighbours costs in the mean.
        bits: f64,
        /// What it would have to cost.
        least: f64,
    },
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(length) => write!(f, "it has only {length} characters"),
            Self::Monotonous(different) => write!(f, "it has only {different} different characters"),
            Self::Constant => f.write_str("it is written like the name of a constant"),
            Self::Composed => f.write_str("it is put together of words"),
            Self::Familiar { bits, least } => write!(
                f,
                "its letters follow each other as in words: {bits:.2} bits a pair, random ones have {least:.2} or more"
            ),
        }
    }
}

/// Why `value` does not look drawn at random; nothing if it does.
pub fn shortfall(value: &[u8]) -> Option<Shortfall> {
    let length = kinds(value).count();
    if length < SHORTEST {
        return Some(Shortfall::Short(length));
    }
    let different = different(value);
    if different < DIFFERENT.min(value.len() * 2 / 3) {
        return Some(Shortfall::Monotonous(different));
    }
    if is_constant(value) {
        return Some(Shortfall::Constant);
    }
    if is_composed(value) {
        return Some(Shortfall::Composed);
    }
    let (bits, least) = (surprise(value), LONG + SHORT / length as f64);
    let known = is_hexadecimal(value) || is_long_number(value) || is_strewn(value);
    (!known && bits < least).then_some(Shortfall::Familiar { bits, least })
}

/// More digits than a number that counts something has: 64 bits need twenty.
const LONGEST_NUMBER: usize = 20;

fn is_long_number(value: &[u8]) -> bool {
    value.len() > LONGEST_NUMBER && value.iter().all(u8::is_ascii_digit)
}

/// Fewest different signs in a value that is strewn with them.
const SIGNS: usize = 5;

/// Whether signs are strewn in as no language puts them: many kinds, and brackets that close what was not opened.
fn is_strewn(value: &[u8]) -> bool {
    let mut signs: Vec<u8> = value.iter().copied().filter(u8::is_ascii_punctuation).collect();
    signs.sort_unstable();
    signs.dedup();
    signs.len() >= SIGNS && !value.iter().any(u8::is_ascii_whitespace) && is_crossed(value)
}

/// Whether a bracket is closed by one of another kind.
fn is_crossed(value: &[u8]) -> bool {
    let mut open = Vec::new();
    value.iter().any(|byte| match byte {
        b'(' | b'[' | b'{' => {
            open.push(*byte);
            false
        }
        b')' => open.pop().is_some_and(|opened| opened != b'('),
        b']' => open.pop().is_some_and(|opened| opened != b'['),
        b'}' => open.pop().is_some_and(|opened| opened != b'{'),
        _ => false,
    })
}

fn different(value: &[u8]) -> usize {
    let seen = value.iter().fold([false; 256], |mut seen, byte| {
        seen[usize::from(byte.to_ascii_lowercase())] = true;
        seen
    });
    seen.iter().filter(|&&seen| seen).count()
}

fn is_constant(value: &[u8]) -> bool {
    value.len() < LONGEST_NAME
        && value
            .iter()
            .all(|&byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn is_hexadecimal(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    value.len() >= LEAST_HEX
        && value.iter().all(u8::is_ascii_hexdigit)
        && digits >= 2
        && value.len() - digits >= 2
}

/// Shortest part of a name that counts as a word, and the longest of which nothing can be told but a vowel.
const WORD: std::ops::RangeInclusive<usize> = 3..=5;

/// Whether `value` is put together of words with signs between them, as `git-gui--askpass` and `todos-vuejs-3.x`.
fn is_composed(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value
        .split(|byte| b"-_./:".contains(byte))
        .filter(|part| !part.is_empty())
        .collect();
    let letters = |part: &[u8]| part.iter().all(u8::is_ascii_alphabetic);
    let vowel = |byte: &u8| b"aeiouy".contains(&byte.to_ascii_lowercase());
    let natural = |part: &[u8]| part.len() >= *WORD.end() && letters(part) && surprise(part) < LONG + 1.0;
    let word = |part: &[u8]| {
        natural(part) || (WORD.contains(&part.len()) && letters(part) && part.iter().any(vowel))
    };
    let small =
        |part: &[u8]| part.len() < *WORD.end() && (letters(part) || part.iter().all(u8::is_ascii_digit));
    let in_words: usize = parts
        .iter()
        .filter(|part| word(part))
        .map(|part| part.len())
        .sum();
    parts.len() >= 2
        && parts.iter().any(|part| natural(part))
        && in_words * 2 >= value.len()
        && parts.iter().all(|part| word(part) || small(part))
}

/// Mean cost of a pair of neighbours, in bits: about 3.7 for words and identifiers, 6.8 for random letters, 7.3 for
/// random base 62.
pub fn surprise(value: &[u8]) -> f64 {
    let mut kinds = kinds(value);
    let Some(mut before) = kinds.next() else {
        return 0.0;
    };
    let (mut pairs, mut quarters) = (0_usize, 0_usize);
    for kind in kinds {
        quarters += usize::from(COSTS[before][kind] - b'(');
        pairs += 1;
        before = kind;
    }
    quarters as f64 / 4.0 / pairs.max(1) as f64
}

/// The kinds of the characters, an escape such as `%C3` counted as one.
fn kinds(value: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *value.get(at)?;
        let escape = byte == b'%'
            && value
                .get(at + 1..at + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        at += if escape { 3 } else { 1 };
        Some(kind(byte))
    })
}

fn kind(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => usize::from(byte - b'a'),
        b'A'..=b'Z' => usize::from(byte - b'A'),
        b'0'..=b'9' => 26,
        _ => 27,
    }
}

#[cfg(test)]
mod tests {
    use super::{COSTS, is_random, surprise};

    #[test]
    fn words_and_names_are_not_random() {
        for value in [
            "changeme",
            "foobar",
            "SuperSecret123",
            "user_password_reset_token",
            "getAccessTokenFromRequest",
            "refresh-token",
            "172800",
            "config.Password",
            "",
            "abc",
            "p%C3%A4ssword",
            "%F0%9F%92%A9",
            "saltSALTsaltSALTsaltSALT",
            "PGSSLKEY",
            "xxxxxxxxxxxx",
            "18446744073709551615",
            "git-gui--askpass",
            "todos-vuejs-3.x",
            "list(map[string](func(a,b)))+{x:y}",
        ] {
            assert!(
                !is_random(value.as_bytes()),
                "{value}: {}",
                surprise(value.as_bytes())
            );
        }
    }

    #[test]
    fn values_drawn_at_random_are() {
        for value in [
            ["yaqvd", "pfswu"],
            ["I2hm", "f0xf"],
            ["4baab8", "18473dd8"],
            ["UmRDhM6F4tZd", "Y6U8tTkdBic7jCTnKULk"],
            ["46760", "7fdacec"],
            ["57d21fa5d328", "263dfe574de739988b88"],
            ["70531928846", "09317742658"],
            ["in{the]dark", "of(the#night}~here"],
        ] {
            let value = value.concat();
            assert!(
                is_random(value.as_bytes()),
                "{value}: {}",
                surprise(value.as_bytes())
            );
        }
    }

    #[test]
    fn every_cost_is_a_number_of_quarter_bits() {
        assert!(
            COSTS
                .iter()
                .flat_map(|row| row.iter())
                .all(|cost| (b'('..=b'x').contains(cost))
        );
    }
}
