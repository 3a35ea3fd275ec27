//! GitLab, as `facts/services.md` 6.2 knows it: a token that ends itself, and who else may end it.

mod refusals;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{allow, fingerprint, verdict};
use crate::support::desk::Desk;
use crate::support::local::{Asked, Local, Said};

/// What a token is to the service.
struct Token {
    alive: bool,
    /// The answer to its wish to end itself; 204 ends it.
    ends_itself: u16,
    /// Its scopes do not reach the question about itself.
    insufficient: bool,
}

/// The service's state.
struct GitLab {
    tokens: BTreeMap<String, Token>,
    /// The path of the only group, in which the operator is an owner.
    group: &'static str,
    /// Whether the group may end tokens (a feature flag), and the token reaches it.
    group_can: bool,
    /// Whether the operator is an administrator.
    admin: bool,
    /// Users that were removed from the group.
    removed: Vec<String>,
}

impl GitLab {
    fn with(token: &str) -> Self {
        let kept = Token {
            alive: true,
            ends_itself: 204,
            insufficient: false,
        };
        Self {
            tokens: BTreeMap::from([(token.to_owned(), kept)]),
            group: "acme/web",
            group_can: true,
            admin: false,
            removed: Vec::new(),
        }
    }

    fn play(self) -> Local<Self> {
        Local::play(self, answer)
    }

    fn token(&mut self) -> &mut Token {
        self.tokens.values_mut().next().expect("a token")
    }

    /// The presented token, or GitLab's way of saying why it is none.
    fn presented(&mut self, asked: &Asked) -> Result<&mut Token, Said> {
        let token = asked.header("private-token");
        match self.tokens.get_mut(token) {
            Some(known) if known.alive => Ok(known),
            Some(_) => Err(Said::json(
                401,
                &json!({
                    "error": "invalid_token",
                    "error_description": "Token was revoked. You have to re-authorize from the user.",
                }),
            )),
            None => Err(message(401, "401 Unauthorized")),
        }
    }

    fn itself(&mut self, asked: &Asked) -> Result<Said, Said> {
        let method = asked.method.as_str();
        let token = self.presented(asked)?;
        if method == "DELETE" {
            token.alive = token.ends_itself != 204;
            return Ok(match token.ends_itself {
                204 => Said::empty(204),
                other => message(other, "400 Bad request"),
            });
        }
        if token.insufficient {
            return Err(Said::json(
                403,
                &json!({ "error": "insufficient_scope", "scope": "api read_api" }),
            ));
        }
        Ok(Said::json(
            200,
            &json!({
                "id": 11, "name": "deploy", "revoked": false, "active": true, "user_id": 42,
                "scopes": ["api", "read_repository"], "expires_at": "2030-01-01",
            }),
        ))
    }

    fn groups(&mut self, asked: &Asked) -> Result<Said, Said> {
        self.presented(asked)?;
        assert_eq!(
            asked.asked_for("min_access_level"),
            "10",
            "every public group would be told"
        );
        let gone = self.removed.iter().any(|user| user == "42");
        let listed = [self.group, "other"]
            .into_iter()
            .filter(|path| !gone || *path == "other");
        let listed: Vec<Value> = listed.map(|path| json!({ "id": 5, "full_path": path })).collect();
        Ok(Said::json(200, &json!(listed)))
    }

    /// What the operator does in a group.
    fn in_group(&mut self, asked: &Asked, group: &str, what: &[&str]) -> Said {
        if asked.header("private-token") != operator() {
            return message(401, "401 Unauthorized");
        }
        let ours = group.replace("%2F", "/") == self.group;
        match (asked.method.as_str(), what) {
            ("GET", ["members", "all"]) if ours => members(),
            ("DELETE", ["members", user]) if ours => {
                self.removed.push((*user).to_owned());
                Said::empty(204)
            }
            ("POST", ["tokens", "revoke"]) if ours && self.group_can => {
                let json = asked.json();
                let text = json["token"].as_str().unwrap_or_default();
                match self.tokens.get_mut(text) {
                    Some(token) => {
                        token.alive = false;
                        Said::json(
                            200,
                            &json!({ "id": 11, "name": "deploy", "revoked": true, "active": false }),
                        )
                    }
                    None => message(404, "404 Not Found"),
                }
            }
            _ => message(404, "404 Not Found"),
        }
    }

    fn as_admin(&mut self, asked: &Asked) -> Said {
        if asked.header("private-token") != operator() || !self.admin {
            return message(403, "403 Forbidden");
        }
        let json = asked.json();
        match self.tokens.get_mut(json["token"].as_str().unwrap_or_default()) {
            Some(token) => {
                token.alive = false;
                Said::empty(204)
            }
            None => message(404, "404 Not Found"),
        }
    }
}

