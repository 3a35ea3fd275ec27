//! What stands where a secret would stand, and is none: templates, look-ups, words for "put yours here", runs of one
//! character. Decided by what the value is, never by the path of its file. It reads bytes only.

use std::fmt;
use std::sync::LazyLock;

use regex::bytes::Regex;

/// Marks of a value that is filled in later, or looked up elsewhere.
const TEMPLATE: &str = concat!(
    r"(?-u)\$\{[\w.:/\-?+|, $@#]{1,80}\}|\{\{[^{}\n]{1,80}\}\}|<[\w][\w \-./:|]{0,60}>|%\(\w{1,40}\)[sdr]|\$\([^)\n]{1,80}\)",
    r"|#\{[^}\n]{1,80}\}|(?:^|\W)%[sdvq@](?:\W|$)|^\$\w+$|^%\w+%$|^@\w+@$|^@[A-Z][A-Z0-9_]+$|^__\w+__$|^\{[\w.:]*\}$|^\[[\w ._-]+\]$",
    r"|&(?:#\d{1,5}|#x[0-9a-f]{1,4}|[a-z]{2,6});|://|process\.env|getenv|environ\b|\benv\(|ENV\[|secrets\.\w|\*\*\*|\.\.\.|xxxx|XXXX",
);

/// Parts of placeholders, in lower case. Each is long enough not to stand in a random value.
const WORDS: &[&[u8]] = &[
    b"example",
    b"changeme",
    b"change_me",
    b"change-me",
    b"placeholder",
    b"your_",
    b"your-",
    b"yourp",
    b"yours",
    b"yourt",
    b"redacted",
    b"insert",
    b"replace",
    b"dummy",
    b"foobar",
    b"encrypted",
    b"ansible",
    b"base64",
    b"12345678",
    b"87654321",
    b"abcdef",
    b"qwertyui",
    b"asdfghj",
    b"zxcvbnm",
    b"q1w2e3",
    b"1q2w3e",
    b"!@#$%^&*",
    b"loremipsum",
    b"deadbeef",
];

/// Whole values that say what belongs there, or that nobody would call a secret.
const NOTHING: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"pass",
    b"pwd",
    b"secret",
    b"token",
    b"key",
    b"apikey",
    b"api_key",
    b"credential",
    b"username",
    b"user",
    b"login",
    b"none",
    b"null",
    b"nil",
    b"true",
    b"false",
    b"undefined",
    b"empty",
    b"string",
    b"text",
    b"value",
    b"default",
    b"hidden",
    b"required",
    b"optional",
    b"prompt",
    b"stdin",
    b"file",
    b"vault",
    b"mypassword",
    b"my_password",
    b"mysecret",
    b"my_secret",
    b"mypass",
    b"some_password",
    b"somepassword",
    b"userpassword",
    b"user_password",
    b"passphrase",
    b"test",
    b"testing",
    b"auth",
    b"bearer",
    b"basic",
    b"wrong",
    b"invalid",
    b"incorrect",
    b"current",
    b"confirm",
];

static TEMPLATES: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the pattern is a constant, built by a test")]
    Regex::new(TEMPLATE).expect("a constant pattern")
});

/// How many equal characters in a row no random value has.
const RUN: usize = 5;

/// A run makes a placeholder of a value of at most so many times its length: longer ones are encoded data that holds
/// zeros, as `xoxb-…-AAAAAN…`.
const SHARE: usize = 6;

/// What makes a value a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// The whole value is a word that says what belongs there.
    Word,
    /// It holds this part of placeholders.
    Part(&'static [u8]),
    /// One character several times in a row.
    Run,
    /// It is the name of a file.
    File,
    /// It is filled in later, or looked up elsewhere.
    Template,
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word => f.write_str("it is a word for what belongs there"),
            Self::Part(part) => write!(f, "it holds {:?}", String::from_utf8_lossy(part)),
            Self::Run => write!(f, "one character stands {RUN} times in a row"),
            Self::File => f.write_str("it is the name of a file"),
            Self::Template => f.write_str("it is a template or a look-up"),
        }
    }
}

