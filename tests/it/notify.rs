//! What owners are told: real SMTP and HTTP on loopback, real files.

use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use unleak::finding::{Confidence, RuleCard};
use unleak::leak::{DeadWhy, Held, Owner, OwnerReason, Revocation, Verdict};
use unleak::notify::{About, Channel, Delivery, Message, Notifier, Settings};
use unleak::secret::{Secret, mac_sha256};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::store::{held, owner, sighting};

fn card() -> RuleCard {
    let leak = held("a").leak;
    RuleCard {
        id: leak.rule,
        title: "Example token".to_owned(),
        service: "Example".to_owned(),
        docs: "https://docs.example.com/tokens".to_owned(),
        page: Some("https://example.com/settings/tokens".to_owned()),
        severity: leak.severity,
        confidence: Confidence::High,
    }
}

fn alive() -> Held {
    let mut held = held("a");
    held.leak.verdict = Some(Verdict::Live {
        reason: "200".to_owned(),
    });
    held.leak.identity.principal = Some("ada".to_owned());
    held.leak.identity.organisations = vec!["acme".to_owned(), "umbrella".to_owned()];
    held.leak.identity.scopes = vec!["repo".to_owned()];
    held
}

fn message_for(held: &Held, owner: &Owner) -> Message {
    Message::new(&About {
        leak: &held.leak,
        owner,
        card: &card(),
        planned: "no policy entry allows more than telling people",
        containment: Some("removes the member from the organisation"),
    })
}

fn settings(text: &str) -> Settings {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn refused(text: &str) -> String {
    match Notifier::new(&settings(text)) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => format!("{error:#}"),
    }
}

fn failure(deliveries: &[Delivery]) -> &str {
    match deliveries {
        [Delivery { result: Err(why), .. }] => why,
        other => panic!("{other:?}"),
    }
}

/// The signing key and its written form.
fn signing() -> ([u8; 32], String) {
    let key = [9_u8; 32];
    (key, ["whsec", "_", &STANDARD.encode(key)].concat())
}

// --- the text -------------------------------------------------------------------------------------------------------

