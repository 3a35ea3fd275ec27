//! How a token is written: a prefix for its kind, 30 random base-62 characters, 6 of checksum.
//!
//! Nothing here knows a database: a token whose checksum is wrong is turned away before anything is looked up.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::secret::BASE62;
use crate::secret::Secret;
use crate::secret::crc32_base62;

/// Random characters of a token: 178 bits.
const RANDOM: usize = 30;
/// Characters of checksum.
const CHECKSUM: usize = 6;

/// To whom a token belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type, serde::Serialize, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// A person; it reaches every organisation that the person is a member of.
    User,
    /// A project of one organisation; belongs to no person.
    Project,
    /// One organisation as a whole; belongs to no person.
    Organisation,
}

impl TokenKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::User, Self::Project, Self::Organisation];

    /// What its tokens begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::User => "unlu_",
            Self::Project => "unlp_",
            Self::Organisation => "unlo_",
        }
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Organisation => "organisation",
        }
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Makes a token; it is nowhere but in the returned value.
pub fn mint(kind: TokenKind) -> Result<Secret, getrandom::Error> {
    let random = random_base62(RANDOM)?;
    let mut text = Vec::with_capacity(kind.prefix().len() + RANDOM + CHECKSUM);
    text.extend_from_slice(kind.prefix().as_bytes());
    text.extend_from_slice(&random);
    text.extend_from_slice(&crc32_base62(&random));
    Ok(Secret::new(text))
}

/// The kind of a token that is written as tokens are, checksum included; `None` for anything else.
pub fn parse(token: &Secret) -> Option<TokenKind> {
    let bytes = token.expose();
    let kind = TokenKind::ALL
        .into_iter()
        .find(|kind| bytes.starts_with(kind.prefix().as_bytes()))?;
    let body = &bytes[kind.prefix().len()..];
    if body.len() != RANDOM + CHECKSUM || !body.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let (random, checksum) = body.split_at(RANDOM);
    bool::from(crc32_base62(random).ct_eq(checksum)).then_some(kind)
}

/// The last four characters, which is all of a token that is ever shown again.
pub fn last_four(token: &Secret) -> String {
    let bytes = token.expose();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4)..]).into_owned()
}

/// So many random base-62 characters from the operating system, each equally likely.
pub fn random_base62(length: usize) -> Result<Zeroizing<Vec<u8>>, getrandom::Error> {
    let mut text = Zeroizing::new(Vec::with_capacity(length));
    let mut pool = Zeroizing::new([0_u8; 64]);
    while text.len() < length {
        getrandom::fill(&mut *pool)?;
        // 248 is four times 62: a byte from there on would make the first characters likelier than the last ones
        let fair = pool.iter().filter(|&&byte| byte < 248);
        let missing = length - text.len();
        text.extend(fair.take(missing).map(|&byte| BASE62[usize::from(byte) % 62]));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{TokenKind, mint, parse, random_base62};
    use crate::secret::Secret;

    #[test]
    fn a_fresh_token_of_each_kind_is_read_back_and_an_altered_one_is_not() {
        for kind in TokenKind::ALL {
            let token = mint(kind).unwrap();
            assert_eq!(token.len(), 41);
            assert_eq!(parse(&token), Some(kind));
            for at in 0..token.len() {
                let mut altered = token.expose().to_vec();
                altered[at] = if altered[at] == b'x' { b'y' } else { b'x' };
                assert_eq!(parse(&Secret::new(altered)), None, "character {at}");
            }
        }
    }

    #[test]
    fn text_of_any_other_shape_is_no_token() {
        for text in ["", "unlu_", "unlu_ñ", "ghp_", "unlu_0000", &"unlo_".repeat(30)] {
            assert_eq!(parse(&Secret::new(text)), None, "{text}");
        }
    }

    #[test]
    fn every_character_of_the_alphabet_is_about_equally_likely() {
        let text = random_base62(620_000).unwrap();
        for &letter in crate::secret::BASE62 {
            let count = text.iter().filter(|&&c| c == letter).count();
            assert!(
                (9000..11_000).contains(&count),
                "{} came {count} times",
                letter as char
            );
        }
    }
}