/// What makes `value` stand for a secret instead of being one, if it does.
pub fn placeholder(value: &[u8]) -> Option<Placeholder> {
    let lower = value.to_ascii_lowercase();
    let trimmed = lower.trim_ascii();
    if says_nothing(trimmed) {
        return Some(Placeholder::Word);
    }
    let holds = |word: &&&[u8]| memchr::memmem::find(trimmed, word).is_some();
    if let Some(part) = WORDS.iter().find(holds) {
        return Some(Placeholder::Part(part));
    }
    let longest = value.chunk_by(|a, b| a == b).map(<[u8]>::len).max().unwrap_or(0);
    if longest >= RUN && longest * SHARE >= value.len() {
        return Some(Placeholder::Run);
    }
    if is_file_name(value) {
        return Some(Placeholder::File);
    }
    TEMPLATES.is_match(value).then_some(Placeholder::Template)
}

/// Endings of files that hold configuration, keys, text or source.
const ENDINGS: &[&[u8]] = &[
    b"asc",
    b"cer",
    b"cfg",
    b"conf",
    b"crt",
    b"csv",
    b"enc",
    b"env",
    b"gpg",
    b"htm",
    b"html",
    b"ini",
    b"java",
    b"jks",
    b"js",
    b"json",
    b"key",
    b"log",
    b"md",
    b"p12",
    b"pem",
    b"pfx",
    b"php",
    b"properties",
    b"pub",
    b"py",
    b"rb",
    b"sh",
    b"toml",
    b"ts",
    b"txt",
    b"xml",
    b"yaml",
    b"yml",
];

/// Whether `value` is the name of a file, as `KnAM4a_development.yml.enc`.
fn is_file_name(value: &[u8]) -> bool {
    let mut parts = value.rsplitn(2, |byte| *byte == b'.');
    let (ending, name) = (parts.next(), parts.next());
    ending.is_some_and(|ending| ENDINGS.contains(&ending))
        && name.is_some_and(|name| name.last().is_some_and(u8::is_ascii_alphanumeric))
}

/// Whether `value` stands for a secret instead of being one.
pub fn is_placeholder(value: &[u8]) -> bool {
    placeholder(value).is_some()
}

/// Words that stand beside those of [`NOTHING`] in placeholders, as in `other_password`.
const BESIDE: &[&[u8]] = &[
    b"a", b"an", b"the", b"my", b"your", b"some", b"any", b"new", b"old", b"other", b"bad", b"good", b"no",
    b"not", b"is", b"in", b"for", b"of", b"to", b"db", b"app", b"admin", b"root", b"here", b"wrong", b"fake",
    b"secure", b"super", b"strong", b"very", b"plain", b"temp", b"initial",
];

/// Whether all words of `value`, which is in lower case, say that something belongs here and none says what.
fn says_nothing(value: &[u8]) -> bool {
    let plain = plain(value);
    let words: Vec<&[u8]> = value
        .split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    NOTHING.contains(&value)
        || is_counted_password(value)
        || NOTHING.contains(&plain.as_slice())
        || (words.iter().any(|word| NOTHING.contains(word))
            && words
                .iter()
                .all(|word| NOTHING.contains(word) || BESIDE.contains(word)))
}

/// Whether `value` is `password` with digits counted up behind it, as `password123`.
fn is_counted_password(value: &[u8]) -> bool {
    value
        .strip_prefix(b"password")
        .is_some_and(|number| b"1234567890".starts_with(number))
}

/// `s3cr3t` as `secret`: signs and digits that people write for letters.
fn plain(value: &[u8]) -> Vec<u8> {
    let letter = |byte: &u8| match byte {
        b'0' => b'o',
        b'1' | b'!' => b'i',
        b'3' => b'e',
        b'4' | b'@' => b'a',
        b'5' | b'$' => b's',
        other => *other,
    };
    value.iter().map(letter).collect()
}

/// Shortest word that a number stands behind in a password.
const WORD: usize = 4;

/// Shortest password that a person chose and that is told from a word.
const SHORTEST: usize = 6;

/// Whether `value` looks like a password that a person chose: a word with digits and a sign in it, as `Winter2019!`,
/// with a number behind it, as `Winter2019`, or two words with a sign between them that joins no names, as
/// `winter!garden`. Signs with a meaning in code (a path, a list, a call, a variable) do not count.
pub fn is_chosen(value: &[u8]) -> bool {
    is_numbered(value) || is_signed(value) || is_joined(value)
}

