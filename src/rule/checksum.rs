//! Checksums that tokens carry, verified offline before anything is sent anywhere.
//!
//! Facts and vectors: `facts/protocols.md` sections 10 and 12.7. CRC-32 is IEEE 802.3 throughout.

use anyhow::{Result, bail};

pub use crate::secret::crc32_base62;

/// A built-in checksum, by the name that rule files use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// `crc32-base62`: the last six characters are CRC-32 of what stands between the last `_` and them, in base 62
    /// (digits, upper, lower), padded with `0`. GitHub, npm, unleak.
    Crc32Base62,
    /// `gitlab-routable`: the last seven characters are CRC-32 of everything before them, prefix included, in base 36.
    GitlabRoutable,
}

impl Checksum {
    /// All names.
    pub const NAMES: [&str; 2] = ["crc32-base62", "gitlab-routable"];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32Base62 => "crc32-base62",
            Self::GitlabRoutable => "gitlab-routable",
        }
    }

    /// Looks a name up.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "crc32-base62" => Ok(Self::Crc32Base62),
            "gitlab-routable" => Ok(Self::GitlabRoutable),
            _ => bail!("unknown checksum {name:?}; there are {}", Self::NAMES.join(", ")),
        }
    }

    /// Whether the secret passes.
    pub fn holds(self, secret: &[u8]) -> bool {
        match self {
            Self::Crc32Base62 => {
                let body = secret.rsplit(|&b| b == b'_').next().unwrap_or_default();
                body.len() > 6 && crc32_base62(&body[..body.len() - 6]) == body[body.len() - 6..]
            }
            Self::GitlabRoutable => gitlab_routable(secret),
        }
    }
}

fn gitlab_routable(secret: &[u8]) -> bool {
    let Some(split) = secret.len().checked_sub(7) else {
        return false;
    };
    let (head, tail) = secret.split_at(split);
    let mut rest = crc32fast::hash(head);
    let crc_holds = tail.iter().rev().all(|&c| {
        let digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
        rest /= 36;
        digit == c
    });
    crc_holds && rest == 0
}

#[cfg(test)]
mod tests {
    use super::Checksum;

    fn holds(checksum: Checksum, parts: &[&str]) -> bool {
        checksum.holds(parts.concat().as_bytes())
    }

    #[test]
    fn published_github_and_npm_tokens_pass_and_an_altered_one_does_not() {
        let crc = Checksum::Crc32Base62;
        assert!(holds(crc, &["ghp_", "M7H4jxUDDWHP4kZ6A4dxlQYsQIWJuq11T4V4"]));
        assert!(holds(crc, &["npm_", "UEuirnhN6qyDNigmWWTIEHMNquQHF54FKSCV"]));
        assert!(
            holds(crc, &["x_", "000000000000000000000000000405", "00azb7"]),
            "zero padding counts"
        );
        assert!(!holds(crc, &["ghp_", "M7H4jxUDDWHP4kZ6A4dxlQYsQIWJuq11T4V3"]));
        assert!(
            !holds(crc, &["ghp_", "M7H4jxUDDWHP4kZ6A4dxlQYsQIWJuq11T4Vñ"]),
            "bytes, not characters"
        );
        assert!(!holds(crc, &["ghp_", "T4V4"]));
        assert!(!holds(crc, &[""]));
    }

    #[test]
    fn published_gitlab_routable_tokens_pass_and_an_altered_one_does_not() {
        let crc = Checksum::GitlabRoutable;
        assert!(holds(
            crc,
            &[
                "glrtr-",
                "W5m1cHR6skC98Bx7XkuYjmM6MQpnOjgKbzpyegp0OjIQ.01.181uebm4k"
            ]
        ));
        assert!(holds(
            crc,
            &["glpat-", "YWFhYWFhYWFhYWFhYWFhYW86MQp1OjEH.01.0w082kcij"]
        ));
        assert!(!holds(
            crc,
            &[
                "glrtr-",
                "W5m1cHR6skC98Bx7XkuYjmM6MQpnOjgKbzpyegp0OjIQ.01.181uebm4l"
            ]
        ));
    }
}
