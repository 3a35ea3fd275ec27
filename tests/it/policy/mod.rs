//! The table of decisions, and what no policy can make happen.

mod explained; // the policy in sentences, and people in it
mod look; // when a leak is looked at again

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use unleak::finding::Severity;
use unleak::leak::{DeadWhy, Leak, Revocation, Verdict};
use unleak::policy::{Action, Decision, Policy, Standing, confirmed, decide};
use unleak::rule::RuleSet;

use crate::store::{held, sighting};

fn leak() -> Leak {
    let mut leak = held("a").leak;
    leak.verdict = Some(live());
    leak.identity.organisations = vec!["Acme".to_owned()];
    leak
}

fn live() -> Verdict {
    Verdict::Live {
        reason: "200".to_owned(),
    }
}

fn dead() -> Verdict {
    Verdict::Dead {
        why: DeadWhy::Expired,
        reason: "401".to_owned(),
    }
}

fn policy(text: &str) -> Policy {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// An entry that allows to revoke, with these further lines.
fn allowing(lines: &str) -> Policy {
    policy(&format!(
        "[[allow]]\nname = \"mine\"\naction = \"revoke\"\n{lines}"
    ))
}

/// How things stand after so many revocations in the hour before.
fn standing(now: Timestamp, recent: usize) -> Standing {
    Standing {
        recent,
        ..Standing::at(now)
    }
}

/// The decision in short, an hour after the leak was first seen.
fn short(leak: &Leak, policy: &Policy, recent: usize) -> String {
    let now = leak.first_seen + SignedDuration::from_hours(1);
    let decision = decide(leak, policy, &standing(now, recent));
    assert!(!decision.why().is_empty());
    match decision {
        Decision::Record { why } => format!("record: {why}"),
        Decision::Notify { why } => format!("notify: {why}"),
        Decision::Wait { until, why } => format!("wait until {until}: {why}"),
        Decision::Approve { why, .. } => format!("approve: {why}"),
        Decision::Act(order) => {
            assert!(order.is_for(leak) && order.fingerprint() == leak.fingerprint);
            format!("{} by {}", order.action(), order.rule())
        }
    }
}

#[test]
fn the_conditions_of_an_entry_decide_which_leaks_it_fits() {
    for (lines, decision) in [
        ("", "revoke by mine"),
        ("service = \"example\"", "revoke by mine"),
        ("service = \"other\"", "notify: no policy entry"),
        ("rule = \"example/token\"", "revoke by mine"),
        ("rule = \"example/other\"", "notify: no policy entry"),
        ("severity = \"medium\"", "revoke by mine"),
        ("severity = \"high\"", "revoke by mine"),
        ("severity = \"critical\"", "notify: no policy entry"),
        ("source = \"history\"", "revoke by mine"),
        ("source = \"report\"", "notify: no policy entry"),
        ("organisation = \"acme\"", "revoke by mine"),
        ("organisation = \"acme2\"", "notify: no policy entry"),
        (
            "service = \"example\"\norganisation = \"other\"",
            "notify: no policy entry",
        ),
        ("grace = \"30m\"", "revoke by mine"),
        ("grace = \"60m\"", "revoke by mine"),
        (
            "grace = \"1h 1s\"",
            "wait until 2025-06-01T13:00:01.25Z: policy entry \"mine\"",
        ),
        ("grace = \"2d\"", "wait until 2025-06-03T12:00:00.25Z"),
        ("grace = \"2d\"\napproval = true", "wait until"),
        (
            "approval = true",
            "approve: policy entry \"mine\" allows to revoke once a person approves",
        ),
    ] {
        let said = short(&leak(), &allowing(lines), 0);
        assert!(said.starts_with(decision), "{lines}: {said}");
    }
}

#[test]
fn the_state_of_a_leak_decides_before_any_entry() {
    let with = |change: fn(&mut Leak)| {
        let mut leak = leak();
        change(&mut leak);
        short(&leak, &allowing(""), 0)
    };
    for (said, decision) in [
        (with(|_| ()), "revoke by mine"),
        (
            with(|leak| leak.verdict = None),
            "notify: its service was not asked",
        ),
        (
            with(|leak| leak.verdict = Some(Verdict::unknown("timeout"))),
            "notify: whether it is alive is unknown (timeout)",
        ),
        (
            with(|leak| leak.verdict = Some(dead())),
            "record: it is dead: expired",
        ),
        (
            with(|leak| leak.severity = Severity::Info),
            "record: it is public by design",
        ),
        (
            with(|leak| leak.revocation = Some(Revocation::Sending)),
            "notify: policy entry \"mine\"",
        ),
        (
            with(|leak| leak.revocation = Some(Revocation::Done { with: "x".into() })),
            "notify: policy entry \"mine\"",
        ),
        (
            with(|leak| leak.revocation = Some(Revocation::Uncertain { reason: "x".into() })),
            "revoke by mine",
        ),
        (
            with(|leak| leak.revocation = Some(Revocation::Refused { reason: "x".into() })),
            "notify: no policy entry",
        ),
        (
            with(|leak| leak.sightings.push(sighting("b", 1))),
            "revoke by mine",
        ),
    ] {
        assert!(said.starts_with(decision), "{decision}: {said}");
    }
}

#[test]
fn without_a_policy_people_are_told_and_nothing_is_revoked() {
    assert!(short(&leak(), &Policy::default(), 0).starts_with("notify"));
    assert_eq!(Policy::default(), policy(""));
    assert_eq!(Policy::default().limit_per_hour, 10);
}

#[test]
fn the_deny_list_beats_every_entry() {
    for denied in ["example", "example/token"] {
        let said = short(
            &leak(),
            &policy(&format!(
                "deny = [{denied:?}]\n[[allow]]\nname = \"mine\"\naction = \"revoke\""
            )),
            0,
        );
        assert_eq!(
            said,
            format!("notify: the deny list has {denied:?}: nothing but telling people")
        );
    }
    let other =
        policy("deny = [\"exam\", \"example/other\"]\n[[allow]]\nname = \"mine\"\naction = \"revoke\"");
    assert_eq!(short(&leak(), &other, 0), "revoke by mine");
}

#[test]
fn after_the_limit_of_an_hour_everything_waits_for_a_person() {
    assert_eq!(short(&leak(), &allowing(""), 9), "revoke by mine");
    for recent in [10, 11, usize::MAX] {
        let said = short(&leak(), &allowing(""), recent);
        assert!(
            said.contains("approve")
                && said.ends_with("the limit of 10 an hour is reached: it waits for a person")
        );
    }
    let none = policy("limit_per_hour = 0\n[[allow]]\nname = \"mine\"\naction = \"contain\"");
    assert!(short(&leak(), &none, 0).starts_with("approve"));
}

#[test]
fn the_first_entry_that_fits_decides_and_a_refused_revocation_leaves_the_next() {
    let two = policy(
        "[[allow]]\nname = \"one\"\naction = \"revoke\"\n[[allow]]\nname = \"two\"\naction = \"contain\"",
    );
    let mut leak = leak();
    assert_eq!(short(&leak, &two, 0), "revoke by one");
    leak.revocation = Some(Revocation::Refused {
        reason: "no way".to_owned(),
    });
    assert_eq!(short(&leak, &two, 0), "contain by two");
}

#[test]
fn a_person_may_confirm_what_is_alive_and_nothing_else() {
    let policy = policy("deny = [\"other\"]");
    let yes = standing(leak().first_seen, 0);
    let order = confirmed(&leak(), &policy, Action::Contain, "ada", &yes).unwrap();
    assert_eq!(
        (order.action(), order.rule()),
        (Action::Contain, "confirmed by ada")
    );
    let refused = |change: fn(&mut Leak)| {
        let mut leak = leak();
        change(&mut leak);
        confirmed(&leak, &policy, Action::Revoke, "ada", &yes)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(|leak| leak.verdict = None).contains("unleak verify"));
    assert!(refused(|leak| leak.verdict = Some(Verdict::unknown("timeout"))).contains("timeout"));
    assert!(refused(|leak| leak.verdict = Some(dead())).contains("dead already: expired"));
    assert!(refused(|leak| leak.severity = Severity::Info).contains("public by design"));
    assert!(refused(|leak| leak.rule = unleak::finding::RuleId::new("other", "token")).contains("deny list"));
    assert!(refused(|leak| leak.revocation = Some(Revocation::Sending)).contains("outcome is not known"));
}

#[test]
fn a_policy_that_cannot_mean_what_it_says_is_refused() {
    for (text, message) in [
        ("limits = 3", "unknown field `limits`"),
        ("limit_per_hour = -1", "invalid value"),
        (
            "[[allow]]\nname = \"a\"\naction = \"delete\"",
            "unknown variant `delete`",
        ),
        ("[[allow]]\naction = \"revoke\"", "missing field `name`"),
        (
            "[[allow]]\nname = \"a\"\naction = \"revoke\"\norg = \"x\"",
            "unknown field `org`",
        ),
        (
            "[[allow]]\nname = \"a\"\naction = \"revoke\"\nsource = \"git\"",
            "unknown variant `git`",
        ),
        (
            "[[allow]]\nname = \"a\"\naction = \"revoke\"\ngrace = \"soon\"",
            "no length of time",
        ),
        (
            "[[allow]]\nname = \"a\"\naction = \"revoke\"\ngrace = \"-1h\"",
            "no length of time",
        ),
        (
            "[[allow]]\nname = \"a\"\naction = \"revoke\"\ngrace = \"1mo\"",
            "no length of time",
        ),
        (
            "[[allow]]\nname = \"a\"\naction = \"revoke\"\ngrace = 24",
            "invalid type",
        ),
    ] {
        let error = toml::from_str::<Policy>(text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn names_that_exist_nowhere_are_found_before_they_silently_do_nothing() {
    let rules = rules();
    let entry = |lines: &str| format!("[[allow]]\nname = \"a\"\naction = \"revoke\"\n{lines}\n");
    for good in [
        "deny = [\"example\", \"example/token\"]".to_owned(),
        entry("service = \"example\""),
    ] {
        policy(&good).check(&rules).unwrap();
    }
    for bad in [
        "deny = [\"exmaple\"]".to_owned(),
        "deny = [\"token\"]".to_owned(),
        entry("service = \"exmaple\""),
        entry("rule = \"token\""),
        entry("") + &entry(""),
        "[[allow]]\nname = \" \"\naction = \"revoke\"".to_owned(),
    ] {
        assert!(policy(&bad).check(&rules).is_err(), "{bad}");
    }
}

fn rules() -> RuleSet {
    let mut rules = RuleSet::empty();
    rules
        .add("example", "example.toml", EXAMPLE)
        .unwrap_or_else(|error| panic!("{error:#}"));
    rules
}

const EXAMPLE: &str = r#"
[service]
name = "Example"
docs = "https://docs.example.com"
hosts = ["api.example.com"]
[[rule]]
id = "token"
title = "Example token"
pattern = '''\b(?<secret>exp_[a-z]{30})\b'''
confidence = "high"
severity = "high"
"#;

fn any_verdict_but_live() -> impl Strategy<Value = Option<Verdict>> {
    prop_oneof![
        Just(None),
        ".{0,20}".prop_map(|reason| Some(Verdict::Unknown { reason })),
        (".{0,20}", 0..4_usize).prop_map(|(reason, why)| Some(Verdict::Dead {
            why: [
                DeadWhy::Revoked,
                DeadWhy::Expired,
                DeadWhy::OwnerDisabled,
                DeadWhy::UnknownToService
            ][why],
            reason,
        })),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let entry = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        0..3_u8,
    )
        .prop_map(|(contain, service, severity, approval, grace)| {
            let mut text = format!(
                "[[allow]]\nname = \"n\"\naction = {:?}\napproval = {approval}\ngrace = \"{grace}h\"\n",
                if contain { "contain" } else { "revoke" }
            );
            if service {
                text.push_str("service = \"example\"\n");
            }
            if severity {
                text.push_str("severity = \"low\"\n");
            }
            text
        });
    (0..20_usize, proptest::collection::vec(entry, 0..4))
        .prop_map(|(limit, entries)| policy(&format!("limit_per_hour = {limit}\n{}", entries.concat())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_policy_makes_an_order_for_a_token_that_is_not_proved_alive(
        policy in any_policy(),
        verdict in any_verdict_but_live(),
        hours in 0..100_i64,
        recent in 0..20_usize,
    ) {
        let mut leak = leak();
        leak.verdict = verdict;
        let now: Timestamp = leak.first_seen + SignedDuration::from_hours(hours);
        let decision = decide(&leak, &policy, &standing(now, recent));
        assert!(matches!(decision, Decision::Record { .. } | Decision::Notify { .. }), "{decision:?}");
        assert!(confirmed(&leak, &policy, Action::Revoke, "ada", &standing(now, 0)).is_err());
        assert!(confirmed(&leak, &policy, Action::Contain, "ada", &standing(now, 0)).is_err());
    }

    #[test]
    fn the_limit_and_the_deny_list_hold_under_every_policy(mut policy in any_policy(), hours in 0..100_i64) {
        let leak = leak();
        let now = leak.first_seen + SignedDuration::from_hours(hours);
        let at_the_limit = decide(&leak, &policy, &standing(now, policy.limit_per_hour));
        assert!(!matches!(at_the_limit, Decision::Act(_)));
        policy.deny = vec!["example".to_owned()];
        let denied = decide(&leak, &policy, &standing(now, 0));
        assert!(matches!(denied, Decision::Notify { .. }));
    }
}
