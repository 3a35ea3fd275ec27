//! A provider of identities that says whatever a test wants it to, signed as it should be or not.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::site::{Answer, Browser, Kept, Site, free_port};
use crate::support::local::{Asked, Local, Said};

/// Our secret there; each of its marks means something in a URL, a form or a header.
pub(super) const SECRET: &str = "a secret: of & for % the+client";

/// What it does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Wrong {
    #[default]
    Nothing,
    Nonce,
    Audience,
    SeveralWithoutParty,
    Party,
    Issuer,
    Ended,
    Future,
    NoTimes,
    AlgNone,
    HmacOfTheKey,
    Signature,
    ForeignKey,
    OtherAlgorithm,
    NoIdToken,
    NotEvenAToken,
    Huge,
    OtherUserInfo,
    Away,
}

/// A sign-in that it was asked for.
struct Begun {
    nonce: String,
    challenge: String,
    back: String,
}

/// Its state.
pub(super) struct Played {
    keys: Vec<(String, Vec<u8>)>,
    codes: BTreeMap<String, Begun>,
    made: usize,
    pub(super) wrong: Wrong,
    /// What it knows of whoever signs in, in its id token.
    pub(super) claims: Value,
    /// What it tells at its userinfo endpoint alone.
    pub(super) more: Value,
    /// What its discovery document says beside the usual.
    pub(super) document: Value,
}

/// The provider, as it is reached.
pub(super) type Provider = Local<Played>;

fn new_key() -> Vec<u8> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    key.as_ref().to_vec()
}

fn pair(key: &[u8]) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &SystemRandom::new()).unwrap()
}

