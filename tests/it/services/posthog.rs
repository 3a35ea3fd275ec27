//! PostHog, played twice, as US and EU cloud: a key lives in one of them, and whoever holds it may have it rolled.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Asked, Desk, Play, Said, Server};

/// A key that lives here.
struct Key {
    scopes: &'static str,
    /// Whether `revoke_leaked_key` rolls it; the older secret tokens of teams it leaves alone.
    rolls: bool,
}

/// One region.
#[derive(Default)]
struct PostHog {
    base: String,
    keys: BTreeMap<String, Key>,
    /// Answers every request to revoke with 429.
    throttled: bool,
    /// Answers everything with 503.
    down: bool,
    /// A self-hosted release that does not know `@current`.
    old: bool,
}

fn personal() -> String {
    ["phx_", "C68SZrutuEMAw4YN5giS7o", "hnvCitxGhThxEwYDeF4TbCSQ9B"].concat()
}

fn oauth() -> String {
    ["pha_", "UmRDhM6F4tZdY6U8tTkdBi", "c7jCTnKULkMU5MqezQUU3y"].concat()
}

fn team_secret() -> String {
    ["phs_", "HpvE4zdwrm4kwN9SgXdxis", "MjUMfHVSkRWaWD32hZXHWrhs"].concat()
}

fn operator() -> String {
    ["phx_", "npNfCPkPDy0RvAR7q5PauN", "TnA803Z9fpwP5adxNlWA9MIAX"].concat()
}

fn region(base: &str) -> PostHog {
    PostHog {
        base: base.to_owned(),
        ..PostHog::default()
    }
}

const INVALID: &str = "Personal API key found in request Authorization header is invalid.";

fn error(status: u16, kind: &str, code: &str, detail: &str) -> Said {
    Said::json(
        status,
        &json!({"type": kind, "code": code, "detail": detail, "attr": null}),
    )
}

fn lacks(scope: &str) -> Said {
    let detail = format!("API key missing required scope '{scope}'");
    error(403, "authentication_error", "permission_denied", &detail)
}

impl Play for PostHog {
    fn answer(&mut self, asked: &Asked) -> Said {
        if self.down {
            return Said::empty(503);
        }
        if asked.what() == "POST /api/revoke_leaked_key" {
            return self.roll(&asked.json()["token"]);
        }
        let key = asked.bearer().and_then(|token| self.keys.get(token));
        let Some(Key { scopes, .. }) = key else {
            return error(401, "authentication_error", "authentication_failed", INVALID);
        };
        match asked.what().as_str() {
            "GET /api/personal_api_keys/@current/" if !self.old => Said::json(
                200,
                &json!({
                    "id": "k1", "label": "CI", "value": null, "mask_value": "phx_...SQ9B", "user_id": 7,
                    "scopes": scopes.split(' ').collect::<Vec<_>>(), "scoped_teams": [], "scoped_organizations": [],
                    "last_used_at": "2026-03-01T00:00:00Z", "last_rolled_at": null,
                }),
            ),
            "GET /api/users/@me/" if !scopes.contains("user:read") => lacks("user:read"),
            "GET /api/users/@me/" => Said::json(
                200,
                &json!({
                    "uuid": "018f-mia", "email": "mia@acme.example", "first_name": "Mia",
                    "organization": {"id": "org-acme"}, "organizations": [{"id": "org-acme", "name": "Acme"}],
                }),
            ),
            "GET /api/feature_flag/local_evaluation/" => Said::json(200, &json!({"flags": []})),
            "GET /api/organizations/org-acme/members/" if !scopes.contains("organization_member:read") => {
                lacks("organization_member:read")
            }
            "GET /api/organizations/org-acme/members/" => self.members(asked.query("offset") == Some("2")),
            _ => Said::nowhere(),
        }
    }
}

impl PostHog {
    /// Rolls a key: the old value is nobody's any more.
    fn roll(&mut self, token: &Value) -> Said {
        let token = token.as_str().unwrap_or_default();
        if self.throttled {
            return error(429, "throttled_error", "throttled", "Request was throttled.");
        }
        if token.trim().is_empty() || token.len() > 200 {
            return error(400, "validation_error", "invalid_input", "token");
        }
        if !self.keys.get(token).is_some_and(|key| key.rolls) {
            return Said::json(200, &json!({"found": false, "type": null}));
        }
        self.keys.remove(token);
        Said::json(200, &json!({"found": true, "type": "personal_api_key"}))
    }

    fn members(&self, second: bool) -> Said {
        let member = |level: u64, name: &str| json!({"level": level, "user": {"first_name": name, "email": format!("{name}@acme.example")}});
        let (page, next) = if second {
            (vec![member(15, "olga")], Value::Null)
        } else {
            let next = format!(
                "{}/api/organizations/org-acme/members/?limit=2&offset=2",
                self.base
            );
            (vec![member(8, "adam"), member(1, "mia")], Value::from(next))
        };
        Said::json(
            200,
            &json!({"count": 3, "next": next, "previous": null, "results": page}),
        )
    }
}