#[test]
fn an_owner_reads_why_they_hear_what_leaked_where_and_what_to_do() {
    let mut organisation_owner = owner("grace");
    organisation_owner.reason = OwnerReason::OrganisationOwner;
    organisation_owner.organisation = Some("acme".to_owned());
    let message = message_for(&alive(), &organisation_owner);
    insta::assert_snapshot!(message.subject, @"[unleak] high: leaked Example token exp_…wQ7w");
    insta::assert_snapshot!(message.body, @r"
    Hello grace,

    this is unleak, which looks for leaked tokens. It found one, and tells you
    because you own the organisation acme, which the token opens.

    What leaked
      Example token, severity high
      exp_…wQ7w
      rule example/token, fingerprint be02aa45e8f2690b92e9a018184d7af6

    Where
      src/a.rs:3:7 in commit c0ffeec0ffee… of 2024-02-03 by Ada
      <ada@example.com>

    What Example says
      The token is alive (200).
      Owner: ada
      Organisations: acme, umbrella
      Scopes: repo

    What was or will be done
      Nothing has been done to the token yet.
      Decision: no policy entry allows more than telling people.

    What you should do now
      - Revoke the token by hand: https://example.com/settings/tokens
      - If you cannot revoke it, your organisation can still do this: removes
        the member from the organisation
      - Put a new token in its place wherever this one is used, from a secret
        store and not from a file in a repository.
      - Look for use of the token that was not yours, from the day it got out.
        Taking the line out of the file does not help: whoever has read it still
        has it.

    You cannot answer this message; it was made by a machine. The token itself
    is not in it, and nobody from unleak will ever ask you for it.
    ");
}

#[test]
fn an_owner_of_a_revoked_token_reads_that_it_is_dead() {
    let mut held = alive();
    held.leak.verdict = Some(Verdict::Dead {
        why: DeadWhy::Revoked,
        reason: "401".to_owned(),
    });
    held.leak.revocation = Some(Revocation::Done {
        with: "secret".to_owned(),
    });
    held.leak.identity = unleak::leak::Identity::default();
    let message = message_for(&held, &owner("ada"));
    assert_eq!(message.kind.name(), "leak.revoked");
    assert!(
        message
            .subject
            .starts_with("[unleak] revoked: leaked Example token exp_")
    );
    for line in [
        "It found one that is now\ndead, and tells you because the token is yours.",
        "The token is dead: revoked (401).",
        "The revocation is done and proved (by way of: secret).",
    ] {
        assert!(message.body.contains(line), "{line}\n{}", message.body);
    }
    assert!(
        !message.body.contains("Organisations:"),
        "nothing is known of them: {}",
        message.body
    );
    assert_ne!(
        message.id,
        message_for(&alive(), &owner("ada")).id,
        "another event than the finding"
    );
}

#[test]
fn an_owner_of_a_contained_token_reads_that_it_is_still_alive() {
    let mut held = alive();
    held.leak.containment = Some(Revocation::Done {
        with: "containment".to_owned(),
    });
    let message = message_for(&held, &owner("ada"));
    assert_eq!(message.kind.name(), "leak.contained");
    assert!(message.body.contains("is still alive"), "{}", message.body);
}

#[test]
fn a_message_has_the_same_name_whenever_it_is_made_and_another_for_another_owner() {
    let held = alive();
    let one = message_for(&held, &owner("ada"));
    assert_eq!(one.id, message_for(&held, &owner("ada")).id);
    assert_ne!(one.id, message_for(&held, &owner("grace")).id);
    assert_ne!(one.id, message_for(&crate::store::held("b"), &owner("ada")).id);
}

#[test]
fn no_message_holds_the_secret_an_open_placeholder_or_a_long_line() {
    let mut held = alive();
    for (verdict, page) in [
        (
            Some(Verdict::Live {
                reason: "200".to_owned(),
            }),
            None,
        ),
        (
            Some(Verdict::unknown("the service did not answer")),
            Some("https://example.com/x"),
        ),
        (None, None),
    ] {
        held.leak.verdict = verdict;
        let mut card = card();
        card.page = page.map(str::to_owned);
        for reason in [
            OwnerReason::TokenOwner,
            OwnerReason::Committer,
            OwnerReason::CodeOwner,
            OwnerReason::Fallback,
        ] {
            let owner = Owner {
                reason,
                ..owner("ada")
            };
            let about = About {
                leak: &held.leak,
                owner: &owner,
                card: &card,
                planned: "",
                containment: None,
            };
            let message = Message::new(&about);
            let all = format!("{} {} {}", message.subject, message.body, message.data);
            assert!(!all.contains(held.secret.expose_str().unwrap()));
            assert!(
                !message.body.contains('{') && !message.body.contains('}'),
                "{}",
                message.body
            );
            assert!(
                message.body.lines().all(|line| line.chars().count() <= 76),
                "{}",
                message.body
            );
            assert_eq!(
                message.body.contains("https://docs.example.com/tokens"),
                page.is_none()
            );
        }
    }
}

/// Foreign text at its worst: in the path, the names, the service's words.
fn hostile() -> (Held, Owner) {
    let nasty =
        "x\r\nBcc: victim@example.com\r\n\r\n.\r\nRCPT TO:<victim@example.com>\r\n\u{1b}[2J\u{202e}{page}\0";
    let mut held = alive();
    held.leak.sightings[0].path = nasty.to_owned();
    let commit = held.leak.sightings[0].commit.as_mut().unwrap();
    commit.author = nasty.to_owned();
    commit.email = nasty.to_owned();
    held.leak.verdict = Some(Verdict::Live {
        reason: nasty.to_owned(),
    });
    held.leak.identity.principal = Some(nasty.to_owned());
    held.leak.identity.organisations = vec![nasty.to_owned(); 100];
    held.leak.redacted = nasty.to_owned();
    (
        held,
        Owner {
            name: nasty.to_owned(),
            organisation: Some(nasty.to_owned()),
            ..owner("ada")
        },
    )
}

#[test]
fn foreign_text_ends_no_line_and_reaches_no_terminal() {
    let (held, owner) = hostile();
    let message = message_for(&held, &owner);
    assert!(
        !message.subject.contains(char::is_control),
        "{:?}",
        message.subject
    );
    assert!(
        !message
            .body
            .contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}')
    );
    let begins = |word: &str| message.body.lines().any(|line| line.trim().starts_with(word));
    assert!(
        !begins("Bcc:") && !begins("RCPT") && !begins("."),
        "{}",
        message.body
    );
    assert!(
        message.body.contains("{page}"),
        "what a value holds is not filled again"
    );
}

