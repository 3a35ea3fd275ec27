//! The written form of one request and of what its reply must be.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::finding::Severity;
use crate::leak::DeadWhy;

/// One request: the method and URL, headers and body, with `{name}` filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFile {
    /// `METHOD URL`.
    pub request: String,
    /// Header fields.
    pub headers: BTreeMap<String, String>,
    /// The body; JSON unless a `Content-Type` header says otherwise.
    pub body: Option<String>,
    /// How it is signed, if it is.
    pub sign: Option<SignFile>,
}

/// `sign`: a request that proves possession of a key without sending it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "way", rename_all = "kebab-case")]
pub enum SignFile {
    /// AWS Signature Version 4.
    Aws4(Aws4File),
    /// A JSON Web Token signed by RSA key (RS256), which the request holds as `{jwt}`.
    Jwt(JwtFile),
}

impl SignFile {
    /// The texts of it that must be filled in.
    pub fn texts(&self) -> Vec<&String> {
        match self {
            Self::Aws4(file) => vec![&file.id, &file.key, &file.region],
            Self::Jwt(file) => {
                let claims = [&file.audience, &file.subject, &file.scope, &file.id];
                [&file.key, &file.issuer]
                    .into_iter()
                    .chain(claims.into_iter().flatten())
                    .collect()
            }
        }
    }
}

/// `sign = { way = "aws4", … }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aws4File {
    /// The key's public name: `{id}`, or `{user:operator}`.
    pub id: String,
    /// The key itself: `{secret}`, or `{password:operator}`.
    pub key: String,
    /// The session token of a temporary key; left out of the request where it is not known.
    pub session: Option<String>,
    /// The region that is asked.
    pub region: String,
    /// The service's name in the scope of the signature.
    pub service: String,
}

/// `sign = { way = "jwt", … }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtFile {
    /// The RSA private key in PEM: `{secret}`, or `{operator-app}`.
    pub key: String,
    /// Who says it (`iss`).
    pub issuer: String,
    /// For whom it is (`aud`).
    pub audience: Option<String>,
    /// Of whom it is (`sub`).
    pub subject: Option<String>,
    /// What is asked for (`scope`).
    pub scope: Option<String>,
    /// The key's id (`kid`).
    pub id: Option<String>,
    /// For how many seconds it holds; left out: 300.
    pub seconds: Option<u64>,
}

/// A condition on a reply; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The status code.
    pub status: Option<u16>,
    /// Text that the body holds.
    pub body: Option<String>,
    /// Text that the body does not hold.
    pub without: Option<String>,
    /// JSON pointer to the value that must stand there.
    pub json: BTreeMap<String, serde_json::Value>,
    /// JSON pointer (with `{name}`) at which the reply, a JSON object, has nothing.
    pub absent: Option<String>,
    /// JSON pointer (with `{name}`) to an X.509 certificate in PEM whose key is the public half of the secret.
    pub certifies: Option<String>,
    /// For `dead`: why. Left out: unknown to the service.
    pub why: Option<DeadWhy>,
    /// Filled in: the pointers of `absent` and `certifies`, and the public key (PKCS #1). Without it neither holds.
    #[serde(skip)]
    pub filled: Option<Filled>,
}

/// What [`Expect`] needs of one call's values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filled {
    /// `absent`.
    pub absent: Option<String>,
    /// `certifies`, with the public key that must stand there.
    pub certifies: Option<(String, Vec<u8>)>,
}

/// Identity field to where its value stands: a JSON pointer (`*` for every element), or `header:NAME`.
/// `principal`, `email`, `organisations` and `scopes` are known; other names are kept for later calls.
pub type IdentityFile = BTreeMap<String, String>;

/// `[[weight]]`: how bad a live token is that opens this. The first that fits counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightFile {
    /// It holds one of these scopes; `*` at the beginning or end stands for anything.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// It holds no scope but these.
    #[serde(default)]
    pub only: Vec<String>,
    /// What the identity says: name to text, with `*` as above.
    #[serde(default)]
    pub identity: BTreeMap<String, String>,
    /// How bad it is then.
    pub severity: Severity,
    /// What it opens, for people: "it administers organisations".
    pub because: String,
}

/// `[use]`: what tokens of this kind are for, and the scopes that this needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseFile {
    /// What for, for people: "an SDK only sends events".
    pub what: String,
    /// The scopes that it needs; `*` as in a weight.
    pub scopes: Vec<String>,
}
