//! The policy in sentences, and people in it.

use jiff::{SignedDuration, Timestamp};
use unleak::policy::{Action, Decision, Standing, confirmed, decide, explain};

use super::{allowing, leak, policy, rules, standing};

#[test]
fn the_policy_is_read_out_entry_by_entry_with_what_is_never_done() {
    let policy = policy(
        r#"
        deny = ["gocd"]
        limit_per_hour = 5
        approvers = ["Security <security@acme.example>", "boss@acme.example"]
        recheck = "90m"
        [[allow]]
        name = "our own CI"
        action = "revoke"
        service = "github"
        severity = "high"
        source = "history"
        organisation = "acme"
        grace = "24h"
        approval = 2
        [[allow]]
        name = "all else"
        action = "contain"
        [[escalate]]
        after = "24h"
        to = ["boss@acme.example", "pagerduty"]
        severity = "high"
        "#,
    );
    let mut standing = Standing::at(Timestamp::UNIX_EPOCH);
    standing.recent = 3;
    insta::assert_snapshot!(explain(&policy, &standing), @r#"
    Not stopped. `unleak stop` stops every revocation and containment at once.

    Never, whatever stands below and whoever asks
      - a token that its service has not called alive is neither revoked nor contained: unknown is not alive
      - what is public by design is recorded, and nobody is told
      - "gocd" is neither revoked nor contained, not even when a person confirms it: people are told

    What may be done; the first entry that fits a live token decides
      1. "our own CI": a live token where the service is "github" and the severity is high or worse and it was seen in: history and it opens the organisation "acme" is revoked, 24 h after the leak was first seen, once 2 different people have approved.
      2. "all else": any live token is kept away from the organisation, without ending it, at once, without asking.
      Everything else: people are told, and nothing more unless a person confirms it (`unleak revoke`).
      What a service has refused is not tried again by itself: the next entry that fits decides then.

    Limit
      5 leaks an hour are revoked or contained; 3 in the last hour. Beyond it everything waits for a person.

    Who says yes
      "Security <security@acme.example>", "boss@acme.example" are asked. `unleak approve FINGERPRINT` says yes.

    When nobody acts
      Every 1 h 30 min it is asked again whether a token is still alive.
      1. 24 h after the first notice, a leak of severity high or worse that is neither dead nor contained goes to "boss@acme.example", "pagerduty", once.
    "#);
    standing.stopped = Some("everything was stopped by olga at 2025-06-01T12:00:00Z: a drill".to_owned());
    let stopped = explain(&policy, &standing);
    assert!(
        stopped.starts_with("STOPPED: everything was stopped by olga"),
        "{stopped}"
    );
}

#[test]
fn without_an_entry_it_says_that_nothing_is_revoked() {
    let text = explain(&policy(""), &Standing::at(Timestamp::UNIX_EPOCH));
    assert!(
        text.contains("No entry: people are told, and nothing is revoked"),
        "{text}"
    );
    assert!(text.contains("it goes to nobody else"), "{text}");
}

#[test]
fn as_many_different_people_as_the_entry_wants_must_approve() {
    let policy = allowing("approval = 2");
    let leak = leak();
    let mut now = standing(leak.first_seen + SignedDuration::from_hours(1), 0);
    let why = |now: &Standing| match decide(&leak, &policy, now) {
        Decision::Approve { action, why } => {
            assert_eq!(action, Action::Revoke);
            why
        }
        other => panic!("{other:?}"),
    };
    assert!(why(&now).ends_with("once 2 people approve"), "{}", why(&now));
    now.approved = vec![
        (Action::Revoke, "ann".to_owned()),
        (Action::Contain, "bob".to_owned()),
    ];
    assert!(
        why(&now).ends_with("once 2 people approve; so far: ann"),
        "{}",
        why(&now)
    );
    // `unleak revoke` by one person does not go around the second one.
    let alone = confirmed(&leak, &policy, Action::Revoke, "ann", &now)
        .unwrap_err()
        .to_string();
    assert!(alone.contains("with you there are 1"), "{alone}");
    assert!(
        confirmed(&leak, &policy, Action::Revoke, "bob", &now).is_ok(),
        "bob's yes is the second"
    );
    now.approved.push((Action::Revoke, "bob".to_owned()));
    assert!(matches!(decide(&leak, &policy, &now), Decision::Act(_)));
}

#[test]
fn beyond_the_limit_one_persons_yes_is_enough() {
    let policy = allowing("");
    let leak = leak();
    let mut now = standing(leak.first_seen, policy.limit_per_hour);
    assert!(matches!(decide(&leak, &policy, &now), Decision::Approve { .. }));
    now.approved = vec![(Action::Revoke, "ann".to_owned())];
    assert!(matches!(decide(&leak, &policy, &now), Decision::Act(_)));
}

#[test]
fn the_stop_switch_is_stronger_than_entries_and_people() {
    let policy = allowing("");
    let leak = leak();
    let mut now = standing(leak.first_seen, 0);
    now.stopped = Some("everything was stopped by olga".to_owned());
    now.approved = vec![(Action::Revoke, "ann".to_owned())];
    match decide(&leak, &policy, &now) {
        Decision::Notify { why } => assert!(why.contains("stopped by olga; `unleak resume`"), "{why}"),
        other => panic!("{other:?}"),
    }
    let refused = confirmed(&leak, &policy, Action::Revoke, "ann", &now)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("stopped by olga"), "{refused}");
}

#[test]
fn what_can_not_be_meant_is_refused() {
    for (text, expected) in [
        ("[[escalate]]\nafter = \"1h\"\nto = []", "names nobody"),
        (
            "[[escalate]]\nafter = \"1h\"\nto = [\"a@b.c\"]\nservice = \"exmple\"",
            "no service is called \"exmple\"",
        ),
        ("recheck = \"10s\"", "shorter than a minute"),
        (
            "approvers = [\"a@b.c\"]\n[[allow]]\nname = \"x\"\naction = \"revoke\"\napproval = 2",
            "wants 2 people",
        ),
    ] {
        let error = policy(text).check(&rules()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    for text in ["approval = 6", "approval = -1", "approval = \"yes\""] {
        let text = format!("[[allow]]\nname = \"x\"\naction = \"revoke\"\n{text}");
        assert!(toml::from_str::<unleak::policy::Policy>(&text).is_err(), "{text}");
    }
}