#[test]
fn the_form_for_machines_stays_small_whatever_comes_from_outside() {
    let mut held = alive();
    let long = "\u{1f600}".repeat(5000);
    held.leak.sightings = (0..500).map(|line| sighting(&long, line)).collect();
    for sighting in &mut held.leak.sightings {
        sighting.commit.as_mut().unwrap().author = long.clone();
    }
    held.leak.identity.scopes = vec![long.clone(); 500];
    held.leak.identity.organisations = vec![long.clone(); 500];
    held.leak.verdict = Some(Verdict::unknown(long.clone()));
    let message = message_for(
        &held,
        &Owner {
            name: long,
            ..owner("ada")
        },
    );
    let size = message.data.to_string().len();
    assert!(size < 18_500, "{size}");
    assert_eq!(message.data["sightings_in_all"], 500);
    assert!(message.body.len() < 60_000, "{}", message.body.len());
    assert!(message.body.contains("and 488 more places"));
}

// --- the folder -----------------------------------------------------------------------------------------------------

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_outbox_takes_one_whole_file_per_notice_and_stays_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("out/box");
    let notifier = Notifier::new(&settings(&format!("outbox = {outbox:?}"))).unwrap();
    let mut away = owner("../../../../tmp/x");
    away.email = None;
    assert_eq!(notifier.channels(&away), [Channel::Outbox]);
    let mut held = alive();
    let message = message_for(&held, &away);
    for _ in 0..2 {
        let sent = notifier.send(&message, &[Channel::Outbox]).await;
        assert!(sent[0].result.is_ok(), "{sent:?}");
    }
    // Rule ids come from rule files, which a user may load from anywhere.
    held.leak.rule = unleak::finding::RuleId::new("../..", "../../../etc/passwd");
    notifier
        .send(&message_for(&held, &away), &[Channel::Outbox])
        .await;
    let names = files(&outbox);
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names
            .iter()
            .all(|name| name.ends_with(".txt") && !name.starts_with('.')),
        "{names:?}"
    );
    assert_eq!(files(folder.path()), ["out"]);
    let name = names.iter().find(|name| name.contains("example-token")).unwrap();
    let text = std::fs::read_to_string(outbox.join(name)).unwrap();
    assert!(
        text.starts_with("To: ../../../../tmp/x <no address known>\nSubject: [unleak] high: leaked"),
        "{text}"
    );
    assert!(text.contains("src/a.rs:3:7 in commit c0ffeec0ffee"), "{text}");
}

// --- mail -----------------------------------------------------------------------------------------------------------