/// Owners are level 50; one is blocked, and one maintains.
fn members() -> Said {
    let member = |name: &str, level: u64, state: &str| {
        json!({
            "id": 1, "username": name, "access_level": level, "state": state,
            "email": format!("{name}@acme.example"),
        })
    };
    let listed = [
        member("olivia", 50, "active"),
        member("blake", 50, "blocked"),
        member("mark", 40, "active"),
        member("opal", 50, "active"),
    ];
    Said::json(200, &json!(listed))
}

fn message(status: u16, message: &str) -> Said {
    Said::json(status, &json!({ "message": message }))
}

fn answer(gitlab: &mut GitLab, asked: &Asked) -> Said {
    assert!(
        !asked.headers.contains_key("authorization"),
        "GitLab's header is PRIVATE-TOKEN"
    );
    let below = asked.path.strip_prefix("/git").unwrap_or(&asked.path);
    let parts: Vec<&str> = below.trim_start_matches('/').split('/').collect();
    let said = match (asked.method.as_str(), parts.as_slice()) {
        ("GET" | "DELETE", ["api", "v4", "personal_access_tokens", "self"]) => gitlab.itself(asked),
        ("GET", ["api", "v4", "user"]) => gitlab.presented(asked).map(|_| {
            Said::json(
                200,
                &json!({ "id": 42, "username": "mia", "email": "mia@acme.example" }),
            )
        }),
        ("GET", ["api", "v4", "groups"]) => gitlab.groups(asked),
        (_, ["api", "v4", "groups", group, what @ ..]) => Ok(gitlab.in_group(asked, group, what)),
        ("DELETE", ["api", "v4", "admin", "token"]) => Ok(gitlab.as_admin(asked)),
        _ => Ok(message(404, "404 Not Found")),
    };
    said.unwrap_or_else(|said| said)
}

fn operator() -> String {
    ["glpat-", "Op3r4t0r_Op3r4t0r-xy"].concat()
}

fn plain() -> String {
    ["glpat-", "V_X0w8B8yW9XUQTw-m9z"].concat()
}

fn routable() -> String {
    ["glpat-", "YWFhYWFhYWFhYWFhYWFhYW86MQp1OjEH", ".01.", "0w082kcij"].concat()
}

/// A desk where this service is GitLab, with further lines for its section, and other sections.
fn desk(gitlab: &Local<GitLab>, section: &str, rest: &str) -> Desk {
    let desk = Desk::new("");
    let credential = desk.key_file("gitlab.token", &operator());
    desk.configure(&format!(
        "[services.gitlab]\nbases = [\"{}\"]\ncredential_file = {credential:?}\nsettle_seconds = 2\n{section}\n{rest}",
        gitlab.base
    ));
    desk
}

#[test]
fn a_token_ends_itself_and_the_owners_of_its_groups_are_told() {
    let leaked = plain();
    let gitlab = GitLab::with(&leaked).play();
    let desk = desk(&gitlab, "", &allow("gitlab", "revoke"));
    desk.leak(".gitlab/deploy.yml", &format!("token: {leaked}\n"), &leaked);

    let finding = desk.only_finding(&["--verify"]);
    assert_eq!(verdict(&finding), "live", "{finding}");
    let identity = &finding["identity"];
    assert_eq!(identity["principal"], "mia", "{identity}");
    assert_eq!(identity["email"], "mia@acme.example");
    assert_eq!(identity["organisations"], json!(["acme/web", "other"]));

    let owners = desk.ask(&["owners"], leaked.as_bytes());
    for line in [
        "mia <mia@acme.example>: the token is theirs",
        "olivia <olivia@acme.example>: owns an organisation that the token opens (acme/web)",
        "opal <opal@acme.example>: owns an organisation that the token opens (acme/web)",
        "not asked: the owners of other could not be listed: the service answered 404",
    ] {
        assert!(
            owners.out.lines().any(|said| said.starts_with(line)),
            "{line}: {}",
            owners.out
        );
    }
    assert!(
        !owners.out.contains("blake") && !owners.out.contains("mark"),
        "{}",
        owners.out
    );
    let listed = gitlab.asked_for("GET /api/v4/groups/acme%2Fweb/members/all");
    assert!(
        !listed.is_empty(),
        "the path of a group stays one part of the URL"
    );

    let finding = desk.only_finding(&["--respond"]);
    assert_eq!(verdict(&finding), "dead", "{finding}");
    assert_eq!(finding["verdict"]["why"], "revoked", "{finding}");
    assert_eq!(
        gitlab
            .asked_for("DELETE /api/v4/personal_access_tokens/self")
            .len(),
        1
    );
    let told: Vec<String> = desk
        .outbox()
        .into_iter()
        .filter(|text| text.contains("To: olivia"))
        .collect();
    assert_eq!(told.len(), 1, "of the leak and of its end, in one notice");
    assert_eq!(desk.ask(&["verify"], leaked.as_bytes()).code, 0);
}