/// The fields of a form or a query.
fn fields(text: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

impl Played {
    /// It signs with another key from now on, and publishes it.
    pub(super) fn change_key(&mut self) {
        let name = format!("key-{}", self.keys.len());
        self.keys.push((name, new_key()));
    }

    /// Somebody signs in at its door: the query of the way back.
    pub(super) fn signs_in(&mut self, door: &str) -> String {
        let asked = fields(door.split_once('?').unwrap().1);
        self.made += 1;
        let code = format!("code-{}-of-the-provider", self.made);
        let begun = Begun {
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
            back: asked["redirect_uri"].clone(),
        };
        self.codes.insert(code.clone(), begun);
        format!("code={code}&state={}", asked["state"])
    }

    fn answer(&mut self, asked: &Asked) -> Said {
        let base = format!("http://{}", asked.header("host"));
        if self.wrong == Wrong::Away {
            return Said::text(500, "text/plain", "away");
        }
        match asked.line().as_str() {
            "GET /.well-known/openid-configuration" => {
                let mut document = json!({
                    "issuer": base,
                    "authorization_endpoint": format!("{base}/auth"),
                    "token_endpoint": format!("{base}/token"),
                    "jwks_uri": format!("{base}/keys"),
                    "userinfo_endpoint": format!("{base}/me"),
                    "end_session_endpoint": format!("{base}/out"),
                });
                for (name, value) in self.document.as_object().unwrap() {
                    document[name] = value.clone();
                }
                Said::json(200, &document)
            }
            "GET /keys" => Said::json(200, &self.published()),
            "POST /token" => self.exchanged(asked, &base),
            "GET /me" => {
                let mut said = self.more.clone();
                let of_another = self.wrong == Wrong::OtherUserInfo;
                said["sub"] = if of_another { "8".into() } else { "7".into() };
                match asked.bearer() {
                    Some("access-of-7") => Said::json(200, &said),
                    _ => Said::empty(401),
                }
            }
            _ => Said::empty(404),
        }
    }

    fn published(&self) -> Value {
        let keys = self.keys.iter().map(|(name, key)| {
            let point = pair(key).public_key().as_ref().to_vec();
            let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": name, "x": part(&point[1..33]), "y": part(&point[33..])})
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }

    fn exchanged(&mut self, asked: &Asked, base: &str) -> Said {
        let form = fields(&asked.body);
        let refused = |error: &str| Said::json(400, &json!({ "error": error, "error_description": "no" }));
        let given = match asked.header("authorization").strip_prefix("Basic ") {
            Some(pair) => {
                let pair = String::from_utf8(STANDARD.decode(pair).unwrap()).unwrap();
                let (id, secret) = pair.split_once(':').unwrap();
                let form = fields(&format!("id={id}&secret={secret}"));
                (form["id"].clone(), form["secret"].clone())
            }
            None => (
                form.get("client_id").cloned().unwrap_or_default(),
                form.get("client_secret").cloned().unwrap_or_default(),
            ),
        };
        if given != ("unleak".to_owned(), SECRET.to_owned()) {
            return Said::json(401, &json!({ "error": "invalid_client" }));
        }
        let Some(begun) = form.get("code").and_then(|code| self.codes.remove(code)) else {
            return refused("invalid_grant");
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
        if begun.challenge != challenge || form["redirect_uri"] != begun.back {
            return refused("invalid_grant");
        }
        match self.wrong {
            Wrong::NoIdToken => Said::json(200, &json!({ "access_token": "access-of-7" })),
            Wrong::NotEvenAToken => Said::text(200, "text/html", "<h1>Welcome</h1>"),
            Wrong::Huge => Said::text(200, "application/json", &" ".repeat(1 << 20)),
            _ => {
                let token = self.id_token(base, &begun.nonce);
                let said =
                    json!({ "id_token": token, "access_token": "access-of-7", "token_type": "Bearer" });
                Said::json(200, &said)
            }
        }
    }

    fn id_token(&self, base: &str, nonce: &str) -> String {
        let now = jiff::Timestamp::now().as_second();
        let mut claims = json!({
            "iss": base, "sub": "7", "aud": "unleak", "nonce": nonce, "iat": now, "exp": now + 300,
        });
        for (name, value) in self.claims.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let (name, key) = self.keys.last().unwrap();
        let (mut alg, mut kid) = ("ES256", name.as_str());
        match self.wrong {
            Wrong::Nonce => claims["nonce"] = "of another sign-in".into(),
            Wrong::Audience => claims["aud"] = "another".into(),
            Wrong::SeveralWithoutParty => claims["aud"] = json!(["unleak", "another"]),
            Wrong::Party => claims["azp"] = "another".into(),
            Wrong::Issuer => claims["iss"] = "https://another.example".into(),
            Wrong::Ended => claims["exp"] = (now - 121).into(),
            Wrong::Future => claims["iat"] = (now + 200).into(),
            Wrong::NoTimes => drop(claims.as_object_mut().unwrap().remove("exp")),
            Wrong::AlgNone => alg = "none",
            Wrong::HmacOfTheKey => alg = "HS256",
            Wrong::OtherAlgorithm => alg = "EdDSA",
            Wrong::ForeignKey => kid = "a key of nobody",
            _ => {}
        }
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!(
            "{}.{}",
            part(json!({ "alg": alg, "kid": kid, "typ": "JWT" })),
            part(claims)
        );
        let foreign = new_key();
        let signature = match self.wrong {
            Wrong::AlgNone => Vec::new(),
            Wrong::HmacOfTheKey => {
                let published = self.published()["keys"][0]["x"].to_string();
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, published.as_bytes());
                ring::hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
            wrong => {
                let other = matches!(wrong, Wrong::Signature | Wrong::ForeignKey);
                let key = pair(if other { &foreign } else { key });
                let signed = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
                signed.as_ref().to_vec()
            }
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Provider {
    /// One that knows ann by her verified address.
    pub(super) fn new() -> Self {
        let state = Played {
            keys: vec![("key-0".to_owned(), new_key())],
            codes: BTreeMap::new(),
            made: 0,
            wrong: Wrong::Nothing,
            claims: json!({ "email": "Ann@mail.example", "email_verified": true }),
            more: json!({}),
            document: json!({}),
        };
        Self::play(state, Played::answer)
    }

    /// A server whose people may sign in here.
    pub(super) fn site(&self, kept: Kept, more: &str) -> Site {
        let (port, issuer) = (free_port(), &self.base);
        let more = format!(
            "[serve.dashboard]\nurl = \"http://127.0.0.1:{port}\"\n[serve.dashboard.oidc]\nissuer = {issuer:?}\n\
             client_id = \"unleak\"\nname = \"Acme <SSO>\"\nclient_secret = {{ file = \"oidc.secret\" }}\n{more}"
        );
        Site::listening(kept, &format!("127.0.0.1:{port}"), &more, SECRET)
    }

    /// A browser is sent here and somebody signs in: the address that it comes back to.
    pub(super) fn back_of(&self, browser: &Browser<'_>, next: &str) -> String {
        let door = browser.get(&format!("/sign-in/oidc?next={next}"));
        assert_eq!(door.status, 303, "{}", door.text);
        format!("/sign-in/oidc/back?{}", self.state().signs_in(&door.to))
    }

    /// The whole of it; what the browser gets in the end.
    pub(super) fn let_in(&self, browser: &Browser<'_>) -> Answer {
        browser.get(&self.back_of(browser, "/leaks"))
    }
}
