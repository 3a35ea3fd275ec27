//! `unleak token` and `unleak serve`, as the command line parses and runs them.

use clap::Parser;
use unleak::cli::token::{TokenArgs, run};
use unleak::token_service::Settings;

use super::{Desk, KEY, Shared, desk, slugs};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: TokenArgs,
}

async fn token(desk: &Desk, words: &[&str]) -> Result<String, String> {
    let line = std::iter::once("token").chain(words.iter().copied());
    let args = Line::try_parse_from(line)
        .map_err(|error| error.to_string())?
        .args;
    let mut out = Vec::new();
    run(args, &desk.database(), &KEY, &Settings::default(), &mut out)
        .await
        .map_err(|error| format!("{error:#}"))?;
    Ok(String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn from_nothing_to_a_token_that_works_and_back() {
    let desk = desk().await;
    for words in [
        ["organisation", "create", "corp", "--name", "Corp"].as_slice(),
        &[
            "user",
            "create",
            "kim",
            "--email",
            "kim@example.com",
            "--name",
            "Kim",
        ],
        &["member", "add", "corp", "kim", "--role", "owner"],
        &["project", "create", "corp", "site", "--name", "Site"],
    ] {
        token(&desk, words).await.unwrap();
    }
    let words = [
        "create",
        "--project",
        "corp/site",
        "--scope",
        "events:write",
        "--description",
        "site",
        "--expires-in",
        "90d",
    ];
    let printed = token(&desk, &words).await.unwrap();
    let text = printed.trim_end();
    assert_eq!(
        (text.len(), printed.lines().count()),
        (41, 1),
        "the token stands alone"
    );
    let seen = desk.ask(text).await;
    assert_eq!(slugs(&seen, "organisations"), ["corp"]);
    assert!(seen.json()["expires_at"].is_string());
    let id = seen.json()["id"].as_str().unwrap().to_owned();
    let listed = token(&desk, &["list", "--organisation", "corp"]).await.unwrap();
    assert!(listed.contains(&id) && listed.contains("live"), "{listed}");
    assert!(!listed.contains(text), "it is shown once");
    let revoked = token(&desk, &["revoke", &id, "--cause", "leaked"]).await.unwrap();
    assert_eq!(revoked, format!("revoked {id}\n"));
    let again = token(&desk, &["revoke", &id, "--cause", "leaked"]).await.unwrap();
    assert!(again.contains("already"), "{again}");
    assert_eq!(desk.ask(text).await.status, 401);
    let log = token(&desk, &["audit"]).await.unwrap();
    assert!(
        log.contains(&format!("token.revoke {id} in corp by command line: leaked")),
        "{log}"
    );
    let verified = token(&desk, &["audit", "--verify"]).await.unwrap();
    assert!(
        verified.starts_with("the audit log is whole; its end is "),
        "{verified}"
    );
}

#[tokio::test]
async fn what_a_token_needs_is_asked_for() {
    let desk = desk().await;
    for (line, told) in [
        ("create --user ann --scope a:b", "--description"),
        ("create --user ann --description x", "--scope"),
        ("create --scope a:b --description x", "--user"),
        (
            "create --organisation acme --scope a:b --description x",
            "--reason",
        ),
        (
            "create --user nobody --scope a:b --description x",
            "unleak token user list",
        ),
        ("create --user ann --scope A:B --description x", "members:read"),
        (
            "create --user ann --scope a:b --description=",
            "a description is required",
        ),
        (
            "create --user ann --scope a:b --description x --expires-in soon",
            "90d",
        ),
        (
            "create --user ann --scope a:b --description x --expires-in 0d",
            "in the past",
        ),
        (
            "create --project shop --scope a:b --description x",
            "ORGANISATION/PROJECT",
        ),
        (
            "user create ann --email a@b.example --name A",
            "already a user ann",
        ),
        ("user create kim --email nowhere --name Kim", "no e-mail address"),
        ("revoke nosuchtoken --cause x", "unleak token list"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let error = token(&desk, &words).await.unwrap_err();
        assert!(error.contains(told), "{line}: {error}");
    }
    assert!(
        desk.service.tokens().await.unwrap().is_empty(),
        "nothing was made"
    );
}

#[tokio::test]
async fn a_review_names_what_speaks_against_each_living_token_and_spares_the_rest() {
    let desk = desk().await;
    let idle = desk.user_token("bob", &["events:write"]).await;
    let admin = desk.user_token("ann", &["admin"]).await;
    let gone = desk.user_token("dan", &["admin"]).await;
    desk.form("/oauth/revoke", "", &format!("token={}", gone.text))
        .await;
    desk.ask(&admin.text).await;
    desk.meddle(
        "UPDATE tokens SET created_at = created_at - 91 * 86400 WHERE id = $1",
        &idle.id,
    )
    .await;
    let wide = desk.user_token("dan", &["members:read", "tokens:read"]).await;
    desk.get("/api/v1/organisations/acme/members", &wide.text).await;
    desk.service.write_uses().await.unwrap();
    let words = [
        "create",
        "--project",
        "acme/shop",
        "--scope",
        "events:write",
        "--description",
        "good",
        "--expires-in",
        "30d",
    ];
    token(&desk, &words).await.unwrap();
    let review = token(&desk, &["review", "--organisation", "acme"]).await.unwrap();
    let about = |id: &str| {
        let from = review
            .split_once(id)
            .unwrap_or_else(|| panic!("{id} is missing in {review}"))
            .1;
        let lines = from.lines().skip(1).take_while(|line| line.starts_with("    "));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert!(about(&idle.id).contains("never used in 90 days") && about(&idle.id).contains("no expiry"));
    assert!(about(&admin.id).contains("admin scopes (admin)") && !about(&admin.id).contains("never used"));
    assert!(
        about(&wide.id).contains("scopes never used (tokens:read)"),
        "{review}"
    );
    assert!(review.ends_with("tokens to look at: 3\n"), "{review}");
}

#[tokio::test]
async fn a_policy_is_tried_dry_before_it_stops_anything() {
    let desk = desk().await;
    let bob = desk.user_token("bob", &["events:write"]).await;
    let words = ["policy", "set", "acme", "--refuse-user-tokens", "true"];
    let dry = token(&desk, &[words.as_slice(), &["--dry-run"]].concat())
        .await
        .unwrap();
    assert!(
        dry.contains(&bob.id) && dry.contains("turned away: 1, of them used here in the last 90 days: 0")
    );
    assert_eq!(slugs(&desk.ask(&bob.text).await, "refused"), Vec::<String>::new());
    token(&desk, &words).await.unwrap();
    assert_eq!(slugs(&desk.ask(&bob.text).await, "refused"), ["acme"]);
    let shown = token(&desk, &["policy", "set", "acme", "--expiry-required", "true"])
        .await
        .unwrap();
    assert!(
        shown.contains("\"refuse_user_tokens\": true"),
        "what is not named stays: {shown}"
    );
}

#[tokio::test]
async fn the_log_is_exported_line_by_line_and_an_edited_or_missing_line_is_named() {
    let desk = desk().await;
    let exported = token(&desk, &["audit", "--jsonl"]).await.unwrap();
    let lines = exported
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let numbers: Vec<i64> = lines.map(|line| line["number"].as_i64().unwrap()).collect();
    assert!(
        numbers.len() > 5 && numbers.iter().copied().eq(1..=numbers.len() as i64),
        "{exported}"
    );
    assert!(exported.contains(r#""action":"member.set-owner","subject":"ann","organisation":"acme""#));
    let verify: &[&str] = &["audit", "--verify"];
    let whole = token(&desk, verify).await.unwrap();
    let head = whole.rsplit(' ').next().unwrap().trim().to_owned();
    desk.service
        .add_project("acme", "more", "More", &super::by())
        .await
        .unwrap();
    token(&desk, &[verify, &["--head", &head]].concat())
        .await
        .unwrap();
    let edit = "UPDATE token_audit SET subject = $1 WHERE number = 3";
    desk.meddle(edit, "somebody-else").await;
    let broken = token(&desk, verify).await.unwrap_err();
    assert!(
        broken.contains("edited, or a line is missing, at line 3"),
        "{broken}"
    );
    desk.meddle("DELETE FROM token_audit WHERE number = 2 AND subject <> $1", "-")
        .await;
    let missing = token(&desk, verify).await.unwrap_err();
    assert!(
        missing.contains("missing, at line 2") || missing.contains("missing, at line 3"),
        "{missing}"
    );
}

#[tokio::test]
async fn a_review_is_written_as_text_json_and_html() {
    let desk = desk().await;
    let idle = desk.user_token("bob", &["events:write"]).await;
    let text = token(&desk, &["review"]).await.unwrap();
    assert!(
        text.contains(&idle.id) && text.ends_with("tokens to look at: 1\n"),
        "{text}"
    );
    let json = token(&desk, &["review", "--format", "json"]).await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["tokens"][0]["findings"][0]["finding"], "no-expiry", "{json}");
    let page = token(&desk, &["review", "--format", "html"]).await.unwrap();
    assert!(
        page.starts_with("<!doctype html>") && page.contains(&idle.id),
        "{page}"
    );
}

#[tokio::test]
async fn a_server_that_is_asked_to_stop_answers_what_it_began_and_ends() {
    let desk = desk().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
    let router = unleak::server::router(desk.service.clone());
    let served = tokio::spawn(unleak::server::serve(listener, router, async move {
        let _told = stopping.await;
    }));
    let url = format!("http://{address}/readyz");
    assert_eq!(desk.client.get(&url).send().await.unwrap().status(), 200);
    stop.send(()).unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(30), served).await;
    ended.expect("it ends").unwrap().unwrap();
    assert!(
        desk.client.get(&url).send().await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn serve_says_where_it_listens_and_answers_there() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    let text = format!(
        "[store]\nurl = \"sqlite://{at}/l.db\"\nkey_file = \"{at}/l.key\"\n\
         [serve]\nstore = \"sqlite://{at}/t.db\"\nkey_file = \"{at}/t.key\"\n"
    );
    let context = unleak::cli::Context {
        config: unleak::config::Config::parse(&text, "a test").unwrap(),
        rules: unleak::rule::RuleSet::empty(),
        quiet: false,
        traces: None,
    };
    let args = unleak::cli::serve::ServeArgs {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        store: None,
        workers: Some(1),
        explain_policy: false,
    };
    let mut out = Shared::default();
    let seen = out.clone();
    let asking = async {
        let line = loop {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            let text = String::from_utf8(seen.0.lock().unwrap().clone()).unwrap();
            if text.ends_with('\n') {
                break text;
            }
        };
        let base = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        super::client()
            .get(format!("{base}/healthz"))
            .send()
            .await
            .unwrap()
            .status()
    };
    tokio::select! {
        ended = unleak::cli::serve::run(args, context, &mut out) => panic!("it ended: {ended:?}"),
        status = asking => assert_eq!(status, 200),
    }
}
