//! What an id token must say to be believed (OpenID Connect Core 1.0, 3.1.3.7), and who it makes somebody.

use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use crate::config::dashboard::Oidc;
use crate::token_service::{Somebody, Vouched};

/// How far two clocks may be apart, in seconds.
const SKEW: i64 = 120;
/// Oldest token that is taken: it is fetched the moment it is made.
const OLDEST: i64 = 600;
/// Longest subject, in bytes (OpenID Connect Core 1.0, 2).
const LONGEST_SUBJECT: usize = 255;

/// What is known before the token came.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    /// Seconds since 1970.
    pub(super) now: i64,
}

impl Expected<'_> {
    /// Refuses a token that is not this issuer's, for us, now, and for this sign-in.
    pub(super) fn check(&self, claims: &Map<String, Value>) -> Result<(), &'static str> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(self.issuer) {
            return Err("the id token is of another issuer");
        }
        let several = match claims.get("aud") {
            Some(Value::String(only)) if only == self.client_id => false,
            Some(Value::Array(all)) if all.iter().any(|one| one == self.client_id) => all.len() > 1,
            _ => return Err("the id token is for somebody else"),
        };
        match claims.get("azp") {
            None if several => {
                return Err("the id token is for several, and does not say for whom it was made");
            }
            Some(azp) if azp != self.client_id => return Err("the id token was made for somebody else"),
            _ => {}
        }
        let seconds = |name: &str| match claims.get(name).map(Value::as_f64) {
            None => Ok(None),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a time is whole seconds; a cast saturates"
            )]
            Some(Some(seconds)) => Ok(Some(seconds as i64)),
            Some(None) => Err("a time of the id token cannot be read"),
        };
        let (Some(ends), Some(made)) = (seconds("exp")?, seconds("iat")?) else {
            return Err("the id token does not say when it was made and when it ends");
        };
        if ends.saturating_add(SKEW) <= self.now {
            return Err("the id token has ended; are the clocks right?");
        }
        let early = |at: i64| at.saturating_sub(SKEW) > self.now;
        if early(made) || seconds("nbf")?.is_some_and(early) {
            return Err("the id token is of the future; are the clocks right?");
        }
        if made.saturating_add(OLDEST + SKEW) < self.now {
            return Err("the id token is too old; are the clocks right?");
        }
        let nonce = text("nonce").unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err("the id token is of another sign-in");
        }
        match text("sub") {
            Some(sub) if !sub.is_empty() && sub.len() <= LONGEST_SUBJECT => Ok(()),
            _ => Err("the id token does not say who somebody is"),
        }
    }
}

/// Whether something is asked for that the id token does not tell, so that the provider is asked for more.
pub(super) fn lacks(settings: &Oidc, claims: &Map<String, Value>) -> bool {
    let person = settings.person.as_str();
    let verified = person != "email" || claims.contains_key("email_verified");
    let mut operators = settings.operators.keys();
    claim(claims, person).is_none() || !verified || operators.any(|name| claim(claims, name).is_none())
}

/// A claim by its name, or by a JSON pointer.
fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    match name.strip_prefix('/') {
        None => claims.get(name),
        Some(rest) => {
            let (first, rest) = rest.split_once('/').unwrap_or((rest, ""));
            let value = claims.get(first)?;
            match rest {
                "" => Some(value),
                rest => value.pointer(&format!("/{rest}")),
            }
        }
    }
}

fn email(claims: &Map<String, Value>) -> Option<&str> {
    // some providers write the truth as a text
    let verified = match claims.get("email_verified") {
        Some(Value::Bool(verified)) => *verified,
        Some(Value::String(text)) => text == "true",
        _ => false,
    };
    claims.get("email").and_then(Value::as_str).filter(|_| verified)
}

