//! The embedded token service itself: the router that `unleak serve` serves, with its own SQLite file, asked by the
//! program like any other service.

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use unleak::server;
use unleak::token_service::audit::Actor;
use unleak::token_service::model::{Role, Scopes, Time};
use unleak::token_service::policy::OrganisationPolicy;
use unleak::token_service::{Holder, NewToken, ServerKey, TokenService};

use super::{allow, fingerprint, verdict};
use crate::support::desk::Desk;
use crate::support::local;

/// The service: ann owns acme, eve owns beta, bob is a member of both.
struct Played {
    base: String,
    service: TokenService,
    runtime: Runtime,
}

fn by() -> Actor {
    Actor::local("test")
}

impl Played {
    /// Its database lies in the desk's home, where it is searched with everything else.
    fn start(desk: &Desk) -> Self {
        let runtime = local::runtime();
        let url = format!("sqlite://{}/tokens.sqlite", desk.tool.home().display());
        let service = runtime.block_on(async {
            let service = TokenService::open(&url, ServerKey::new(&[7; 32]).unwrap())
                .await
                .unwrap();
            for slug in ["acme", "beta"] {
                service.add_organisation(slug, slug, &by()).await.unwrap();
            }
            for login in ["ann", "bob", "eve"] {
                let email = format!("{login}@example.com");
                service.add_user(login, &email, login, &by()).await.unwrap();
            }
            for (slug, login, role) in [
                ("acme", "ann", Role::Owner),
                ("acme", "bob", Role::Member),
                ("beta", "bob", Role::Member),
                ("beta", "eve", Role::Owner),
            ] {
                service.set_member(slug, login, role, &by()).await.unwrap();
            }
            service
        });
        let base = local::serve(&runtime, server::router(service.clone()));
        Self {
            base,
            service,
            runtime,
        }
    }

    fn token(&self, login: &str, scopes: &[&str], expires_at: Option<Time>) -> String {
        let asked = NewToken {
            holder: Holder::User(login.to_owned()),
            description: "for a test".to_owned(),
            scopes: Scopes::new(scopes).unwrap(),
            expires_at,
        };
        let created = self.runtime.block_on(self.service.create(&asked, &by())).unwrap();
        created.token.expose_str().unwrap().to_owned()
    }

    /// `POST /oauth/introspect` as somebody.
    fn introspect(&self, bearer: &str, token: &str) -> Value {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        self.runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = client
                .post(format!("{}/oauth/introspect", self.base))
                .bearer_auth(bearer)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(format!("token={token}"));
            let text = request.send().await.unwrap().text().await.unwrap();
            serde_json::from_str(&text).unwrap()
        })
    }
}

/// A desk and the service; ann's token is the operator's credential, bob's is leaked.
fn played(policy: &str) -> (Desk, Played, String, String) {
    let desk = Desk::new("");
    let played = Played::start(&desk);
    let operator = played.token("ann", &["members:read", "tokens:read", "tokens:revoke"], None);
    let credential = desk.key_file("unleak.token", &operator);
    desk.configure(&format!(
        "[services.unleak]\nbases = [\"{}\"]\ncredential_file = {credential:?}\nsettle_seconds = 2\n{policy}",
        played.base
    ));
    let leaked = played.token("bob", &["events:write"], None);
    desk.leak("deploy.toml", &format!("token = \"{leaked}\"\n"), &leaked);
    (desk, played, leaked, operator)
}

#[test]
fn a_members_token_is_revoked_by_possession_and_introspection_says_so() {
    let (desk, played, leaked, operator) = played(&allow("unleak", "revoke"));
    assert_eq!(played.introspect(&operator, &leaked)["active"], true);
    assert_eq!(played.introspect(&operator, &leaked)["username"], "bob");
    let finding = desk.only_finding(&["--verify"]);
    assert_eq!(verdict(&finding), "live", "{finding}");
    let identity = &finding["identity"];
    assert_eq!(
        (&identity["principal"], &identity["email"]),
        (&json!("bob"), &json!("bob@example.com"))
    );
    assert_eq!(identity["organisations"], json!(["acme", "beta"]));
    let owners = desk.ask(&["owners"], leaked.as_bytes());
    for line in [
        "bob <bob@example.com>: the token is theirs",
        "ann <ann@example.com>: owns an organisation that the token opens (acme)",
        "not asked: the owners of beta could not be listed: the service answered 404",
    ] {
        assert!(
            owners.out.lines().any(|said| said.starts_with(line)),
            "{line}: {}",
            owners.out
        );
    }
    let finding = desk.only_finding(&["--respond"]);
    assert_eq!(verdict(&finding), "dead", "{finding}");
    assert_eq!(finding["verdict"]["why"], "revoked");
    assert_eq!(played.introspect(&operator, &leaked), json!({ "active": false }));
    for owner in ["bob", "ann"] {
        let to = format!("To: {owner} <");
        let told = desk.outbox().iter().filter(|text| text.starts_with(&to)).count();
        assert_eq!(told, 1, "{owner} hears once of the leak and of its end");
    }
    assert_eq!(desk.ask(&["verify"], leaked.as_bytes()).code, 0);
}

