//! What is kept, and what must never be found: a token in clear.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use unleak::token_service::{Denied, Error, ServerKey, TokenService};

use super::{Shared, desk, operator};

#[tokio::test]
async fn the_database_holds_no_token_in_clear_and_is_readable_by_its_owner_alone() {
    let desk = desk().await;
    let held = [
        desk.user_token("bob", &["events:write"]).await,
        desk.project_token(&["events:write"]).await,
        desk.organisation_token("acme", &["members:read"]).await,
    ];
    for token in &held {
        desk.ask(&token.text).await;
        desk.introspect(&operator(), &token.text).await;
    }
    desk.form("/oauth/revoke", "", &format!("token={}", held[0].text))
        .await;
    let found = |needle: &[u8]| {
        let files = std::fs::read_dir(desk.folder.path()).unwrap();
        let mut names = Vec::new();
        for file in files {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            if memchr::memmem::find(&bytes, needle).is_some() {
                names.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
        names
    };
    assert!(
        !found(held[0].id.as_bytes()).is_empty(),
        "the search itself works"
    );
    for token in &held {
        // the body alone, so that a stored prefix would not hide it
        assert_eq!(found(&token.text.as_bytes()[5..]), Vec::<String>::new());
    }
    assert_eq!(found(operator().as_bytes()), Vec::<String>::new());
    #[cfg(unix)]
    {
        let data = std::fs::metadata(desk.folder.path().join("tokens.db")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&data.permissions());
        assert_eq!(mode & 0o077, 0);
    }
}

/// One request without an HTTP client.
async fn raw(base: &str, method: &str, path: &str, bearer: &str, form: &str) -> String {
    let host = base.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let length = form.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: Bearer {bearer}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_most_talkative_log_holds_no_token() {
    let log = Shared::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // with one subscriber alive, a place that first logs on another test's thread is silenced for all; with two it is not
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let _guard = tracing::subscriber::set_default(subscriber);
    let desk = desk().await;
    let token = desk.user_token("bob", &["events:write"]).await;
    let body = &token.text[5..];
    // an HTTP client's own log is not ours: bytes are sent without one
    for (method, path, form) in [
        ("GET", "/api/v1/token".to_owned(), String::new()),
        (
            "GET",
            format!("/api/v1/token?access_token={}", token.text),
            String::new(),
        ),
        ("GET", format!("/nowhere/{}", token.text), String::new()),
        (
            "POST",
            "/oauth/introspect".to_owned(),
            format!("token={}", token.text),
        ),
        (
            "POST",
            "/oauth/revoke".to_owned(),
            format!("token={}", token.text),
        ),
        ("POST", "/oauth/revoke".to_owned(), format!("tok={}", token.text)),
        ("GET", "/api/v1/token".to_owned(), String::new()),
    ] {
        let answer = raw(&desk.base, method, &path, &token.text, &form).await;
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
        assert!(!answer.contains(body), "no answer repeats a token");
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        text.contains("a token that has ended was presented"),
        "the log was caught"
    );
    assert!(text.contains("/oauth/revoke"), "requests were caught");
    assert!(!text.contains(body), "a token stands in the log");
}

#[tokio::test]
async fn a_token_survives_a_restart_and_a_key_file_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token.key");
    let url = format!("sqlite://{}/t.db", folder.path().display());
    let open = async || {
        TokenService::open(&url, ServerKey::read_or_create(&path).unwrap())
            .await
            .unwrap()
    };
    let service = open().await;
    service
        .add_user("ann", "ann@example.com", "Ann", &super::by())
        .await
        .unwrap();
    let asked = unleak::token_service::NewToken {
        holder: unleak::token_service::Holder::User("ann".into()),
        description: "laptop".into(),
        scopes: unleak::token_service::model::Scopes::new(["events:write"]).unwrap(),
        expires_at: None,
    };
    let created = service.create(&asked, &super::by()).await.unwrap();
    service.close().await;
    let service = open().await;
    assert_eq!(service.accept(&created.token).await.unwrap().token.id, created.id);
    let altered = unleak::secret::Secret::new("unlu_");
    assert!(matches!(
        service.accept(&altered).await,
        Err(Error::Denied(Denied::Unknown))
    ));
}

#[test]
fn no_statement_deletes_anything_but_the_names_of_old_requests_and_what_ended_of_sessions_and_sign_ins() {
    fn statements(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                statements(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap().to_uppercase();
            let wrong = ["DELETE FROM ", "TRUNCATE ", "DROP TABLE ", "REPLACE INTO "];
            let lines = text
                .lines()
                .filter(|line| wrong.iter().any(|word| line.contains(word)));
            found.extend(lines.map(|line| line.trim().to_owned()));
        }
    }
    let mut found = Vec::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/token_service");
    statements(&folder, &mut found);
    found.sort();
    assert_eq!(
        found,
        [
            // a table of sessions that was made anew
            "DROP TABLE SESSIONS_BEFORE;",
            r#"SQL("DELETE FROM IDEMPOTENCY_KEYS WHERE CREATED_AT < $1")"#,
            r#"SQL("DELETE FROM SESSIONS WHERE ENDS_AT < $1")"#,
            r#"SQL("DELETE FROM SIGN_INS WHERE ENDS_AT < $1")"#,
        ],
        "tokens and what became of them are kept"
    );
}
