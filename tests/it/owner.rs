//! Finding owners: the service's lists page by page, and a repository's CODEOWNERS.

use serde_json::json;
use unleak::call::{Caller, ServiceSettings};
use unleak::finding::CommitInfo;
use unleak::leak::Held;
use unleak::owner::{Found, OwnerSettings, find};
use unleak::rule::Rule;
use unleak::secret::Secret;
use wiremock::matchers::{header, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::held::{caller, held, rule, service, token};

const OWNERS: &str = r#"
[owners]
request = "GET {base}/orgs/{organisation}/members?query=role:owner"
headers = { Authorization = "Bearer {operator}" }
each = "/*"
where = { "/role" = "owner", "/pending" = false }
fields = { name = "/name", email = "/email" }
next = "link"
"#;

fn with_operator(server: &MockServer) -> ServiceSettings {
    let mut settings = service(&[server.uri()]);
    settings.credential = Some(Secret::new("admin-key".to_owned()));
    settings
}

async fn asked(caller: &Caller, rule: &Rule, held: &Held) -> Found {
    let found = find(caller, rule, held, &OwnerSettings::default(), None).await;
    assert!(!format!("{found:?}").contains(&token()));
    found
}

fn lines(found: &Found) -> Vec<String> {
    let line = |owner: &unleak::leak::Owner| {
        let email = owner.email.as_deref().unwrap_or("-");
        format!(
            "{:?} {} {email} {}",
            owner.reason,
            owner.name,
            owner.organisation.as_deref().unwrap_or("-")
        )
    };
    found.owners.iter().map(line).collect()
}

fn member(name: &str, role: &str, pending: bool) -> serde_json::Value {
    json!({"name": name, "email": format!("{name}@acme.example"), "role": role, "pending": pending})
}

#[tokio::test]
async fn owners_of_an_organisation_are_listed_over_all_pages_without_invited_and_plain_members() {
    let server = MockServer::start().await;
    let url = format!("{}/orgs/acme/members?query=role:owner&cursor=2", server.uri());
    let link = |results: &str| format!(r#"<{url}>; rel="next"; results="{results}"; cursor="2""#);
    let first = json!([
        member("olga", "owner", false),
        member("new", "owner", true),
        member("max", "member", false)
    ]);
    Mock::given(path("/orgs/acme/members"))
        .and(header("Authorization", "Bearer admin-key"))
        .and(query_param("query", "role:owner"))
        .and(query_param_is_missing("cursor"))
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("Link", link("true"))
                .set_body_json(first),
        )
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/orgs/acme/members"))
        .and(query_param("cursor", "2"))
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("Link", link("false"))
                .set_body_json(json!([member("otto", "owner", false)])),
        )
        .expect(1)
        .mount(&server)
        .await;
    let found = asked(&caller(with_operator(&server)), &rule(OWNERS), &held()).await;
    assert_eq!(
        lines(&found),
        [
            "TokenOwner mia - -",
            "OrganisationOwner olga olga@acme.example acme",
            "OrganisationOwner otto otto@acme.example acme",
        ]
    );
    assert_eq!(found.problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_list_that_goes_on_by_a_cursor_is_read_to_its_end() {
    let server = MockServer::start().await;
    let page = |names: &[&str], cursor: &str| {
        let members: Vec<_> = names.iter().map(|name| member(name, "owner", false)).collect();
        ResponseTemplate::new(200).set_body_json(json!({"members": members, "meta": {"next": cursor}}))
    };
    let first = Mock::given(path("/orgs/acme/members")).and(query_param_is_missing("cursor"));
    let first = first.respond_with(page(&["olga"], "a=b&c"));
    first.with_priority(2).expect(1).mount(&server).await;
    for (cursor, answer) in [("a=b&c", page(&["otto"], "3")), ("3", page(&["oda"], ""))] {
        let next = Mock::given(path("/orgs/acme/members"))
            .and(query_param("query", "role:owner"))
            .and(query_param("cursor", cursor));
        next.respond_with(answer).expect(1).mount(&server).await;
    }
    let cursor = r#"next = { cursor = { at = "/meta/next", parameter = "cursor" } }"#;
    let owners = OWNERS
        .replace(r#"next = "link""#, cursor)
        .replace(r#"each = "/*""#, r#"each = "/members/*""#);
    assert!(
        owners.contains(cursor) && owners.contains("/members/*"),
        "{owners}"
    );
    let found = asked(&caller(with_operator(&server)), &rule(&owners), &held()).await;
    let named: Vec<&str> = found.owners.iter().map(|owner| owner.name.as_str()).collect();
    assert_eq!(named, ["mia", "olga", "otto", "oda"]);
    assert_eq!(found.problems, Vec::<String>::new());
}

#[tokio::test]
async fn without_the_operators_credential_nobody_is_asked_and_the_setting_is_named() {
    let server = MockServer::start().await;
    let found = asked(&caller(service(&[server.uri()])), &rule(OWNERS), &held()).await;
    assert!(
        found.problems[0].contains("services.example.credential"),
        "{:?}",
        found.problems
    );
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_credential_that_may_not_list_members_is_said_and_the_others_still_hear() {
    let server = MockServer::start().await;
    Mock::given(path("/orgs/acme/members"))
        .respond_with(ResponseTemplate::new(403))
        .mount(&server)
        .await;
    let mut held = held();
    held.leak.identity.email = Some("mia@acme.example".to_owned());
    let found = asked(&caller(with_operator(&server)), &rule(OWNERS), &held).await;
    assert_eq!(lines(&found), ["TokenOwner mia mia@acme.example -"]);
    assert!(
        found.problems[0].contains("the service answered 403"),
        "{:?}",
        found.problems
    );
}

#[tokio::test]
async fn a_configured_organisation_is_asked_where_the_service_tells_none_and_at_most_ten_are() {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([member("olga", "owner", false)])))
        .mount(&server)
        .await;
    let (mut held, mut settings) = (held(), with_operator(&server));
    held.leak.identity.organisations.clear();
    settings.organisations = vec!["configured".to_owned()];
    let found = asked(&caller(settings), &rule(OWNERS), &held).await;
    assert_eq!(
        lines(&found)[1],
        "OrganisationOwner olga olga@acme.example configured"
    );
    held.leak.identity.organisations = (0..30).map(|n| format!("org{n}")).collect();
    asked(&caller(with_operator(&server)), &rule(OWNERS), &held).await;
    assert_eq!(server.received_requests().await.unwrap().len(), 11);
}

#[tokio::test]
async fn a_list_that_never_ends_or_goes_on_elsewhere_is_not_followed() {
    let server = MockServer::start().await;
    let rule = rule(
        &OWNERS
            .replace(r#"next = "link""#, r#"next = { json = "/next" }"#)
            .replace("/*", "/members/*"),
    );
    for (next, calls, problem) in [
        (
            format!("{}/orgs/acme/members?again=1", server.uri()),
            20,
            "more than 20 pages",
        ),
        ("http://127.0.0.1:1/orgs".to_owned(), 1, "another host"),
    ] {
        server.reset().await;
        let body = json!({"members": [member("olga", "owner", false)], "next": next});
        Mock::given(path("/orgs/acme/members"))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
        let found = asked(&caller(with_operator(&server)), &rule, &held()).await;
        assert!(found.problems[0].contains(problem), "{:?}", found.problems);
        assert_eq!(server.received_requests().await.unwrap().len(), calls);
    }
}

#[tokio::test]
async fn the_commits_author_and_the_files_owners_hear_too() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".github")).unwrap();
    std::fs::write(folder.path().join("CODEOWNERS"), "* @wrong-file\n").unwrap();
    std::fs::write(
        folder.path().join(".github/CODEOWNERS"),
        "* @everyone\n/src/ @acme/backend dev@acme.example\n",
    )
    .unwrap();
    let mut held = held();
    held.leak.identity.principal = None;
    held.leak.sightings[0].commit = Some(CommitInfo {
        id: "c0ffee".to_owned(),
        author: "Mia".to_owned(),
        email: "1+mia@users.noreply.github.com".to_owned(),
        date: jiff::Timestamp::UNIX_EPOCH,
    });
    let settings = OwnerSettings {
        fallback: vec!["security@acme.example".to_owned()],
        addresses: [("@acme/backend".to_owned(), "backend@acme.example".to_owned())].into(),
    };
    let caller = caller(ServiceSettings::default());
    let found = find(&caller, &rule(""), &held, &settings, Some(folder.path())).await;
    assert_eq!(
        lines(&found),
        [
            "Committer Mia - -",
            "CodeOwner @acme/backend backend@acme.example -",
            "CodeOwner dev@acme.example dev@acme.example -",
        ]
    );
    assert_eq!(found.problems, Vec::<String>::new());
}

#[cfg(unix)]
#[tokio::test]
async fn a_codeowners_file_that_is_a_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("CODEOWNERS")).unwrap();
    let caller = caller(ServiceSettings::default());
    let found = find(
        &caller,
        &rule(""),
        &held(),
        &OwnerSettings::default(),
        Some(folder.path()),
    )
    .await;
    assert!(
        found.problems[0].contains("CODEOWNERS is not a plain file"),
        "{:?}",
        found.problems
    );
}
