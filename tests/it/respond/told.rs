//! Who hears of a leak: each person once, many leaks in one message, nothing lost when a channel or the process fails.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use unleak::leak::{Held, OwnerReason};
use unleak::notify::{Collect, Notifier, Settings};
use unleak::policy::Policy;
use unleak::respond::{Responder, Told};
use unleak::secret::{FingerprintKey, Secret};
use unleak::store::Leaving;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::notify::email::{by_mail, mail_server};
use crate::notify::pagerduty;
use crate::support::held::{VERIFY, held, rules};

use super::{Home, REVOKE, accepts_revocation, alive_for, allow, said};

/// Leaks of so many tokens.
pub(super) fn many(number: usize) -> Vec<Held> {
    let one = |at: usize| {
        let mut held = held();
        held.secret = Secret::new(format!("exm_{at:04}{}", "Vb9Lx0ZeR4tNw8KyC3mP"));
        held.leak.fingerprint = FingerprintKey::new("test").fingerprint(&held.secret);
        held.leak.verdict = None;
        held
    };
    (0..number).map(one).collect()
}

/// A service that knows every token that [`many`] makes, and no other.
pub(super) async fn knows_many(server: &MockServer) {
    let known = |request: &Request| said(request).ends_with("Vb9Lx0ZeR4tNw8KyC3mP");
    let mia = json!({"login": "mia", "email": "mia@acme.example", "orgs": ["acme"]});
    Mock::given(path("/me"))
        .and(known)
        .respond_with(ResponseTemplate::new(200).set_body_json(mia))
        .with_priority(1)
        .mount(server)
        .await;
    Mock::given(path("/me"))
        .respond_with(ResponseTemplate::new(401))
        .with_priority(9)
        .mount(server)
        .await;
}

pub(super) async fn with(home: &Home, policy: Policy, settings: &Settings) -> Responder {
    let mut responder = home.responder(policy).await;
    responder.notifier = Notifier::new(settings).unwrap();
    responder
}

fn said_of(told: &[Told]) -> Vec<&str> {
    told.iter().map(|told| told.said.as_str()).collect()
}

fn mails(heard: &[String]) -> usize {
    heard.iter().filter(|line| line.starts_with("DATA")).count()
}

#[tokio::test]
async fn a_scan_of_fifty_leaks_of_one_owner_is_one_mail_with_fifty_rows() {
    let server = MockServer::start().await;
    knows_many(&server).await;
    let (port, heard) = mail_server(true).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let mut responder = with(&home, Policy::default(), &by_mail(port, "none")).await;
    responder.notifier = responder.notifier.collecting(Collect::Run);
    let mut leaks = Vec::new();
    let all = many(50);
    for held in all.clone() {
        leaks.push((held.leak.fingerprint, held.leak.rule.clone()));
        responder.respond(held, &home.rules).await.unwrap();
    }
    assert_eq!(
        mails(&heard.lock().unwrap()),
        0,
        "nothing before the end of the run"
    );
    let steps = responder.deliver_now(&leaks, &home.rules).await.unwrap();
    assert_eq!(
        said_of(&steps),
        ["told mia <mia@acme.example> by email (the token is theirs) of 50 leaks"]
    );
    assert_eq!(
        responder.deliver_now(&leaks, &home.rules).await.unwrap(),
        Vec::<Told>::new()
    );
    let heard = heard.lock().unwrap().clone();
    assert_eq!(mails(&heard), 1);
    let mail = heard.concat().replace('=', "");
    assert!(
        mail.contains("Subject: [unleak] critical: 50 leaked tokens, 50 alive"),
        "{mail}"
    );
    for held in &all {
        assert!(
            mail.contains(&held.leak.fingerprint.to_string()),
            "a row for each"
        );
        assert!(!mail.contains(held.secret.expose_str().unwrap()));
    }
    // A later run finds nothing new to tell.
    for held in all {
        responder.respond(held, &home.rules).await.unwrap();
    }
    responder.deliver_now(&leaks, &home.rules).await.unwrap();
    assert_eq!(mails(&heard), 1);
}