struct Cloud {
    us: Server<PostHog>,
    eu: Server<PostHog>,
}

impl Cloud {
    fn start() -> Self {
        Self {
            us: Server::start(region),
            eu: Server::start(region),
        }
    }

    /// A desk that knows both regions, with this key leaked.
    fn desk(&self, token: &str, rest: &str) -> Desk {
        let mut desk = Desk::new();
        let operator = operator();
        for server in [&self.us, &self.eu] {
            let scopes = "organization_member:read";
            server
                .play()
                .keys
                .insert(operator.clone(), Key { scopes, rolls: true });
        }
        desk.service("posthog", &[&self.us.base, &self.eu.base], &operator, "");
        desk.configure(rest);
        desk.leak("app/settings.py", &format!("POSTHOG_KEY = \"{token}\"\n"), token);
        desk
    }

    /// What was asked to be revoked, and where.
    fn changes(&self) -> (Vec<String>, Vec<String>) {
        (self.us.changes(), self.eu.changes())
    }
}

fn live(server: &Server<PostHog>, token: &str, scopes: &'static str) {
    server
        .play()
        .keys
        .insert(token.to_owned(), Key { scopes, rolls: true });
}

const REVOKE: &str =
    "[policy]\n[[policy.allow]]\nname = \"keys\"\naction = \"revoke\"\nservice = \"posthog\"\n";
const ROLL: &str = "POST /api/revoke_leaked_key";

#[test]
fn a_key_is_found_in_the_region_it_lives_in_and_its_owners_there() {
    for europe in [false, true] {
        let cloud = Cloud::start();
        let (home, other) = match europe {
            false => (&cloud.us, &cloud.eu),
            true => (&cloud.eu, &cloud.us),
        };
        let desk = cloud.desk(&personal(), "");
        live(home, &personal(), "user:read");
        let found = desk.only(&["--verify"]);
        assert_eq!(found["verdict"]["state"], "live", "{found}");
        assert_eq!(found["identity"]["base"], home.base, "{found}");
        assert_eq!(found["identity"]["email"], "mia@acme.example");
        assert_eq!(found["identity"]["organisations"], json!(["org-acme"]));
        let ran = desk.run_with(&["owners"], &personal());
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(
            ran.out.contains("olga <olga@acme.example>: owns an organisation"),
            "{}",
            ran.out
        );
        assert!(!ran.out.contains("adam"), "{}", ran.out);
        assert!(
            !other.was_shown("/", &operator()),
            "our credential went to the other region"
        );
        desk.holds_no_secret();
    }
}

#[test]
fn a_key_is_dead_only_where_both_regions_say_so_and_unknown_while_one_is_silent() {
    let cloud = Cloud::start();
    let desk = cloud.desk(&personal(), REVOKE);
    let found = desk.only(&["--verify", "--refresh"]);
    assert_eq!(found["verdict"]["state"], "dead", "{found}");
    assert_eq!(found["verdict"]["why"], "unknown-to-service", "{found}");
    cloud.eu.play().down = true;
    let found = desk.only(&["--verify", "--refresh"]);
    assert_eq!(found["verdict"]["state"], "unknown", "{found}");
    assert!(
        found["verdict"]["reason"]
            .as_str()
            .unwrap()
            .contains(&cloud.eu.base),
        "{found}"
    );
    let ran = desk.run_with(&["verify"], &personal());
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    let steps = desk.respond();
    assert!(
        steps.contains("what is not proved alive is never revoked"),
        "{steps}"
    );
    assert_eq!(cloud.changes(), (vec![], vec![]));
    desk.holds_no_secret();
}

#[test]
fn a_403_for_a_missing_scope_is_live() {
    let cloud = Cloud::start();
    live(&cloud.eu, &oauth(), "query:read");
    let desk = cloud.desk(&oauth(), "");
    let found = desk.only(&["--verify"]);
    assert_eq!(found["rule"], "posthog/oauth-access-token", "{found}");
    assert_eq!(found["verdict"]["state"], "live", "{found}");
    desk.holds_no_secret();
    // A personal key reads itself with any scope, and on releases that cannot say so it is a 403 of the same kind.
    live(&cloud.eu, &personal(), "query:read");
    for old in [false, true] {
        cloud.us.play().old = old;
        cloud.eu.play().old = old;
        let ran = desk.run_with(&["verify", "--format", "json"], &personal());
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        assert!(old || ran.out.contains("query:read"), "{}", ran.out);
    }
}