#[test]
fn a_token_that_may_not_end_itself_is_ended_by_an_owner_of_the_group() {
    let leaked = plain();
    let mut service = GitLab::with(&leaked);
    service.token().ends_itself = 400;
    let gitlab = service.play();
    let desk = desk(&gitlab, "values = { group = \"acme/web\" }", "");
    desk.leak("deploy.yml", &format!("token: {leaked}\n"), &leaked);
    let name = fingerprint(&desk.only_finding(&["--respond"]));
    assert_eq!(desk.run(&["verify", &name]).code, 1);
    let done = desk.run(&["revoke", &name, "--yes"]);
    assert_eq!(done.code, 0, "{} {}", done.out, done.err);
    assert!(
        done.out.contains("revoke: done and proved (operator)"),
        "{}",
        done.out
    );
    let sent = gitlab.asked_for("POST /api/v4/groups/acme%2Fweb/tokens/revoke");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].json(), json!({ "token": leaked }));
    let after = desk.ask(&["verify"], leaked.as_bytes());
    assert_eq!(
        (after.code, after.out.contains("dead, revoked")),
        (0, true),
        "{}",
        after.out
    );
}

#[test]
fn a_token_whose_scopes_are_too_narrow_to_ask_is_alive() {
    let leaked = plain();
    let mut service = GitLab::with(&leaked);
    service.token().insufficient = true;
    let gitlab = service.play();
    let desk = desk(&gitlab, "", "");
    desk.leak("deploy.yml", &format!("token: {leaked}\n"), &leaked);
    let finding = desk.only_finding(&["--verify", "--fail-on", "live"]);
    assert_eq!(verdict(&finding), "live", "{finding}");
    assert_eq!(finding["verdict"]["reason"], "403 insufficient_scope");
}

#[test]
fn a_routable_token_counts_only_with_its_checksum() {
    let leaked = routable();
    let wrong = leaked.replace("kcij", "kcik");
    let gitlab = GitLab::with(&leaked).play();
    let desk = desk(&gitlab, "", &allow("gitlab", "revoke"));
    desk.keep_secret(&wrong);
    desk.leak("deploy.yml", &format!("good: {leaked}\nbad: {wrong}\n"), &leaked);
    let ran = desk.run(&["scan", ".", "-q", "--respond", "--format", "jsonl"]);
    let is_gitlabs = |finding: &Value| finding["service"] == "gitlab";
    let findings: Vec<Value> = ran.findings().into_iter().filter(is_gitlabs).collect();
    let [finding] = findings.as_slice() else {
        panic!("{} {}", ran.out, ran.err)
    };
    assert_eq!(finding["rule"], "gitlab/routable-personal-access-token");
    assert_eq!(
        (finding["location"]["line"].as_u64(), verdict(finding)),
        (Some(1), "dead")
    );
    let unknown = desk.ask(&["verify"], wrong.as_bytes());
    assert_eq!(unknown.code, 3, "{}", unknown.out);
    assert!(
        gitlab
            .asked()
            .iter()
            .all(|asked| asked.header("private-token") != wrong)
    );
}

#[test]
fn a_self_hosted_gitlab_is_asked_below_its_own_path_and_nowhere_else() {
    let leaked = plain();
    let gitlab = GitLab::with(&leaked).play();
    let elsewhere = GitLab::with(&leaked).play();
    let desk = desk(&gitlab, "", &allow("gitlab", "revoke"));
    let config = std::fs::read_to_string(desk.config()).unwrap();
    let below = format!("{}/git", gitlab.base);
    std::fs::write(desk.config(), config.replace(&gitlab.base, &below)).unwrap();
    // A host in the scanned text is no place to send a token to.
    let text = format!("GITLAB={}\ntoken: {leaked}\n", elsewhere.base);
    desk.leak("deploy.yml", &text, &leaked);
    let finding = desk.only_finding(&["--respond"]);
    assert_eq!(verdict(&finding), "dead", "{finding}");
    assert!(
        gitlab
            .asked()
            .iter()
            .all(|asked| asked.path.starts_with("/git/api/v4/"))
    );
    assert!(elsewhere.asked().is_empty());
}