/// Who the claims make somebody.
pub(super) fn vouched(settings: &Oidc, claims: &Map<String, Value>) -> Vouched {
    let somebody = match settings.person.as_str() {
        "email" => email(claims).map(|email| Somebody::Email(email.to_owned())),
        name => claim(claims, name)
            .and_then(Value::as_str)
            .map(|login| Somebody::Login(login.to_owned())),
    };
    let holds = |(name, wanted): (&String, &Vec<String>)| {
        let is_wanted = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| wanted.iter().any(|one| one == text))
        };
        // an address that nobody verified makes nobody an operator
        let email = email(claims).map(|email| Value::String(email.to_owned()));
        let value = match name.as_str() {
            "email" => email.as_ref(),
            name => claim(claims, name),
        };
        match value {
            Some(Value::Array(values)) => values.iter().any(is_wanted),
            Some(value) => is_wanted(value),
            None => false,
        }
    };
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    Vouched {
        issuer: settings.issuer.clone(),
        subject: subject.to_owned(),
        somebody,
        operator: settings.operators.iter().any(holds),
        scopes: settings.may.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{Expected, vouched};
    use crate::config::dashboard::DashboardSection;
    use crate::token_service::Somebody;

    const NOW: i64 = 1_800_000_000;

    fn good() -> Map<String, Value> {
        let good = json!({
            "iss": "https://login.example", "aud": "unleak", "sub": "7", "nonce": "n", "iat": NOW - 1, "exp": NOW + 300,
        });
        good.as_object().unwrap().clone()
    }

    fn told(change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), &'static str> {
        let mut claims = good();
        change(&mut claims);
        let expected = Expected {
            issuer: "https://login.example",
            client_id: "unleak",
            nonce: "n",
            now: NOW,
        };
        expected.check(&claims)
    }

    fn with(name: &str, value: Value) -> Result<(), &'static str> {
        told(|claims| drop(claims.insert(name.to_owned(), value)))
    }

    #[test]
    fn a_token_is_believed_only_if_it_is_this_issuers_for_us_now_and_for_this_sign_in() {
        assert_eq!(told(|_| {}), Ok(()));
        for name in ["iss", "aud", "sub", "nonce", "iat", "exp"] {
            assert!(told(|claims| drop(claims.remove(name))).is_err(), "{name}");
        }
        for (name, value) in [
            ("iss", json!("https://login.example/")),
            ("iss", json!(["https://login.example"])),
            ("aud", json!("unleak2")),
            ("aud", json!(["other"])),
            ("aud", json!([])),
            ("aud", json!({"unleak": true})),
            ("aud", json!(["unleak", "other"])),
            ("azp", json!("other")),
            ("azp", json!(["unleak"])),
            ("exp", json!(NOW - 120)),
            ("exp", json!("soon")),
            ("iat", json!(NOW + 121)),
            ("iat", json!(NOW - 721)),
            ("nbf", json!(NOW + 121)),
            ("nonce", json!("m")),
            ("nonce", json!("")),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("sub", json!("x".repeat(256))),
        ] {
            assert!(with(name, value.clone()).is_err(), "{name} {value}");
        }
        for (name, value) in [
            ("exp", json!(NOW - 119)),
            ("iat", json!(NOW + 119)),
            ("exp", json!(1.8e9 + 5.5)),
            ("aud", json!(["unleak"])),
            ("azp", json!("unleak")),
        ] {
            assert_eq!(with(name, value.clone()), Ok(()), "{name} {value}");
        }
        let several = told(|claims| {
            claims.insert("aud".to_owned(), json!(["other", "unleak"]));
            claims.insert("azp".to_owned(), json!("unleak"));
        });
        assert_eq!(several, Ok(()));
    }

    #[test]
    fn claims_make_a_person_by_a_verified_address_and_an_operator_by_what_the_configuration_names() {
        let settings = |more: &str| {
            let text = format!(
                "url = 'https://u.example'\n[oidc]\nissuer = 'https://login.example'\nclient_id = 'unleak'\n{more}"
            );
            let section: DashboardSection = toml::from_str(&text).unwrap();
            section.oidc().unwrap().unwrap()
        };
        let of = |more: &str, claims: Value| {
            let found = vouched(&settings(more), claims.as_object().unwrap());
            let somebody = found.somebody.map(|somebody| match somebody {
                Somebody::Email(name) | Somebody::Login(name) => name,
            });
            (somebody.unwrap_or_default(), found.operator)
        };
        let ann = json!({"email": "ann@mail.example", "email_verified": true, "groups": ["a", "ops"],
            "realm_access": {"roles": ["boss"]}, "preferred_username": "ann"});
        assert_eq!(of("", ann.clone()), ("ann@mail.example".to_owned(), false));
        assert_eq!(of("person = 'preferred_username'", ann.clone()).0, "ann");
        assert!(of("operators = { groups = ['ops'] }", ann.clone()).1);
        assert!(!of("operators = { groups = ['op'] }", ann.clone()).1);
        assert!(of("operators = { \"/realm_access/roles\" = ['boss'] }", ann.clone()).1);
        assert!(of("operators = { email = ['ann@mail.example'] }", ann).1);
        for verified in [json!(false), json!("no"), json!(1), Value::Null] {
            let mallory = json!({"email": "ann@mail.example", "email_verified": verified});
            let operators = "operators = { email = ['ann@mail.example'] }";
            assert_eq!(of(operators, mallory), (String::new(), false), "{verified}");
        }
        assert_eq!(of("", json!({"email": "a@b", "email_verified": "true"})).0, "a@b");
        assert!(
            !of(
                "operators = { groups = ['ops'] }",
                json!({"groups": {"ops": true}})
            )
            .1
        );
    }
}