/// Shortest and longest number behind a word: a year, a date, `123456`.
const NUMBER: std::ops::RangeInclusive<usize> = 3..=8;

/// Whether `value` is one word with a number behind it; with digits before it, too, the word may be shorter. Names of
/// methods (`sha512`) have short words.
fn is_numbered(value: &[u8]) -> bool {
    let before = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = &value[before..];
    let word = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let number = &rest[word..];
    word + before.min(1) >= WORD && NUMBER.contains(&number.len()) && number.iter().all(u8::is_ascii_digit)
}

/// Whether `value` is two words of at least [`WORD`] letters with one sign between them.
fn is_joined(value: &[u8]) -> bool {
    let mut words = value.split(|byte| b"!#$^~*".contains(byte));
    let mut word = || {
        words
            .next()
            .is_some_and(|word| word.len() >= WORD && word.iter().all(u8::is_ascii_alphabetic))
    };
    word() && word() && words.next().is_none()
}

/// Whether `value` is a word with digits and a sign in it.
fn is_signed(value: &[u8]) -> bool {
    let count = |test: fn(&u8) -> bool| value.iter().filter(|byte| test(byte)).count();
    let (letters, digits) = (count(u8::is_ascii_alphabetic), count(u8::is_ascii_digit));
    let structural = value
        .iter()
        .any(|byte| b" \t\r\n/\\<>{}()[]\";=,:|".contains(byte));
    let domain = value
        .iter()
        .position(|byte| *byte == b'@')
        .is_some_and(|at| at == 0 || value[at..].contains(&b'.'));
    let sign = value.iter().enumerate().any(|(at, byte)| match byte {
        b'!' | b'@' | b'#' | b'^' | b'&' | b'*' | b'~' | b'?' | b'`' => true,
        b'$' => value
            .get(at + 1)
            .is_none_or(|next| !next.is_ascii_alphabetic() && *next != b'_'),
        _ => false,
    });
    let colour = value.first() == Some(&b'#') && value[1..].iter().all(u8::is_ascii_hexdigit);
    value.len() >= SHORTEST && letters >= 2 && digits >= 1 && sign && !structural && !domain && !colour
}

#[cfg(test)]
mod tests {
    use super::{is_chosen, is_placeholder};

    #[test]
    fn what_is_filled_in_later_is_no_secret() {
        for value in [
            "${DB_PASSWORD}",
            "{{ .Values.password }}",
            "<your password>",
            "%(password)s",
            "$(cat secret)",
            "$PASSWORD",
            "%PASSWORD%",
            "__TOKEN__",
            "#{token}",
            "xxxxxxxx",
            "********",
            "aaaaaaaaaa",
            "ChangeMe123",
            "password12345",
            "KnAM4a_development.yml.enc",
            "your-token-here",
            "process.env.TOKEN",
            "Password",
            "1234567890",
            "%s",
            "s3cr3t",
            "P@ssw0rd",
            "other_password",
            "secret-passwd",
            "@DB_PASSWORD",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn signs_of_a_template_in_a_random_value_are_none() {
        for parts in [
            ["m{{h}o)p$", "{e]nob(ody[finds>-_"],
            ["k3<Zq9", "%sT4}x"],
            ["9f8a7b6c", "5d4e3f2a1b"],
            ["xqwt-84AAAAAj3", "Kd92mzQ7pVb1Lr6Ty"],
        ] {
            assert!(!is_placeholder(parts.concat().as_bytes()), "{parts:?}");
        }
    }

    #[test]
    fn a_password_that_a_person_chose_is_told_from_code() {
        for parts in [
            ["Winter", "2019!"],
            ["Winter", "2019"],
            ["Pass123", "!@#"],
            ["1qay@", "WXS"],
            ["`123QWER", "asdf"],
            ["4elm", "1234"],
            ["winter!", "garden"],
        ] {
            assert!(is_chosen(parts.concat().as_bytes()), "{parts:?}");
        }
        for value in [
            "",
            "sha512",
            "version12",
            "user1@example.com",
            "@angular/core2",
            "#ff00aa1",
            "super$ecret1",
            "a#b",
            "256sha512x",
            "Hello!",
            "version-2",
            "a=1&b=2",
        ] {
            assert!(!is_chosen(value.as_bytes()), "{value}");
        }
    }
}