#[tokio::test]
async fn a_run_that_is_cut_off_before_it_tells_anybody_leaves_that_to_the_next_and_two_of_those_tell_once() {
    let server = MockServer::start().await;
    alive_for(&server, 2).await;
    accepts_revocation(&server).await;
    let (port, heard) = mail_server(true).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let mut cut_off = with(&home, allow(&["revoke"]), &by_mail(port, "none")).await;
    cut_off.notifier = cut_off.notifier.collecting(Collect::Run);
    let response = cut_off.respond(held(), &home.rules).await.unwrap();
    assert!(response.leak.verdict.unwrap().is_dead());
    cut_off.store.shut().await;
    assert_eq!(mails(&heard.lock().unwrap()), 0);

    let leaks = [(held().leak.fingerprint, held().leak.rule)];
    let (one, two) = (
        with(&home, Policy::default(), &by_mail(port, "none")).await,
        with(&home, Policy::default(), &by_mail(port, "none")).await,
    );
    let (_, _) = tokio::join!(
        one.deliver_now(&leaks, &home.rules),
        two.deliver_now(&leaks, &home.rules)
    );
    let heard = heard.lock().unwrap().clone();
    assert_eq!(mails(&heard), 1, "{heard:#?}");
    assert!(
        heard.concat().contains("Subject: [unleak] revoked:"),
        "the state as it is now"
    );
    assert_eq!(one.store.next_notice_due().await.unwrap(), None, "nothing waits");
}

