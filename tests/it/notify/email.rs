//! Mail, to a small mail server on loopback.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use unleak::notify::{Channel, Notifier, Settings};
use unleak::secret::Secret;

use super::{alive, failure, hostile, message_for, refused, settings};
use crate::store::owner;

/// A small mail server: what it was told, and whether it takes mail.
pub(crate) async fn mail_server(takes: bool) -> (u16, Arc<Mutex<Vec<String>>>) {
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

pub(crate) fn by_mail(port: u16, tls: &str) -> Settings {
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
        "Content-Type: text/html; charset=utf-8",
        "Hello ada, this is unleak, which looks for leaked tokens. You get this",
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
        ("[slack]\nurl = \"x\"", "unknown field `url`"),
        ("[irc]\nurl = \"x\"", "unknown field `irc`"),
        (
            "[email]\nhost = \"h\"\nfrom = \"a@b.c\"\ntls = \"no\"",
            "unknown variant `no`",
        ),
    ] {
        let error = toml::from_str::<Settings>(text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}
