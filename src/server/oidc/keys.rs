//! The keys that a provider publishes (RFC 7517), and what they prove. A made-up key id makes us ask for them at most once
//! a minute.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

use super::jwt::{Algorithm, Signed};

/// How long keys are used before they are asked for again.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// Least time between two questions because of a key that is not known.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// Most keys that are kept.
const MOST: usize = 100;

/// A public key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Point(Vec<u8>),
}

impl Key {
    /// Whether it proves a token's signature.
    pub(super) fn proves(&self, token: &Signed<'_>) -> bool {
        let (message, signature) = (token.message, token.signature.as_slice());
        if self.algorithm != token.algorithm {
            return false;
        }
        let proved = match (&self.material, self.algorithm) {
            (Material::Rsa { n, e }, Algorithm::Rs256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            (Material::Point(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Material::Point(point), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
            _ => return false,
        };
        proved.is_ok()
    }
}

/// The keys at hand.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: Vec<Key>,
    fetched: Option<Timestamp>,
    /// When a key that is not known last made us ask.
    because_unknown: Option<Timestamp>,
}

impl Keys {
    /// The keys that may have signed a token. One that names no key must leave no choice.
    pub(super) fn fitting(&self, token: &Signed<'_>) -> Vec<Key> {
        let mut keys = self.keys.iter().filter(|key| key.algorithm == token.algorithm);
        match &token.kid {
            Some(kid) => keys
                .filter(|key| key.kid.as_ref() == Some(kid))
                .cloned()
                .collect(),
            None => match (keys.next(), keys.next()) {
                (Some(only), None) => vec![only.clone()],
                _ => Vec::new(),
            },
        }
    }

    /// Whether to ask for the keys now: they are old, or the one that is wanted is not among them, which counts once a
    /// minute.
    pub(super) fn are_to_be_asked_for(&mut self, is_unknown: bool, now: Timestamp) -> bool {
        let since = |at: Timestamp| now.duration_since(at).abs();
        if self.fetched.is_none_or(|at| since(at) >= FRESH) {
            return true;
        }
        if !is_unknown || self.because_unknown.is_some_and(|at| since(at) < PAUSE) {
            return false;
        }
        self.because_unknown = Some(now);
        true
    }

    /// Takes what the provider publishes now.
    pub(super) fn replace(&mut self, keys: Vec<Key>, now: Timestamp) {
        self.keys = keys;
        self.fetched = Some(now);
    }
}

#[derive(Deserialize)]
struct List {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Listed {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Reads a list of keys; one that is for something else, or cannot be read, is left out.
pub(super) fn read(text: &[u8]) -> Result<Vec<Key>> {
    let list: List = serde_json::from_slice(text).context("it is no list of keys")?;
    if list.keys.len() > MOST {
        bail!("it lists more than {MOST} keys");
    }
    let keys = list.keys.into_iter();
    Ok(keys
        .filter_map(|listed| key(&Listed::deserialize(listed).ok()?))
        .collect())
}

fn key(listed: &Listed) -> Option<Key> {
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
    let (algorithm, material) = match (listed.kty.as_str(), listed.crv.as_deref()) {
        ("RSA", None) => {
            let n: Vec<u8> = bytes(&listed.n)?
                .into_iter()
                .skip_while(|byte| *byte == 0)
                .collect();
            let e = bytes(&listed.e)?;
            (Algorithm::Rs256, Material::Rsa { n, e })
        }
        ("EC", Some("P-256")) => {
            let (x, y) = (bytes(&listed.x)?, bytes(&listed.y)?);
            let point = [&[4_u8][..], &x, &y].concat();
            (x.len() == 32 && y.len() == 32).then_some((Algorithm::Es256, Material::Point(point)))?
        }
        ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, Material::Point(bytes(&listed.x)?)),
        _ => return None,
    };
    let signs = listed.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
    let as_said = listed
        .alg
        .as_deref()
        .is_none_or(|name| Algorithm::named(name) == Some(algorithm));
    (signs && as_said).then(|| Key {
        kid: listed.kid.clone(),
        algorithm,
        material,
    })
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Keys, read};
    use crate::server::oidc::jwt::Signed;

    /// RFC 7515, appendices A.2 and A.3, and RFC 8037, appendix A.4: a token in parts, and its key.
    fn vectors() -> [(String, &'static str); 3] {
        let joined = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                      cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        [
            (
                ["eyJhbGci", "OiJSUzI1NiJ9.", joined, ".", RS256_SIGNATURE].concat(),
                RS256_KEY,
            ),
            (
                ["eyJhbGci", "OiJFUzI1NiJ9.", joined, ".", ES256_SIGNATURE].concat(),
                ES256_KEY,
            ),
            (
                [
                    "eyJhbGci",
                    "OiJFZERTQSJ9.",
                    "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
                    EDDSA_SIGNATURE,
                ]
                .concat(),
                EDDSA_KEY,
            ),
        ]
    }

    const RS256_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7\
        AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARN\
        PvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUi\
        pUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const RS256_KEY: &str = r#"{"keys":[{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}]}"#;
    const ES256_SIGNATURE: &str =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const ES256_KEY: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    const EDDSA_SIGNATURE: &str =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    const EDDSA_KEY: &str =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    #[test]
    fn published_examples_are_proved_and_one_changed_bit_or_another_key_proves_nothing() {
        let vectors = vectors();
        for (at, (text, key)) in vectors.iter().enumerate() {
            let token = Signed::parse(text).unwrap();
            let key = read(key.as_bytes()).unwrap().remove(0);
            assert!(key.proves(&token), "{at}");
            let mut changed = Signed::parse(text).unwrap();
            changed.signature[7] ^= 1;
            assert!(!key.proves(&changed), "{at}");
            let longer = format!(
                "{}A.{}",
                text.rsplit_once('.').unwrap().0,
                text.rsplit_once('.').unwrap().1
            );
            assert!(Signed::parse(&longer).is_err() || !key.proves(&Signed::parse(&longer).unwrap()));
            for (other, (_, foreign)) in vectors.iter().enumerate() {
                let foreign = read(foreign.as_bytes()).unwrap().remove(0);
                assert_eq!(foreign.proves(&token), at == other);
            }
        }
    }

    #[test]
    fn keys_for_something_else_and_those_that_cannot_be_read_are_left_out() {
        let list = r#"{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"},
            {"kty":"RSA","alg":"PS256","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},
            {"kty":"EC","crv":"P-521","x":"AA","y":"AA"},{"kty":"RSA"},7,{"kty":1}]}"#;
        assert!(read(list.as_bytes()).unwrap().is_empty());
        let many = format!("{{\"keys\":[{}]}}", vec!["{}"; 101].join(","));
        assert!(read(many.as_bytes()).is_err());
        assert!(read(b"[]").is_err() && read(b"").is_err());
    }

    #[test]
    fn a_key_that_is_not_known_makes_us_ask_once_a_minute_and_old_keys_make_us_ask_again() {
        let mut keys = Keys::default();
        let now = Timestamp::now();
        let after = |seconds: i64| now + SignedDuration::from_secs(seconds);
        assert!(keys.are_to_be_asked_for(true, now), "none were fetched");
        keys.replace(Vec::new(), now);
        assert!(!keys.are_to_be_asked_for(false, after(5)));
        assert!(
            keys.are_to_be_asked_for(true, after(5)),
            "a change of keys is seen at once"
        );
        assert!(!keys.are_to_be_asked_for(true, after(6)));
        assert!(!keys.are_to_be_asked_for(true, after(64)));
        assert!(keys.are_to_be_asked_for(true, after(66)));
        assert!(keys.are_to_be_asked_for(false, after(3700)));
    }
}
