//! GoCD, played: tokens of the shape of a commit, six kinds of 401, and last uses that are written down at a flush.

use std::time::{Duration, Instant};

use jiff::{Timestamp, Unit};
use serde_json::{Value, json};

use super::{Asked, Desk, Play, Said, Server};

/// An access token. `used` is what the server remembers until the flush.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) id: u64,
    pub(super) secret: String,
    pub(super) user: &'static str,
    pub(super) revoked: Option<String>,
    pub(super) last_used: Option<Timestamp>,
    used: Option<Timestamp>,
    /// In use by its owner's machines all the time.
    pub(super) busy: bool,
}

impl Token {
    pub(super) fn new(id: u64, secret: String, user: &'static str) -> Self {
        Self {
            id,
            secret,
            user,
            revoked: None,
            last_used: None,
            used: None,
            busy: false,
        }
    }
}

/// The server.
pub(super) struct GoCd {
    pub(super) tokens: Vec<Token>,
    /// What a known token is told instead of an answer.
    pub(super) refusal: Option<&'static str>,
    /// Somebody else revokes a token just before our request to do so arrives.
    pub(super) overtaken: bool,
    pub(super) flush_every: Duration,
    pub(super) flushed: Instant,
}

pub(super) fn token() -> String {
    ["860dcd6c", "8a1f8b46287cced9041dff02cee73744"].concat()
}

pub(super) fn sibling() -> String {
    ["3e210471", "948d33296c87009e8a7f770d9106fd28"].concat()
}

pub(super) const ADMIN: &str = "admin:correct-horse-battery";
pub(super) const MIA: &str = "mia:staple-of-mine-9";

/// Mia's token, and one of the administrator.
pub(super) fn gocd(_base: &str) -> GoCd {
    let admins = ["fa4efa4e", "0123456789abcdef0123456789abcdef"].concat();
    GoCd {
        tokens: vec![Token::new(4, admins, "admin"), Token::new(5, token(), "mia")],
        refusal: None,
        overtaken: false,
        flush_every: Duration::from_millis(800),
        flushed: Instant::now(),
    }
}

fn message(status: u16, text: &str) -> Said {
    Said::json(status, &json!({ "message": text }))
}

impl Play for GoCd {
    fn answer(&mut self, asked: &Asked) -> Said {
        self.flush();
        let path = asked.path.clone();
        let version = match path.as_str() {
            "/go/api/admin/security/system_admins" => "v2",
            path if path.starts_with("/go/api/users/") => "v3",
            _ => "v1",
        };
        if asked.header("accept") != Some(&format!("application/vnd.go.cd.{version}+json")) {
            return message(404, "The url you are trying to reach appears to be incorrect.");
        }
        if let Some(bearer) = asked.bearer() {
            return match self.user_of(bearer) {
                Err(text) => message(401, &text),
                Ok(_) if path.contains("/access_tokens") => message(
                    403,
                    "Unsupported operation: Accessing this API using access token is forbidden.",
                ),
                Ok(user) if path == "/go/api/current_user" => Said::json(200, &person(user)),
                Ok(_) => message(403, "You are not authorized to perform this action."),
            };
        }
        let user = match asked.basic() {
            Some((user, password)) if [ADMIN, MIA].contains(&&*format!("{user}:{password}")) => user,
            _ => {
                return message(
                    401,
                    "Invalid credentials. Either your username and password are incorrect.",
                );
            }
        };
        if user != "admin" {
            return message(403, "You are not authorized to perform this action.");
        }
        let parts: Vec<&str> = path.split('/').skip(3).collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["admin", "access_tokens"]) => self.list(asked.query("filter").unwrap_or("active")),
            ("POST", ["admin", "access_tokens", id, "revoke"]) => self.revoke(id, &asked.json()),
            ("GET", ["admin", "security", "system_admins"]) => {
                Said::json(200, &json!({"roles": ["ops"], "users": ["admin", "olga"]}))
            }
            ("PATCH", ["users", name]) if asked.json()["enabled"] == json!(false) => {
                self.refusal = Some(
                    "Invalid Personal Access Token. Access Token belonging to the user has either \
                    been disabled, removed or expired.",
                );
                Said::json(200, &json!({"login_name": name, "enabled": false}))
            }
            _ => message(404, "The resource you requested was not found!"),
        }
    }
}