#[tokio::test]
async fn what_a_mail_server_does_not_take_is_kept_and_tried_again_later_and_later() {
    let server = MockServer::start().await;
    alive_for(&server, u64::MAX).await;
    let (refusing, _) = mail_server(false).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let responder = with(&home, Policy::default(), &by_mail(refusing, "none")).await;
    let before = Timestamp::now();
    let response = responder.respond(held(), &home.rules).await.unwrap();
    let steps = response.steps.join("\n");
    assert!(
        steps.contains("could not tell mia <mia@acme.example> by email: the mail server did not take it"),
        "{steps}"
    );
    let next = responder.store.next_notice_due().await.unwrap().unwrap();
    assert!(next >= before + SignedDuration::from_secs(5), "not at once");
    assert_eq!(
        responder.deliver(&home.rules).await.unwrap(),
        Vec::<Told>::new(),
        "not before its time"
    );

    let leaks = [(held().leak.fingerprint, held().leak.rule)];
    for _ in 0..9 {
        responder.deliver_now(&leaks, &home.rules).await.unwrap();
    }
    let given_up = responder.store.notices_given_up().await.unwrap();
    assert_eq!(
        (given_up.len(), given_up[0].tries),
        (1, 10),
        "a person should look"
    );

    // The next run of the leak gives it another chance, and the server is back.
    let (port, heard) = mail_server(true).await;
    let responder = with(&home, Policy::default(), &by_mail(port, "none")).await;
    responder.respond(held(), &home.rules).await.unwrap();
    responder.respond(held(), &home.rules).await.unwrap();
    assert_eq!(mails(&heard.lock().unwrap()), 1);
    assert!(responder.store.notices_given_up().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_mail_of_the_end_stands_in_the_thread_of_the_first() {
    let server = MockServer::start().await;
    alive_for(&server, 2).await;
    accepts_revocation(&server).await;
    let (port, heard) = mail_server(true).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let responder = with(&home, allow(&["revoke"]), &by_mail(port, "none")).await;
    responder.respond(held(), &home.rules).await.unwrap();
    let heard = heard.lock().unwrap().clone();
    let field = |name: &str| -> Vec<String> {
        let lines = heard.iter().filter_map(|line| line.strip_prefix(name));
        lines.map(str::to_owned).collect()
    };
    let ids = field("Message-ID: ");
    assert_eq!((mails(&heard), ids.len()), (2, 2));
    assert_eq!(field("In-Reply-To: "), [ids[0].clone()]);
    assert_eq!(field("References: "), [ids[0].clone()]);
}

#[tokio::test]
async fn an_incident_is_opened_with_the_leak_and_resolved_after_its_revocation_is_proved() {
    let server = MockServer::start().await;
    alive_for(&server, 2).await;
    Mock::given(method("POST"))
        .and(path("/revoke"))
        .respond_with(ResponseTemplate::new(202))
        .mount(&server)
        .await;
    let pager = MockServer::start().await;
    Mock::given(path("/v2/enqueue"))
        .respond_with(ResponseTemplate::new(202).set_body_json(json!({ "status": "success" })))
        .mount(&pager)
        .await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let responder = with(
        &home,
        allow(&["revoke"]),
        &pagerduty::settings(&pager, "critical"),
    )
    .await;
    let response = responder.respond(held(), &home.rules).await.unwrap();
    assert!(response.leak.verdict.unwrap().is_dead(), "{:?}", response.steps);
    responder.respond(held(), &home.rules).await.unwrap();
    let requests = pager.received_requests().await.unwrap();
    let events: Vec<Value> = requests
        .iter()
        .map(|it| serde_json::from_slice(&it.body).unwrap())
        .collect();
    let actions: Vec<&str> = events
        .iter()
        .map(|it| it["event_action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        ["trigger", "resolve"],
        "each once, whatever number of owners"
    );
    assert_eq!(events[0]["dedup_key"], events[1]["dedup_key"]);
}

#[tokio::test]
async fn a_critical_leak_is_told_at_once_and_a_lesser_one_when_the_servers_window_ends() {
    let server = MockServer::start().await;
    knows_many(&server).await;
    let (port, heard) = mail_server(true).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let mut responder = with(&home, Policy::default(), &by_mail(port, "none")).await;
    responder.notifier = responder
        .notifier
        .collecting(Collect::For(SignedDuration::from_mins(5)));
    let leaks = many(3);
    let mut lesser = rules(&[VERIFY, REVOKE].concat());
    Arc::get_mut(&mut lesser.rules[0]).unwrap().severity = unleak::finding::Severity::High;
    for held in &leaks[..2] {
        responder.respond(held.clone(), &lesser).await.unwrap();
    }
    assert_eq!(responder.deliver(&home.rules).await.unwrap(), Vec::<Told>::new());
    assert!(responder.store.next_notice_due().await.unwrap().unwrap() > Timestamp::now());
    // What waits for the same person leaves together with what cannot wait.
    responder.respond(leaks[2].clone(), &home.rules).await.unwrap();
    let steps = responder.deliver(&home.rules).await.unwrap();
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert!(steps[0].said.ends_with("of 3 leaks"), "{steps:?}");
    assert_eq!(mails(&heard.lock().unwrap()), 1);
}

#[tokio::test]
async fn a_claim_that_a_crash_left_behind_is_taken_over_after_a_while_and_only_by_one() {
    let server = MockServer::start().await;
    alive_for(&server, u64::MAX).await;
    let (port, heard) = mail_server(true).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let mut responder = with(&home, Policy::default(), &by_mail(port, "none")).await;
    responder.notifier = responder.notifier.collecting(Collect::Run);
    let response = responder.respond(held(), &home.rules).await.unwrap();
    let leak = response.leak;
    let store = &responder.store;
    // Begun by a process that died: nobody knows whether it was taken.
    let due = store.notices_left(leak.fingerprint, &leak.rule).await.unwrap();
    let leaving = due
        .into_iter()
        .filter(|notice| notice.owner.reason == OwnerReason::TokenOwner);
    let leaving: Vec<_> = leaving
        .map(|notice| Leaving {
            said: notice.slot.clone(),
            end: format!("{}, revoked", notice.channel),
            notice,
        })
        .collect();
    let begun = store
        .begin_sending(&leaving, true, Timestamp::now())
        .await
        .unwrap();
    assert_eq!(begun.taken, [true]);
    let leaks = [(leak.fingerprint, leak.rule.clone())];
    responder.deliver_now(&leaks, &home.rules).await.unwrap();
    assert_eq!(
        mails(&heard.lock().unwrap()),
        0,
        "somebody may just be sending it"
    );
    let later = Timestamp::now() + SignedDuration::from_mins(11);
    let other = with(&home, Policy::default(), &by_mail(port, "none")).await;
    let (_, _) = tokio::join!(
        responder.deliver_at(&home.rules, later),
        other.deliver_at(&home.rules, later)
    );
    assert_eq!(mails(&heard.lock().unwrap()), 1);
    assert_eq!(store.next_notice_due().await.unwrap(), None);
}