#[test]
fn an_owner_stops_a_members_token_for_their_organisation_and_it_lives_on_elsewhere() {
    let (desk, played, leaked, operator) = played("");
    let finding = desk.only_finding(&["--respond"]);
    let name = fingerprint(&finding);
    let planned = desk.run(&["revoke", &name, "--contain"]);
    assert!(
        planned.out.contains("blocks the token from the organisation"),
        "{}",
        planned.out
    );
    assert_eq!(planned.code, 3);
    let done = desk.run(&["revoke", &name, "--contain", "--yes"]);
    assert_eq!(done.code, 0, "{} {}", done.out, done.err);
    assert!(done.out.contains("contain: done and proved ("), "{}", done.out);
    assert!(
        done.out.contains("not in beta: the service answered 404"),
        "{}",
        done.out
    );
    let after = desk.run(&["verify", &name]);
    assert_eq!(after.code, 1, "it is alive: {}", after.out);
    assert!(after.out.contains("organisations: beta\n"), "{}", after.out);
    assert_eq!(
        played.introspect(&operator, &leaked),
        json!({ "active": false }),
        "for acme it is gone"
    );
    assert_eq!(
        played.introspect(&leaked, &leaked)["organisations"],
        json!(["beta"])
    );
    let heard = desk
        .outbox()
        .into_iter()
        .filter(|text| text.starts_with("To: ann <"))
        .count();
    assert_eq!(heard, 2, "of the leak, and of the containment");
    let log = played.runtime.block_on(played.service.audit_log()).unwrap();
    assert_eq!(log.iter().filter(|line| line.action == "token.block").count(), 1);
}

#[test]
fn an_organisation_that_refuses_user_tokens_is_out_of_reach_and_the_token_still_ends() {
    let (desk, played, leaked, _) = played(&allow("unleak", "revoke"));
    let refusing = OrganisationPolicy {
        refuse_user_tokens: true,
        ..OrganisationPolicy::default()
    };
    played
        .runtime
        .block_on(played.service.set_policy("acme", &refusing, &by()))
        .unwrap();
    let asked = desk.ask(&["verify"], leaked.as_bytes());
    assert_eq!(asked.code, 1, "{}", asked.out);
    assert!(asked.out.contains("organisations: beta\n"), "{}", asked.out);
    let owners = desk.ask(&["owners"], leaked.as_bytes());
    assert!(!owners.out.contains("ann"), "acme is not reached: {}", owners.out);
    played
        .runtime
        .block_on(played.service.set_policy("beta", &refusing, &by()))
        .unwrap();
    let finding = desk.only_finding(&["--verify"]);
    assert_eq!(
        verdict(&finding),
        "live",
        "no organisation takes it, and it is not dead: {finding}"
    );
    let finding = desk.only_finding(&["--respond"]);
    assert_eq!(verdict(&finding), "dead", "{finding}");
}

#[test]
fn the_service_says_why_a_token_is_dead() {
    let (desk, played, leaked, _) = played("");
    let expired = played.token("eve", &["events:write"], Some(Time::now().plus_days(1)));
    desk.keep_secret(&expired);
    let pool = format!("sqlite://{}/tokens.sqlite", desk.tool.home().display());
    played.runtime.block_on(async {
        let pool = sqlx::SqlitePool::connect(&pool).await.unwrap();
        let aged = sqlx::query("UPDATE tokens SET expires_at = created_at - 1 WHERE expires_at IS NOT NULL");
        assert_eq!(aged.execute(&pool).await.unwrap().rows_affected(), 1);
        pool.close().await;
        played.service.set_user_active("bob", false, &by()).await.unwrap();
    });
    let unknown = ["unlu_", "Ky9Pf34qY6Nb3wWD25RQ4F5ZR3qa7y", "3gm1IL"].concat();
    desk.keep_secret(&unknown);
    for (token, why) in [
        (&leaked, "dead, owner disabled"),
        (&expired, "dead, expired"),
        (&unknown, "dead, unknown to the service"),
    ] {
        let asked = desk.ask(&["verify"], token.as_bytes());
        assert_eq!(asked.code, 0, "{why}: {} {}", asked.out, asked.err);
        assert!(asked.out.contains(why), "{why}: {}", asked.out);
    }
}

#[test]
fn without_a_base_the_token_is_sent_nowhere() {
    let (desk, _played, leaked, _) = played("");
    desk.configure("");
    let asked = desk.ask(&["verify"], leaked.as_bytes());
    assert_eq!(asked.code, 3, "{}", asked.out);
    assert!(asked.out.contains("set services.unleak.bases"), "{}", asked.out);
}