fn person(user: &str) -> Value {
    json!({"login_name": user, "display_name": "Mia", "enabled": true, "email": format!("{user}@acme.example"),
        "email_me": false, "checkin_aliases": [], "_links": {}})
}

fn now() -> Timestamp {
    Timestamp::now().round(Unit::Second).unwrap()
}

impl GoCd {
    /// Last uses are cached, and written down now and then, in whole seconds.
    fn flush(&mut self) {
        if self.flushed.elapsed() < self.flush_every {
            return;
        }
        self.flushed = Instant::now();
        for token in &mut self.tokens {
            let busy = token.busy.then(now);
            token.last_used = busy.or(token.used.take()).or(token.last_used);
        }
    }

    fn user_of(&mut self, bearer: &str) -> Result<&'static str, String> {
        let known = self.tokens.iter_mut().find(|token| token.secret == bearer);
        let Some(token) = known else {
            return Err("Invalid Personal Access Token.".to_owned());
        };
        if let Some(text) = self.refusal {
            return Err(text.to_owned());
        }
        if let Some(revoked) = &token.revoked {
            return Err(format!(
                "Invalid Personal Access Token. Access token was revoked at: {revoked}"
            ));
        }
        token.used = Some(now());
        Ok(token.user)
    }

    fn list(&self, filter: &str) -> Said {
        if !["active", "revoked", "all"].contains(&filter) {
            return message(400, "Unsupported filter");
        }
        let shown = |token: &&Token| filter == "all" || (filter == "revoked") == token.revoked.is_some();
        let entries: Vec<Value> = self.tokens.iter().filter(shown).map(entry).collect();
        Said::json(
            200,
            &json!({"_links": {}, "_embedded": {"access_tokens": entries}}),
        )
    }

    fn revoke(&mut self, id: &str, body: &Value) -> Said {
        let Some(token) = self.tokens.iter_mut().find(|token| token.id.to_string() == id) else {
            return message(404, "The resource you requested was not found!");
        };
        if self.overtaken {
            token.revoked = Some(now().to_string());
        }
        if token.revoked.is_some() {
            return message(409, "Access token has already been revoked!");
        }
        token.revoked = Some(now().to_string());
        let mut reply = entry(token);
        reply["revoke_cause"] = body["revoke_cause"].clone();
        assert!(
            !reply["revoke_cause"].as_str().unwrap_or_default().is_empty(),
            "no cause: {body}"
        );
        Said::json(200, &reply)
    }
}

fn entry(token: &Token) -> Value {
    json!({"id": token.id, "description": "ci", "username": token.user, "created_at": "2026-01-01T00:00:00Z",
        "last_used_at": token.last_used, "revoked": token.revoked.is_some(), "revoked_at": token.revoked,
        "revoke_cause": "", "revoked_by": token.revoked.as_ref().map(|_| "admin")})
}

/// The operator's desk, with Mia's token leaked in an old commit.
pub(super) fn desk(server: &Server<GoCd>, credential: &str) -> Desk {
    let mut desk = Desk::new();
    desk.service("gocd", &[&server.base], credential, "");
    desk.leak(
        "deploy.sh",
        &format!("export GOCD_ACCESS_TOKEN={}\n", token()),
        &token(),
    );
    desk
}