/// A small mail server: what it was told, and whether it takes mail.
async fn mail_server(takes: bool) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                write.write_all(b"220 test\r\n").await.unwrap();
                let mut in_mail = false;
                while let Ok(Some(line)) = lines.next_line().await {
                    told.lock().unwrap().push(line.clone());
                    let answer = match (in_mail, line.split([' ', ':']).next().unwrap_or_default()) {
                        (true, _) if line == "." => {
                            in_mail = false;
                            "250 taken\r\n"
                        }
                        (true, _) => continue,
                        (false, "DATA") => {
                            in_mail = true;
                            "354 go on\r\n"
                        }
                        (false, "RCPT") if !takes => "550 5.1.1 no such user\r\n",
                        (false, "QUIT") => "221 bye\r\n",
                        (false, _) => "250 fine\r\n",
                    };
                    if write.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, heard)
}

fn by_mail(port: u16, tls: &str) -> Settings {
    settings(&format!(
        "[email]\nhost = \"127.0.0.1\"\nport = {port}\nfrom = \"unleak <unleak@example.com>\"\ntls = {tls:?}"
    ))
}

#[tokio::test]
async fn a_mail_says_that_a_machine_made_it_and_has_a_stable_id() {
    let (port, heard) = mail_server(true).await;
    let notifier = Notifier::new(&by_mail(port, "none")).unwrap();
    let message = message_for(&alive(), &owner("ada"));
    assert_eq!(notifier.channels(&message.owner), [Channel::Email]);
    let sent = notifier.send(&message, &[Channel::Email]).await;
    assert!(sent[0].result.is_ok(), "{sent:?}");
    let heard = heard.lock().unwrap().clone();
    for line in [
        "MAIL FROM:<unleak@example.com>",
        "RCPT TO:<ada@example.com>",
        "Auto-Submitted: auto-generated",
        &format!("Message-ID: <{}@example.com>", message.id),
        "Content-Type: text/plain; charset=utf-8",
        "this is unleak, which looks for leaked tokens. It found one, and tells you",
    ] {
        assert!(
            heard.iter().any(|said| said.starts_with(line)),
            "{line}\n{heard:#?}"
        );
    }
    assert!(!heard.concat().contains(alive().secret.expose_str().unwrap()));
}

#[tokio::test]
async fn hostile_names_and_addresses_add_no_header_and_no_recipient() {
    let (port, heard) = mail_server(true).await;
    let notifier = Notifier::new(&by_mail(port, "none")).unwrap();
    let (held, mut owner) = hostile();
    let sent = notifier
        .send(&message_for(&held, &owner), &[Channel::Email])
        .await;
    assert!(sent[0].result.is_ok(), "{sent:?}");
    let lines = heard.lock().unwrap().clone();
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("RCPT")).count(),
        1,
        "{lines:#?}"
    );
    assert!(
        !lines.iter().any(|line| line.to_lowercase().starts_with("bcc")),
        "{lines:#?}"
    );
    for address in [
        "a@example.com>\r\nRCPT TO:<victim@example.com",
        "a@example.com, b@example.com",
        "",
        "ada",
    ] {
        owner.email = Some(address.to_owned());
        let sent = notifier
            .send(&message_for(&held, &owner), &[Channel::Email])
            .await;
        assert!(failure(&sent).contains("is no e-mail address"), "{sent:?}");
    }
    assert_eq!(
        heard.lock().unwrap().len(),
        lines.len(),
        "the server heard nothing of them"
    );
}

#[tokio::test]
async fn a_mail_server_that_refuses_or_has_no_tls_is_a_failure_with_its_words() {
    let (port, heard) = mail_server(false).await;
    let message = message_for(&alive(), &owner("ada"));
    let sent = Notifier::new(&by_mail(port, "none"))
        .unwrap()
        .send(&message, &[Channel::Email])
        .await;
    assert!(failure(&sent).contains("no such user"), "{sent:?}");
    heard.lock().unwrap().clear();
    let sent = Notifier::new(&by_mail(port, "required"))
        .unwrap()
        .send(&message, &[Channel::Email])
        .await;
    failure(&sent);
    assert!(
        !heard.lock().unwrap().iter().any(|line| line.starts_with("MAIL")),
        "not a word in clear"
    );
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let sent = Notifier::new(&by_mail(closed, "none"))
        .unwrap()
        .send(&message, &[Channel::Email])
        .await;
    assert!(
        failure(&sent).contains("the mail server did not take it"),
        "{sent:?}"
    );
}

