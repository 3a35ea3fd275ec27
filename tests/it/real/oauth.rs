//! RFC 7662 and RFC 7009 against node-oidc-provider.

use serde_json::Value;

use super::{Running, command, here, installed, text};
use crate::support::desk::Desk;

/// The server, a desk whose credential is the client `app`, and what the server told.
fn started() -> Option<(Running, Desk, Value)> {
    let modules = installed("oauth/node_modules")?;
    let mut node = command("node".as_ref());
    node.arg(here("tests/tools/servers/oauth.mjs")).arg(modules);
    let (running, told) = Running::telling(&mut node);
    let desk = Desk::new("");
    let credential = desk.key_file("client", &format!("app:{}", text(&told, "/clients/app")));
    desk.configure(&format!(
        "[services.oauth-server]\nbases = [\"{}/token\"]\ncredential_file = {credential:?}\nsettle_seconds = 3\n\
         values = {{ introspect = \"introspection\", revoke = \"revocation\" }}\n",
        text(&told, "/base")
    ));
    Some((running, desk, told))
}

fn verdict(desk: &Desk, token: &str) -> (i32, Value) {
    desk.keep_secret(token);
    let input = format!("OAUTH_ACCESS_TOKEN={token}\n");
    let ran = desk.ask(
        &[
            "verify",
            "--rule",
            "oauth-server/access-token",
            "--format",
            "json",
        ],
        input.as_bytes(),
    );
    (
        ran.code,
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err)),
    )
}

#[test]
fn a_token_of_a_certified_oauth_server_is_found_verified_revoked_and_seen_dead() {
    let Some((_running, desk, told)) = started() else {
        return;
    };
    let (token, sibling) = (text(&told, "/token"), text(&told, "/sibling"));
    desk.leak("settings.env", &format!("OAUTH_ACCESS_TOKEN={token}\n"), token);
    let finding = desk.only_finding(&["--verify", "--only", "oauth-server"]);
    assert_eq!(finding["verdict"]["state"], "live", "{finding}");
    assert_eq!(finding["identity"]["scopes"][0], "read");
    assert_eq!(finding["identity"]["more"]["client_id"], "app");

    let input = format!("OAUTH_ACCESS_TOKEN={token}\n");
    let ran = desk.ask(
        &["revoke", "--yes", "--rule", "oauth-server/access-token"],
        input.as_bytes(),
    );
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert!(ran.out.contains("done and proved (operator)"), "{}", ran.out);
    assert_eq!(verdict(&desk, token).0, 0, "dead");
    let (code, live) = verdict(&desk, sibling);
    assert_eq!(
        (code, &live["verdict"]["state"]),
        (1, &"live".into()),
        "a sibling of it lives on"
    );
}

/// RFC 7009 lets a server take a token from nobody but the client that it was given to.
#[test]
fn a_token_of_another_client_is_refused_and_said_to_be_alive() {
    let Some((_running, desk, told)) = started() else {
        return;
    };
    let token = text(&told, "/foreign");
    assert_eq!(verdict(&desk, token).0, 1);
    let input = format!("OAUTH_ACCESS_TOKEN={token}\n");
    let ran = desk.ask(
        &["revoke", "--yes", "--rule", "oauth-server/access-token"],
        input.as_bytes(),
    );
    assert_eq!(ran.code, 3, "{} {}", ran.out, ran.err);
    assert_eq!(
        verdict(&desk, token).0,
        1,
        "it lives on, and nothing else is claimed"
    );
}
