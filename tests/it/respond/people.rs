//! People in the loop: who is asked, who is called when nobody acts, and the switch that stops everything.

use unleak::leak::Verdict;
use unleak::policy::{Action, Decision, Policy, confirmed, decide};
use wiremock::MockServer;

use super::told::with;
use super::{Home, REVOKE, accepts_revocation, alive_for, allow, changes};
use crate::notify::email::{by_mail, mail_server};
use crate::support::held::{VERIFY, held};

/// Mails to the boss, to the CEO and to Mia.
fn to(heard: &[String]) -> [usize; 3] {
    ["boss", "ceo", "mia"].map(|who| {
        let line = format!("RCPT TO:<{who}@acme.example>");
        heard.iter().filter(|said| **said == line).count()
    })
}

#[tokio::test]
async fn when_nobody_acts_each_step_of_the_escalation_is_taken_once_and_never_for_a_dead_token() {
    let server = MockServer::start().await;
    alive_for(&server, 1).await;
    let (port, heard) = mail_server(true).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let policy: Policy = toml::from_str(
        "[[escalate]]\nafter = \"0s\"\nto = [\"Boss <boss@acme.example>\"]\n\
         [[escalate]]\nafter = \"24h\"\nto = [\"ceo@acme.example\"]\n",
    )
    .unwrap();
    let responder = with(&home, policy.clone(), &by_mail(port, "none")).await;
    for _ in 0..2 {
        let steps = responder
            .respond(held(), &home.rules)
            .await
            .unwrap()
            .steps
            .join("\n");
        assert!(!steps.contains("escalation 2"), "{steps}");
    }
    let lines = heard.lock().unwrap().clone();
    assert_eq!(to(&lines), [1, 0, 1]);
    assert!(
        lines
            .concat()
            .contains("[unleak] escalation 1, critical: nobody has acted"),
        "{lines:#?}"
    );
    let ledger = responder.store.ledger(0, 1000).await.unwrap();
    let told = ledger
        .iter()
        .filter(|line| line.detail.contains("email, escalation 1"));
    assert_eq!(told.count(), 1, "in the ledger");
    // Dead from now on: those who heard hear of the end, and no further step is taken.
    let later = with(&home, policy, &by_mail(port, "none")).await;
    let response = later.respond(held(), &home.rules).await.unwrap();
    assert!(response.leak.verdict.as_ref().is_some_and(Verdict::is_dead));
    assert!(
        !response.steps.join("\n").contains("nobody has acted"),
        "{:?}",
        response.steps
    );
    assert_eq!(to(&heard.lock().unwrap()), [2, 0, 2]);
}

#[tokio::test]
async fn where_two_people_must_approve_one_alone_cannot_and_both_stand_in_the_ledger() {
    let server = MockServer::start().await;
    alive_for(&server, 1).await;
    accepts_revocation(&server).await;
    let (port, heard) = mail_server(true).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let policy: Policy = toml::from_str(
        "approvers = [\"ann@acme.example\", \"bob@acme.example\"]\n\
         [[allow]]\nname = \"together\"\naction = \"revoke\"\napproval = 2\n",
    )
    .unwrap();
    let responder = with(&home, policy.clone(), &by_mail(port, "none")).await;
    let steps = responder
        .respond(held(), &home.rules)
        .await
        .unwrap()
        .steps
        .join("\n");
    assert!(steps.contains("once 2 people approve"), "{steps}");
    assert!(
        heard
            .lock()
            .unwrap()
            .concat()
            .contains("[unleak] approval wanted, critical"),
        "they are asked"
    );
    let (held, _) = responder.examine(held(), &home.rules).await.unwrap();
    let leak = held.leak.clone();
    let say_yes = async |who: &str| {
        let store = responder.store.acting_as(who);
        store
            .approve(leak.fingerprint, &leak.rule, "revoke")
            .await
            .unwrap();
        responder.standing(&leak).await.unwrap()
    };
    let standing = say_yes("ann").await;
    let alone = confirmed(&leak, &policy, Action::Revoke, "ann", &standing)
        .unwrap_err()
        .to_string();
    assert!(
        alone.contains("wants 2 people to approve, and with you there are 1"),
        "{alone}"
    );
    let standing = say_yes("ann").await;
    assert_eq!(standing.approved.len(), 1, "twice is once");
    assert_eq!(changes(&server).await, Vec::<String>::new());
    let standing = say_yes("bob").await;
    let Decision::Act(order) = decide(&leak, &policy, &standing) else {
        panic!("two have said yes");
    };
    assert_eq!(order.rule(), "together, approved by ann, bob");
    responder.carry_out(order, held, &home.rules).await.unwrap();
    assert_eq!(changes(&server).await, ["POST /revoke"]);
    let ledger = responder.store.ledger(0, 1000).await.unwrap();
    let yes = ledger.iter().filter(|line| line.action == "approved");
    let people: Vec<&str> = yes.map(|line| line.actor.as_str()).collect();
    assert_eq!(people, ["ann", "ann", "bob"]);
    let standing = responder.standing(&leak).await.unwrap();
    assert_eq!(standing.approved, [], "a yes ends with the leak");
}

#[tokio::test]
async fn while_everything_is_stopped_no_order_is_carried_out_and_people_are_told_all_the_same() {
    let server = MockServer::start().await;
    alive_for(&server, 3).await;
    accepts_revocation(&server).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let responder = home.responder(allow(&["revoke"])).await;
    // Decided before, carried out after the switch was thrown.
    let (held, _) = responder.examine(held(), &home.rules).await.unwrap();
    let standing = responder.standing(&held.leak).await.unwrap();
    let order = confirmed(&held.leak, &Policy::default(), Action::Revoke, "ada", &standing).unwrap();
    responder
        .store
        .acting_as("olga")
        .stop("a wrong rule")
        .await
        .unwrap();
    let steps = responder
        .carry_out(order, held.clone(), &home.rules)
        .await
        .unwrap()
        .steps
        .join("\n");
    assert!(
        steps.contains("not sent: everything was stopped by olga at"),
        "{steps}"
    );
    let steps = responder
        .respond(held.clone(), &home.rules)
        .await
        .unwrap()
        .steps
        .join("\n");
    assert!(
        steps.contains("a wrong rule; `unleak resume` lets it go on"),
        "{steps}"
    );
    assert_eq!(changes(&server).await, Vec::<String>::new());
    assert_eq!(home.outbox(), ["mia <mia@acme.example>: critical"]);
    assert!(responder.store.resume().await.unwrap());
    responder.respond(held, &home.rules).await.unwrap();
    assert_eq!(changes(&server).await, ["POST /revoke"]);
    let actions = home.actions().await;
    assert!(
        actions.contains(&"stopped".to_owned()) && actions.contains(&"resumed".to_owned()),
        "{actions:?}"
    );
}
