//! When a leak is looked at again, and whom it goes to when nobody acts: with made-up clocks.

use jiff::{SignedDuration, Timestamp};
use unleak::finding::Severity;
use unleak::leak::{DeadWhy, Leak, Notice, Revocation, Verdict};
use unleak::policy::{Policy, Standing, escalations, next_look};

use super::{allowing, dead, leak, policy};
use crate::store::owner;

/// Minutes from the leak's first sighting to the next look at it, and why.
fn look(leak: &Leak, policy: &Policy, minutes: i64) -> Option<(i64, String)> {
    let now = leak.first_seen + SignedDuration::from_mins(minutes);
    let look = next_look(leak, policy, &Standing::at(now))?;
    assert!(look.at >= now, "never in the past");
    Some((look.at.duration_since(leak.first_seen).as_mins(), look.why))
}

#[test]
fn a_live_leak_is_asked_about_again_until_it_is_dead_for_good() {
    let mut leak = leak();
    let policy = Policy::default();
    assert_eq!(
        look(&leak, &policy, 0),
        Some((360, "whether it is still alive".to_owned()))
    );
    leak.verdict = Some(Verdict::unknown("no answer"));
    assert_eq!(look(&leak, &policy, 10).unwrap().0, 370);
    leak.verdict = Some(dead());
    assert_eq!(look(&leak, &policy, 0), None);
    leak.verdict = Some(Verdict::Dead {
        why: DeadWhy::OwnerDisabled,
        reason: "403".to_owned(),
    });
    assert_eq!(
        look(&leak, &policy, 0).unwrap().0,
        360,
        "its owner may be enabled again"
    );
    leak.severity = Severity::Info;
    assert_eq!(look(&leak, &policy, 0), None);
}

#[test]
fn the_end_of_a_grace_period_is_the_next_look_and_then_it_is_at_once() {
    let policy = allowing("grace = \"90m\"");
    assert_eq!(
        look(&leak(), &policy, 10),
        Some((90, "the grace period ends".to_owned()))
    );
    assert_eq!(
        look(&leak(), &policy, 95),
        Some((95, "the policy allows to act".to_owned()))
    );
    let approval = allowing("approval = true");
    assert_eq!(
        look(&leak(), &approval, 0).unwrap().0,
        360,
        "a person is waited for, not polled"
    );
}

#[test]
fn a_request_whose_outcome_is_open_is_looked_at_soon() {
    for state in [
        Revocation::Sending,
        Revocation::Uncertain {
            reason: String::new(),
        },
        Revocation::Postponed {
            reason: String::new(),
        },
    ] {
        let mut leak = leak();
        leak.revocation = Some(state);
        assert_eq!(look(&leak, &Policy::default(), 0).unwrap().0, 5);
    }
}

fn steps() -> Policy {
    policy(
        "[[escalate]]\nafter = \"1h\"\nto = [\"a@example.com\"]\n\
         [[escalate]]\nafter = \"3h\"\nto = [\"pagerduty\"]\nseverity = \"critical\"\n\
         [[escalate]]\nafter = \"4h\"\nto = [\"b@example.com\"]\nservice = \"other\"\n\
         [[escalate]]\nafter = \"5h\"\nto = [\"c@example.com\"]\n",
    )
}

fn told(leak: &mut Leak, channel: &str, at: Timestamp) {
    leak.notices.push(Notice {
        owner: owner("ada"),
        channel: channel.to_owned(),
        sent_at: at,
    });
}

#[test]
fn each_step_of_the_escalation_has_its_time_after_the_first_notice_and_is_taken_once() {
    let policy = steps();
    let mut leak = leak();
    let first = leak.first_seen + SignedDuration::from_mins(30);
    told(&mut leak, "email", first);
    assert_eq!(
        look(&leak, &policy, 31),
        Some((90, "escalation 1 if nobody has acted".to_owned()))
    );
    let numbers = |leak: &Leak, hours: i64| -> Vec<u8> {
        let due = escalations(leak, &policy, first + SignedDuration::from_hours(hours));
        due.into_iter().map(|(number, _)| number).collect()
    };
    assert_eq!(numbers(&leak, 0), Vec::<u8>::new());
    assert_eq!(numbers(&leak, 1), [1]);
    assert_eq!(
        numbers(&leak, 9),
        [1, 4],
        "only what fits the severity and the service"
    );
    leak.severity = Severity::Critical;
    assert_eq!(numbers(&leak, 9), [1, 2, 4]);
    told(&mut leak, "email, escalation 1", first);
    assert_eq!(numbers(&leak, 9), [2, 4]);
    assert_eq!(
        look(&leak, &policy, 31).unwrap().1,
        "escalation 2 if nobody has acted"
    );
    leak.containment = Some(Revocation::Done {
        with: "containment".to_owned(),
    });
    assert_eq!(numbers(&leak, 9), Vec::<u8>::new(), "somebody acted");
    leak.containment = None;
    leak.verdict = Some(dead());
    assert_eq!(numbers(&leak, 9), Vec::<u8>::new());
}

#[test]
fn where_nobody_could_be_told_the_clock_runs_from_the_first_sighting() {
    assert_eq!(
        look(&leak(), &steps(), 0).unwrap(),
        (60, "escalation 1 if nobody has acted".to_owned())
    );
}