#[test]
fn a_key_is_rolled_by_whoever_holds_it_asked_for_in_both_regions_and_dead_everywhere() {
    let cloud = Cloud::start();
    let desk = cloud.desk(&personal(), REVOKE);
    live(&cloud.eu, &personal(), "user:read");
    let steps = desk.respond();
    assert!(steps.contains("revoke: done and proved"), "{steps}");
    assert_eq!(cloud.changes(), (vec![ROLL.to_owned()], vec![ROLL.to_owned()]));
    assert!(!cloud.us.was_shown("/api/revoke", "phx") && !cloud.eu.was_shown("/api/revoke", "phx"));
    assert!(!(cloud.us.urls() + &cloud.eu.urls()).contains(&personal()));
    for who in ["mia@acme.example", "olga@acme.example", "ada@example.com"] {
        desk.notice(who, "revoked");
    }
    let first = desk.notice("mia@acme.example", "revoked");
    assert!(
        first.contains(&format!("{}/settings/user-api-keys", cloud.eu.base)),
        "{first}"
    );
    let ran = desk.run_with(&["verify"], &personal());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let again = desk.respond();
    assert!(again.contains("dead"), "{again}");
    assert_eq!(cloud.changes().0.len() + cloud.changes().1.len(), 2);
    let ledger = desk.ledger().join("\n");
    for line in ["revocation-sending", "revocation-done", "closed"] {
        assert!(ledger.contains(line), "{line}\n{ledger}");
    }
    desk.holds_no_secret();
}

#[test]
fn a_team_secret_that_nobody_rolls_is_never_called_revoked() {
    let cloud = Cloud::start();
    let desk = cloud.desk(&team_secret(), REVOKE);
    let key = Key {
        scopes: "feature_flag:read",
        rolls: false,
    };
    cloud.us.play().keys.insert(team_secret(), key);
    let steps = desk.respond();
    assert!(steps.contains("alive (200"), "{steps}");
    assert!(steps.contains("revoke: refused"), "{steps}");
    assert!(steps.contains("without saying that it was done"), "{steps}");
    assert!(
        steps.contains(&format!("revoke it by hand: {}/settings/project", cloud.us.base)),
        "{steps}"
    );
    assert!(!steps.contains("done and proved"), "{steps}");
    assert_eq!(cloud.changes(), (vec![ROLL.to_owned()], vec![ROLL.to_owned()]));
    let ran = desk.run_with(&["verify"], &team_secret());
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(
        desk.notices()
            .iter()
            .all(|text| !text.contains("Subject: [unleak] revoked"))
    );
    // Refused once, it is not sent again by itself.
    desk.respond();
    assert_eq!(cloud.changes().0.len(), 1);
    desk.holds_no_secret();
}

#[test]
fn a_secret_key_that_was_rolled_is_not_called_dead_since_posthog_does_not_say_so() {
    let cloud = Cloud::start();
    let desk = cloud.desk(&team_secret(), "");
    live(&cloud.us, &team_secret(), "feature_flag:read");
    let ran = desk.run_with(&["revoke", "--yes"], &team_secret());
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("revoke: uncertain: the service accepted it"),
        "{}",
        ran.out
    );
    assert!(!cloud.us.play().keys.contains_key(&team_secret()));
    desk.holds_no_secret();
}

#[test]
fn a_region_that_throttles_the_home_of_a_key_leaves_it_alive_and_is_named() {
    let cloud = Cloud::start();
    let desk = cloud.desk(&personal(), "");
    live(&cloud.us, &personal(), "user:read");
    cloud.us.play().throttled = true;
    let ran = desk.run_with(&["revoke", "--yes"], &personal());
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains(&format!("{}: rate limited", cloud.us.base)),
        "{}",
        ran.out
    );
    assert!(
        !ran.out.contains("accepted") && ran.out.contains("revoke: put off"),
        "{}",
        ran.out
    );
    assert_eq!(cloud.changes(), (vec![ROLL.to_owned()], vec![ROLL.to_owned()]));
    // An hour later.
    cloud.us.play().throttled = false;
    let ran = desk.run_with(&["revoke", "--yes"], &personal());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    desk.holds_no_secret();
}

#[test]
fn a_project_token_is_information_and_never_asked_about() {
    let cloud = Cloud::start();
    let token = ["phc_", "CcqbCx4NWtBScGnngy06ec", "jdMD2NL92DG2ckfwDq0qK"].concat();
    let desk = cloud.desk(&personal(), REVOKE);
    desk.tool
        .write("web/index.html", format!("posthog.init('{token}')\n"));
    desk.tool.commit("front end", "2026-03-05");
    let ran = desk.run(&[
        "scan",
        ".",
        "--respond",
        "--only",
        "posthog/project-token",
        "--format",
        "jsonl",
    ]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(!ran.findings().is_empty() && ran.findings().iter().all(|found| found["severity"] == "info"));
    let ran = desk.run_with(&["revoke", "--yes"], &token);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert_eq!((cloud.us.seen(), cloud.eu.seen()), (vec![], vec![]));
    desk.holds_no_secret();
}