#[test]
fn without_a_configured_server_the_next_step_is_named_and_nothing_is_sent() {
    let mut desk = Desk::new();
    desk.leak(
        "deploy.sh",
        &format!("export GOCD_ACCESS_TOKEN={}\n", token()),
        &token(),
    );
    let found = desk.only(&["--verify"]);
    assert_eq!(found["verdict"]["state"], "unknown", "{found}");
    let reason = found["verdict"]["reason"].as_str().unwrap();
    assert_eq!(reason, "no base URL is configured: set services.gocd.bases");
    for command in [&["verify"][..], &["owners"], &["revoke", "--yes"]] {
        let ran = desk.run_with(&[command, &["--rule", "gocd/access-token"]].concat(), &token());
        assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
        assert!(
            ran.out.contains("set services.gocd.bases"),
            "{}{}",
            ran.out,
            ran.err
        );
    }
    desk.respond();
    desk.holds_no_secret();
}

#[test]
fn each_401_of_gocd_is_read_for_what_it_says() {
    let server = Server::start(gocd);
    let desk = desk(&server, ADMIN);
    let invalid = "Invalid Personal Access Token.";
    for (text, state, why) in [
        (invalid, "dead", "unknown-to-service"),
        (
            "Invalid Personal Access Token. Access token was revoked at: 2026-03-01T10:00:00Z",
            "dead",
            "revoked",
        ),
        (
            "Invalid Personal Access Token. Access Token belonging to the user has either been disabled, removed or \
             expired.",
            "dead",
            "owner-disabled",
        ),
        (
            "Can not find authorization configuration \"ldap\" to which the token belongs.",
            "dead",
            "owner-disabled",
        ),
        ("User mia is disabled.", "dead", "owner-disabled"),
        (
            "Bearer authentication credentials are not required, since security has been disabled on this server.",
            "unknown",
            "",
        ),
    ] {
        server.play().refusal = Some(text);
        let found = desk.only(&["--verify", "--refresh"]);
        assert_eq!(found["verdict"]["state"], state, "{text}: {found}");
        assert_eq!(
            found["verdict"]["why"].as_str().unwrap_or_default(),
            why,
            "{text}: {found}"
        );
    }
    server.play().refusal = None;
    let found = desk.only(&["--verify", "--refresh"]);
    assert_eq!(found["verdict"]["state"], "live", "{found}");
    assert_eq!(found["identity"]["principal"], "mia");
    assert_eq!(found["identity"]["email"], "mia@acme.example");
    assert_eq!(server.changes(), Vec::<String>::new());
    desk.holds_no_secret();
}

#[test]
fn the_owners_are_the_administrators_with_the_addresses_that_the_configuration_knows() {
    let server = Server::start(gocd);
    let mut desk = desk(&server, ADMIN);
    desk.configure("[owners]\naddresses = { olga = \"olga@acme.example\" }\n");
    let ran = desk.run_with(&["owners", "--rule", "gocd/access-token"], &token());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for line in [
        "mia <mia@acme.example>: the token is theirs",
        "olga <olga@acme.example>: owns",
        "admin: owns",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    desk.respond();
    desk.notice("olga@acme.example", "GoCD personal access token");
    desk.holds_no_secret();
}

#[test]
fn a_commit_near_the_words_for_one_is_no_token() {
    let server = Server::start(gocd);
    let mut desk = Desk::new();
    desk.service("gocd", &[&server.base], ADMIN, "");
    desk.tool.write("README.md", "gocd\n");
    let commit = desk.tool.commit("start", "2026-03-01");
    let text = format!(
        "# gocd pipeline\nauth: deployed commit {commit}\ntoken rotated in revision {commit}\n\
         curl https://ci.example/go/api/x # secret, sha {commit}\nGOCD_TOKEN_COMMIT={commit}\n"
    );
    desk.tool.write("notes.md", text);
    desk.tool.commit("notes", "2026-03-02");
    let ran = desk.run(&["scan", ".", "--verify", "--format", "jsonl"]);
    assert_eq!((ran.code, ran.findings()), (0, vec![]), "{}", ran.err);
    assert_eq!(server.seen(), Vec::<String>::new());
    desk.holds_no_secret();
}