#[test]
fn mail_settings_that_would_not_be_safe_are_refused() {
    let mail = |lines: &str| format!("[email]\nfrom = \"unleak@example.com\"\n{lines}");
    assert!(
        refused(&mail("host = \"mail.example.com\"\ntls = \"none\""))
            .contains("only for a server on this machine")
    );
    assert!(refused(&mail("host = \"localhost.example.com\"\ntls = \"none\"")).contains("only for a server"));
    assert!(refused("[email]\nhost = \"localhost\"\nfrom = \"nobody\"").contains("is no address"));
    assert!(refused(&mail("host = \"mail.example.com\"\nusername = \"u\"")).contains("no password"));
    let mut with_password = settings(&mail(
        "host = \"mail.example.com\"\nusername = \"u\"\ntls = \"opportunistic\"",
    ));
    with_password.email.as_mut().unwrap().password = Some(Secret::new("hunter2hunter2"));
    let error = Notifier::new(&with_password).err().unwrap().to_string();
    assert!(
        error.contains("may only travel with tls = \"required\""),
        "{error}"
    );
    assert!(!format!("{with_password:?}").contains("hunter2hunter2"));
    with_password.email.as_mut().unwrap().tls = unleak::notify::Tls::Required;
    assert!(Notifier::new(&with_password).is_ok());
    for (text, message) in [
        (
            "[email]\nhost = \"h\"\nfrom = \"a@b.c\"\npassword = \"x\"",
            "unknown field `password`",
        ),
        ("[slack]\nurl = \"x\"", "unknown field `slack`"),
        (
            "[email]\nhost = \"h\"\nfrom = \"a@b.c\"\ntls = \"no\"",
            "unknown variant `no`",
        ),
    ] {
        let error = toml::from_str::<Settings>(text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

// --- the webhook ----------------------------------------------------------------------------------------------------

async fn webhook(answers: Vec<ResponseTemplate>) -> (MockServer, Notifier) {
    let server = MockServer::start().await;
    let last = answers.len() - 1;
    for (at, answer) in answers.into_iter().enumerate() {
        let mock = Mock::given(method("POST"))
            .and(path("/hook"))
            .respond_with(answer);
        let mock = if at < last { mock.up_to_n_times(1) } else { mock };
        mock.mount(&server).await;
    }
    let (_, written) = signing();
    let settings = settings(&format!(
        "[webhook]\nurl = \"{}/hook?t=s3cr3t-in-url\"\nsecret = {written:?}",
        server.uri()
    ));
    assert!(
        !format!("{settings:?}").contains("s3cr3t-in-url") && !format!("{settings:?}").contains(&written)
    );
    let notifier = Notifier::new(&settings).unwrap();
    (server, notifier)
}

fn header<'r>(request: &'r Request, name: &str) -> &'r str {
    request.headers.get(name).unwrap().to_str().unwrap()
}

#[tokio::test]
async fn an_event_is_signed_by_standard_webhooks_and_keeps_its_id_over_tries() {
    let later = ResponseTemplate::new(503);
    let wait = ResponseTemplate::new(429).insert_header("retry-after", "0");
    let (server, notifier) = webhook(vec![later, wait, ResponseTemplate::new(204)]).await;
    let message = message_for(&alive(), &owner("ada"));
    let sent = notifier.send(&message, &[Channel::Webhook]).await;
    assert!(sent[0].result.is_ok(), "{sent:?}");
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(header(request, "webhook-id"), message.id);
        assert_eq!(header(request, "content-type"), "application/json");
        let signed = format!("{}.{}.", message.id, header(request, "webhook-timestamp"));
        let mac = mac_sha256(&signing().0, &[signed.as_bytes(), &request.body]);
        assert_eq!(
            header(request, "webhook-signature"),
            format!("v1,{}", STANDARD.encode(mac))
        );
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["type"], "leak.found");
        assert_eq!(body["data"]["verdict"]["state"], "live");
        assert_eq!(body["data"]["owner"]["reason"], "token-owner");
        assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
        assert!(request.body.len() < 20_000);
        assert!(!String::from_utf8_lossy(&request.body).contains(alive().secret.expose_str().unwrap()));
    }
}

