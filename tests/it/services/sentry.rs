//! Sentry, played: tokens of users and organisations, members page by page, and no token that may revoke one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Asked, Desk, Play, Said, Server};

/// What a bearer token is to Sentry.
#[derive(Clone)]
pub(super) enum Known {
    /// Alive: of this user, with these scopes.
    User(u64, &'static str),
    /// Alive: of this organisation, which may do `org:ci` and nothing else.
    Organisation,
    /// A 401 with this text.
    Not(&'static str),
}

/// A member of an organisation, or somebody who was asked to become one.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) id: u64,
    pub(super) user: Option<u64>,
    pub(super) email: &'static str,
    pub(super) role: &'static str,
}

/// The service.
pub(super) struct Sentry {
    pub(super) base: String,
    pub(super) tokens: BTreeMap<String, Known>,
    pub(super) members: BTreeMap<&'static str, Vec<Member>>,
    /// A self-hosted release that does not know `auth/validate`.
    pub(super) old: bool,
}

pub(super) fn user_token() -> String {
    [
        "sntryu_",
        "7db7f1adbc60926f6967e7893f57fd14",
        "c1604d115cea325a65e19cbae530282b",
    ]
    .concat()
}

pub(super) fn operator() -> String {
    [
        "sntryu_",
        "d36cb9d21f6be6abf0d7c1c1e21862ab",
        "8a18a8902073fec8df4f50947aaeb26c",
    ]
    .concat()
}

/// Mia (user 7) is a member of acme, and of beta, where the operator (user 1) is not; Olga and Pia own acme, and a
/// stranger was invited to.
pub(super) fn sentry(base: &str) -> Sentry {
    let member = |id, user, email, role| Member {
        id,
        user,
        email,
        role,
    };
    Sentry {
        base: base.to_owned(),
        tokens: BTreeMap::from([
            (user_token(), Known::User(7, "org:read project:write")),
            (operator(), Known::User(1, "org:read member:read member:admin")),
        ]),
        members: BTreeMap::from([
            (
                "acme",
                vec![
                    member(11, Some(1), "olga@acme.example", "owner"),
                    member(70, Some(77), "mia77@acme.example", "member"),
                    member(12, None, "stranger@else.example", "owner"),
                    member(13, Some(7), "mia@acme.example", "member"),
                    member(14, Some(9), "pia@acme.example", "owner"),
                ],
            ),
            ("beta", vec![member(21, Some(7), "mia@acme.example", "owner")]),
        ]),
        old: false,
    }
}

impl Play for Sentry {
    fn answer(&mut self, asked: &Asked) -> Said {
        let detail = |status, text: &str| Said::json(status, &json!({ "detail": text }));
        let known = match asked.bearer() {
            None => return detail(403, "Authentication credentials were not provided."),
            Some(token) => self.tokens.get(token).cloned(),
        };
        let known = match known {
            Some(Known::Not(text)) => return detail(401, text),
            Some(known) => known,
            None if asked.bearer().is_some_and(|token| token.starts_with("sntrys_")) => {
                return detail(401, "Invalid org token");
            }
            None => return detail(401, "Invalid token"),
        };
        let (user, scopes) = match known {
            Known::User(user, scopes) => (Some(user), scopes),
            Known::Organisation | Known::Not(_) => (None, "org:ci"),
        };
        let path: Vec<&str> = asked.path.trim_matches('/').split('/').skip(2).collect();
        match (asked.method.as_str(), path.as_slice()) {
            ("GET", ["auth", "validate"]) if !self.old => Said::empty(200),
            ("GET", []) => Said::json(200, &me(user, scopes)),
            ("GET", ["organizations"]) if !scopes.contains("org:read") => not_permitted(),
            ("GET", ["organizations"]) => {
                let mine = self.members.iter().filter(|(_, members)| is_in(members, user));
                let mine =
                    mine.map(|(slug, _)| json!({"id": "1", "slug": slug, "name": slug.to_uppercase()}));
                Said::json(200, &mine.collect())
            }
            ("GET", ["organizations", slug, "members"]) => self.list(slug, user, scopes, asked),
            ("DELETE", ["organizations", slug, "members", id]) => self.remove(slug, id, user, scopes),
            // Only a person who is signed in may.
            ("DELETE", ["api-tokens", _] | ["organizations", _, "org-auth-tokens", _]) => not_permitted(),
            _ => Said::nowhere(),
        }
    }
}

fn me(user: Option<u64>, scopes: &str) -> Value {
    let user = user.map(|id| {
        json!({"id": id.to_string(), "username": format!("user{id}@acme.example"), "name": "Mia",
            "email": if id == 7 { "mia@acme.example" } else { "olga@acme.example" }})
    });
    let scopes: Vec<&str> = scopes.split(' ').collect();
    json!({"version": "0", "auth": {"scopes": scopes}, "user": user})
}

fn not_permitted() -> Said {
    Said::json(
        403,
        &json!({"detail": "You do not have permission to perform this action."}),
    )
}

fn is_in(members: &[Member], user: Option<u64>) -> bool {
    members.iter().any(|member| user.is_some() && member.user == user)
}

impl Sentry {
    /// Two members a page; an unknown word of the query lists nobody.
    fn list(&self, slug: &str, user: Option<u64>, scopes: &str, asked: &Asked) -> Said {
        let Some(members) = self.members.get(slug).filter(|members| is_in(members, user)) else {
            return not_permitted();
        };
        if !scopes.contains("member:read") {
            return not_permitted();
        }
        let query = asked.query("query").unwrap_or_default();
        let fits = |member: &&Member| match query.split_once(':') {
            Some(("role", role)) => member.role == role,
            Some(("user.id", id)) => member.user.is_some_and(|user| user.to_string() == id),
            None if query.is_empty() => true,
            _ => false,
        };
        let fitting: Vec<Value> = members.iter().filter(fits).map(entry).collect();
        let from: usize = asked
            .query("cursor")
            .and_then(|cursor| cursor.split(':').nth(1)?.parse().ok())
            .unwrap_or(0);
        let page: Value = fitting.iter().skip(from * 2).take(2).cloned().collect();
        let more = fitting.len() > (from + 1) * 2;
        let url = format!(
            "{}/api/0/organizations/{slug}/members/?query={query}&cursor=2",
            self.base
        );
        let link = format!(
            "<{url}:0:1>; rel=\"previous\"; results=\"false\"; cursor=\"2:0:1\", \
             <{url}:{next}:0>; rel=\"next\"; results=\"{more}\"; cursor=\"2:{next}:0\"",
            next = from + 1
        );
        Said::json(200, &page).with("link", link)
    }

