//! A mail server that is down for an hour, with the clock under the test's control.

use jiff::{SignedDuration, Timestamp};
use unleak::notify::Collect;
use unleak::policy::Policy;
use wiremock::MockServer;

use super::told::{knows_many, many, with};
use super::{Home, REVOKE};
use crate::notify::email::{by_mail, mail_server};
use crate::support::held::VERIFY;

/// The mails, each as one text without soft line breaks.
fn mails(heard: &[String]) -> Vec<String> {
    let mails = heard.split(|line| line == "DATA").skip(1);
    mails.map(|lines| lines.concat().replace('=', "")).collect()
}

#[tokio::test]
async fn a_mail_server_that_is_down_for_an_hour_costs_no_mail_and_nobody_hears_twice() {
    let server = MockServer::start().await;
    knows_many(&server).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = gone.local_addr().unwrap().port();
    // It hangs up on everybody.
    tokio::spawn(async move { while gone.accept().await.is_ok() {} });
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let mut responder = with(&home, Policy::default(), &by_mail(port, "none")).await;
    let collect = Collect::For(SignedDuration::from_mins(5));
    responder.notifier = responder.notifier.collecting(collect);
    let (leaks, start) = (many(30), Timestamp::now());
    // A leak every two minutes, and a worker that looks every minute.
    for minute in 0..60 {
        if minute % 2 == 0 {
            responder
                .respond(leaks[minute / 2].clone(), &home.rules)
                .await
                .unwrap();
        }
        let now = start + SignedDuration::from_mins(i64::try_from(minute).unwrap());
        let told = responder.deliver_at(&home.rules, now).await.unwrap();
        assert!(told.iter().all(|told| !told.taken), "{told:?}");
    }
    let queue = responder.store.notice_queue().await.unwrap();
    assert_eq!((queue.waiting, queue.given_up), (30, 0), "all are kept");

    let (port, heard) = mail_server(true).await;
    let back = with(&home, Policy::default(), &by_mail(port, "none")).await;
    let mut now = start + SignedDuration::from_mins(60);
    while let Some(due) = back.store.next_notice_due().await.unwrap() {
        now = now.max(due);
        back.deliver_at(&home.rules, now).await.unwrap();
    }
    let waited = now.duration_since(start);
    assert!(
        waited < SignedDuration::from_hours(4),
        "everybody heard soon after: {waited}"
    );
    let mails = mails(&heard.lock().unwrap());
    for held in &leaks {
        let name = held.leak.fingerprint.to_string();
        let with_it = mails.iter().filter(|mail| mail.contains(&name)).count();
        assert_eq!(with_it, 1, "{name} in {} mails", mails.len());
    }
    assert!(
        mails.len() < leaks.len(),
        "many leaks in one mail: {}",
        mails.len()
    );
    let queue = back.store.notice_queue().await.unwrap();
    assert_eq!((queue.waiting, queue.given_up), (0, 0));
}
