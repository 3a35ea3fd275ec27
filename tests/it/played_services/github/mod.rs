//! GitHub, and Enterprise Server, as `facts/services.md` 6.1 and 12 know them.

mod life;
mod limits;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use unleak::secret::crc32_base62;

use crate::support::desk::Desk;
use crate::support::local::{Asked, Local, Said};

/// Entries of a page; GitHub's own is 100.
const PAGE: usize = 2;

/// The service's state.
struct GitHub {
    /// Tokens that live, with their scopes where GitHub tells them.
    tokens: BTreeMap<String, Option<&'static str>>,
    /// Tokens whose end was asked for, with the questions that still find them alive.
    dying: BTreeMap<String, usize>,
    /// Questions that a token outlives its revocation by.
    outlives: usize,
    operator: String,
    owners: Vec<&'static str>,
    /// Enterprise Server, which wants to know who revokes.
    enterprise: bool,
    /// Answers given instead, in this order, by `METHOD path`.
    instead: BTreeMap<&'static str, Vec<fn() -> Said>>,
    revoked: BTreeSet<String>,
}

impl GitHub {
    fn with(tokens: &[(&str, Option<&'static str>)]) -> Self {
        let tokens = tokens
            .iter()
            .map(|(token, scopes)| ((*token).to_owned(), *scopes));
        Self {
            tokens: tokens.collect(),
            dying: BTreeMap::new(),
            outlives: 0,
            operator: operator(),
            owners: vec!["olivia", "oscar", "opal"],
            enterprise: false,
            instead: BTreeMap::new(),
            revoked: BTreeSet::new(),
        }
    }

    fn play(self) -> Local<Self> {
        Local::play(self, answer)
    }

    /// Whether a token is taken now; each question counts for one that is about to end.
    fn takes(&mut self, token: &str) -> bool {
        match self.dying.get_mut(token) {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => self.tokens.contains_key(token) || token == self.operator,
        }
    }

    fn revoke(&mut self, asked: &Asked) -> Said {
        if asked.headers.contains_key("authorization") != self.enterprise {
            return message(403, "This endpoint only accepts unauthenticated requests");
        }
        if self.enterprise && asked.bearer() != Some(&self.operator) {
            return message(401, "Bad credentials");
        }
        let json = asked.json();
        let listed = json["credentials"].as_array().map_or(&[][..], Vec::as_slice);
        let known: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
        if known.is_empty() || known.len() > 1000 || known.iter().any(|token| token.starts_with("ghs_")) {
            return message(422, "Validation Failed");
        }
        for token in known {
            self.revoked.insert(token.to_owned());
            self.dying.insert(token.to_owned(), self.outlives);
        }
        Said::json(202, &json!({}))
    }

    fn members(&mut self, asked: &Asked) -> Said {
        if asked.bearer().is_none_or(|token| token != self.operator) {
            return message(403, "Must have admin rights");
        }
        assert_eq!(asked.asked_for("role"), "admin", "all members would be told");
        let page: usize = asked.asked_for("page").parse().unwrap_or(1);
        let logins = self.owners.iter().skip((page - 1) * PAGE).take(PAGE);
        let listed: Vec<Value> = logins
            .map(|login| json!({ "login": login, "id": 7, "type": "User" }))
            .collect();
        let said = Said::json(200, &json!(listed));
        if self.owners.len() <= page * PAGE {
            return said;
        }
        let at = format!(
            "http://{}{}?role=admin&per_page=100",
            asked.header("host"),
            asked.path
        );
        let next = page + 1;
        said.with(
            "Link",
            &format!("<{at}&page={next}>; rel=\"next\", <{at}&page=9>; rel=\"last\""),
        )
    }
}

fn message(status: u16, message: &str) -> Said {
    Said::json(
        status,
        &json!({ "message": message, "status": status.to_string() }),
    )
}

fn answer(github: &mut GitHub, asked: &Asked) -> Said {
    assert_eq!(asked.header("x-github-api-version"), "2022-11-28");
    assert!(
        !asked.header("user-agent").is_empty(),
        "GitHub refuses who does not say its name"
    );
    let path = asked.path.strip_prefix("/api/v3").unwrap_or(&asked.path);
    if let Some(instead) = github
        .instead
        .get_mut(format!("{} {path}", asked.method).as_str())
        && !instead.is_empty()
    {
        return instead.remove(0)();
    }
    let bearer = asked.bearer().unwrap_or_default().to_owned();
    match (asked.method.as_str(), path) {
        ("POST", "/credentials/revoke") => github.revoke(asked),
        ("GET", path) if path.ends_with("/members") => github.members(asked),
        _ if !github.takes(&bearer) => message(401, "Bad credentials"),
        ("GET", "/installation/repositories") if bearer.starts_with("ghs_") => {
            let repository = json!({ "name": "app", "owner": { "login": "acme" } });
            Said::json(200, &json!({ "total_count": 1, "repositories": [repository] }))
        }
        ("DELETE", "/installation/token") if bearer.starts_with("ghs_") => {
            github.revoked.insert(bearer.clone());
            github.dying.insert(bearer, 0);
            Said::empty(204)
        }
        (_, "/user" | "/user/orgs") if bearer.starts_with("ghs_") => {
            message(403, "Resource not accessible by integration")
        }
        ("GET", "/user") => {
            let said = Said::json(
                200,
                &json!({ "login": "mia", "id": 42, "type": "User", "email": null }),
            );
            match github.tokens.get(&bearer) {
                Some(Some(scopes)) => said.with("X-OAuth-Scopes", scopes),
                _ => said,
            }
        }
        ("GET", "/user/orgs") => Said::json(200, &json!([{ "login": "acme", "id": 1 }])),
        _ => message(404, "Not Found"),
    }
}

/// The operator's own token, which nothing may show either.
fn operator() -> String {
    token("ghp_", "Op3r4torOp3r4torOp3r4torOp3r4t")
}

/// A token of 30 characters and their checksum.
fn token(prefix: &str, body: &str) -> String {
    let sum = crc32_base62(body.as_bytes());
    [prefix, body, std::str::from_utf8(&sum).expect("ASCII")].concat()
}

fn classic() -> String {
    token("ghp_", "a7Kq2Vb9Lx0ZeR4tNw8KyC3mPj5Hs1")
}

fn fine_grained() -> String {
    [
        "github_pat_",
        "11AAYCBDQ0tjwxY3uiVv5v",
        "_lo8vfONwp06Vaq9ORB7pSxWM1UT5wSEuqxoxNv15mbAJTNMO62SdeYHLyzV",
    ]
    .concat()
}

/// The configuration of a desk where this service is GitHub, and the addresses of two of its people are known.
fn config(desk: &Desk, github: &Local<GitHub>, rest: &str) -> String {
    let credential = desk.key_file("github.token", &operator());
    format!(
        "[services.github]\nbases = [\"{}\"]\ncredential_file = {credential:?}\nsettle_seconds = 4\n\
         [owners.addresses]\nolivia = \"olivia@acme.example\"\nopal = \"opal@acme.example\"\n{rest}",
        github.base
    )
}

fn desk(github: &Local<GitHub>, rest: &str) -> Desk {
    let desk = Desk::new("");
    desk.configure(&config(&desk, github, rest));
    desk
}