    fn remove(&mut self, slug: &str, id: &str, user: Option<u64>, scopes: &str) -> Said {
        let Some(members) = self.members.get_mut(slug).filter(|members| is_in(members, user)) else {
            return not_permitted();
        };
        if !scopes.contains("member:admin") {
            return not_permitted();
        }
        let before = members.len();
        members.retain(|member| member.id.to_string() != id);
        if members.len() == before {
            return Said::nowhere();
        }
        Said::empty(204)
    }
}

fn entry(member: &Member) -> Value {
    let user = member
        .user
        .map(|id| json!({"id": id.to_string(), "email": member.email, "isActive": true}));
    json!({"id": member.id.to_string(), "email": member.email, "name": member.email.split('@').next(),
        "orgRole": member.role, "pending": member.user.is_none(), "expired": false, "user": user})
}

/// The operator's desk, with Mia's token leaked in an old commit.
pub(super) fn desk(server: &Server<Sentry>, rest: &str) -> Desk {
    let mut desk = Desk::new();
    desk.service("sentry", &[&server.base], &operator(), rest);
    let text = format!("# sentry\nSENTRY_AUTH_TOKEN={}\n", user_token());
    desk.leak("deploy/.env", &text, &user_token());
    desk
}

#[test]
fn a_live_user_token_names_its_user_its_organisations_and_their_owners() {
    let server = Server::start(sentry);
    let desk = desk(&server, "");
    let found = desk.only(&["--verify"]);
    assert_eq!(found["rule"], "sentry/user-auth-token");
    assert_eq!(found["verdict"]["state"], "live", "{found}");
    assert_eq!(found["identity"]["email"], "mia@acme.example");
    assert_eq!(found["identity"]["principal"], "user7@acme.example");
    assert_eq!(found["identity"]["organisations"], json!(["acme", "beta"]));
    assert_eq!(found["identity"]["scopes"], json!(["org:read", "project:write"]));

    let ran = desk.run_with(&["verify"], &user_token());
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("organisations: acme, beta"), "{}", ran.out);