#[tokio::test]
async fn a_receiver_that_stays_away_is_asked_three_times_and_no_more() {
    let (server, notifier) = webhook(vec![ResponseTemplate::new(500)]).await;
    let message = message_for(&alive(), &owner("ada"));
    let sent = notifier.send(&message, &[Channel::Webhook]).await;
    assert!(failure(&sent).contains("answered 500, 3 times"), "{sent:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 3);

    let wait = ResponseTemplate::new(429).insert_header("retry-after", "3600");
    let (server, notifier) = webhook(vec![wait]).await;
    let sent = notifier.send(&message, &[Channel::Webhook]).await;
    assert!(failure(&sent).contains("asks to wait 3600 s"), "{sent:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let elsewhere = MockServer::start().await;
    let moved = ResponseTemplate::new(307).insert_header("location", elsewhere.uri());
    let (server, notifier) = webhook(vec![moved]).await;
    let sent = notifier
        .send(&message_for(&alive(), &owner("ada")), &[Channel::Webhook])
        .await;
    assert!(failure(&sent).contains("redirects are not followed"), "{sent:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_not_asked_again() {
    let (server, notifier) = webhook(vec![ResponseTemplate::new(410)]).await;
    for _ in 0..2 {
        let sent = notifier
            .send(&message_for(&alive(), &owner("ada")), &[Channel::Webhook])
            .await;
        assert!(failure(&sent).contains("wants no more events"), "{sent:?}");
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_failing_channel_does_not_stop_the_others_and_no_failure_shows_a_url() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let (_, written) = signing();
    let notifier = Notifier::new(&settings(&format!(
        "outbox = {:?}\n[email]\nhost = \"localhost\"\nport = {closed}\nfrom = \"unleak@example.com\"\ntls = \"none\"\n\
         [webhook]\nurl = \"http://127.0.0.1:{closed}/hook/s3cr3t-in-url\"\nsecret = {written:?}",
        folder.path()
    )))
    .unwrap();
    let message = message_for(&alive(), &owner("ada"));
    let channels = notifier.channels(&message.owner);
    assert_eq!(channels, [Channel::Email, Channel::Webhook, Channel::Outbox]);
    let sent = notifier.send(&message, &channels).await;
    let ended: Vec<_> = sent
        .iter()
        .map(|one| (one.channel.name(), one.result.is_ok()))
        .collect();
    assert_eq!(ended, [("email", false), ("webhook", false), ("outbox", true)]);
    assert!(!format!("{sent:?}").contains("s3cr3t-in-url"), "{sent:?}");
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn webhook_settings_that_would_not_be_safe_are_refused() {
    let (_, written) = signing();
    let hook = |url: &str, rest: &str| format!("[webhook]\nurl = {url:?}\n{rest}");
    let signed = format!("secret = {written:?}");
    assert!(refused(&hook("http://hooks.example.com/x", &signed)).contains("must begin with https://"));
    assert!(refused(&hook("ftp://127.0.0.1/x", &signed)).contains("must begin with https://"));
    assert!(refused(&hook("nonsense", &signed)).contains("is no URL"));
    assert!(refused(&hook("https://hooks.example.com/x", "")).contains("no signing secret"));
    assert!(refused(&hook("https://hooks.example.com/x", "secret = \"short\"")).contains("24 to 64 bytes"));
    assert!(
        Notifier::new(&settings(&hook("https://10.0.0.7/x", &signed))).is_ok(),
        "the operator named it"
    );
}