    // Both pages of acme's owners; the invited stranger is none, and beta does not let our operator in.
    let ran = desk.run_with(&["owners"], &user_token());
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    for line in [
        "user7@acme.example <mia@acme.example>: the token is theirs",
        "olga <olga@acme.example>: owns an organisation that the token opens (acme)",
        "pia <pia@acme.example>: owns an organisation that the token opens (acme)",
        "not asked: the owners of beta could not be listed: the service answered 403",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    assert!(!ran.out.contains("stranger"), "{}", ran.out);
    assert!(!server.was_shown("/api/0/organizations/acme/members", &user_token()));
    assert_eq!(server.changes(), Vec::<String>::new());
    desk.holds_no_secret();
}

#[test]
fn each_401_of_sentry_says_why_the_token_is_dead() {
    let server = Server::start(sentry);
    let desk = desk(&server, "");
    for (text, why) in [
        ("Token expired", "expired"),
        ("User inactive or deleted", "owner-disabled"),
        ("UserApplication inactive or deleted", "owner-disabled"),
        ("Invalid token", "unknown-to-service"),
        ("Invalid org token", "unknown-to-service"),
    ] {
        for old in [false, true] {
            let mut play = server.play();
            play.old = old;
            play.tokens.insert(user_token(), Known::Not(text));
            drop(play);
            let found = desk.only(&["--verify", "--refresh", "--fail-on", "live"]);
            assert_eq!(found["verdict"]["state"], "dead", "{text}: {found}");
            assert_eq!(found["verdict"]["why"], why, "{text}: {found}");
        }
    }
    // What the facts do not list proves nothing.
    server
        .play()
        .tokens
        .insert(user_token(), Known::Not("Please verify your email"));
    let ran = desk.run_with(&["verify"], &user_token());
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("unknown: 401"), "{}", ran.out);
    desk.holds_no_secret();
}

#[test]
fn an_old_self_hosted_release_without_validate_is_asked_for_its_index() {
    let server = Server::start(|base| Sentry {
        old: true,
        ..sentry(base)
    });
    let desk = desk(&server, "");
    let found = desk.only(&["--verify"]);
    assert_eq!(found["verdict"]["state"], "live", "{found}");
    assert_eq!(found["identity"]["email"], "mia@acme.example");
    let seen = server.seen();
    assert!(seen.iter().any(|what| what == "GET /api/0/"), "{seen:?}");
    desk.holds_no_secret();
}

#[test]
fn a_token_without_the_scope_to_read_organisations_is_live_and_the_configured_ones_are_asked_for_owners() {
    let server = Server::start(sentry);
    let desk = desk(&server, "organisations = [\"acme\"]");
    server
        .play()
        .tokens
        .insert(user_token(), Known::User(7, "project:write"));
    let found = desk.only(&["--verify"]);
    assert_eq!(found["verdict"]["state"], "live", "{found}");
    assert_eq!(found["identity"]["organisations"], json!([]));
    let ran = desk.run_with(&["owners"], &user_token());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("olga@acme.example"), "{}", ran.out);
    desk.holds_no_secret();
}

#[test]
fn an_operator_who_may_not_list_members_is_told_so_and_the_token_owner_still_hears() {
    let server = Server::start(sentry);
    let desk = desk(&server, "");
    server
        .play()
        .tokens
        .insert(operator(), Known::User(1, "org:read"));
    let steps = desk.respond();
    assert!(
        steps.contains("the owners of acme could not be listed: the service answered 403"),
        "{steps}"
    );
    assert!(
        steps.contains("check that services.sentry.credential may list members"),
        "{steps}"
    );
    desk.notice("mia@acme.example", "Sentry user auth token");
    desk.holds_no_secret();
}
