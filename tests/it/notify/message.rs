//! What a message says, and what it can never be made to say.

use unleak::leak::{DeadWhy, Owner, OwnerReason, Revocation, Verdict};
use unleak::notify::{About, Kind};

use super::{about, alive, all_of, card, hostile, message_for, texts};
use crate::store::{held, owner, sighting};

#[test]
fn an_owner_reads_why_they_hear_what_leaked_where_and_what_to_do() {
    let mut organisation_owner = owner("grace");
    organisation_owner.reason = OwnerReason::OrganisationOwner;
    organisation_owner.organisation = Some("acme".to_owned());
    let message = message_for(&alive(), &organisation_owner);
    insta::assert_snapshot!(message.subject, @"[unleak] high: leaked Example token exp_…wQ7w of ada (acme, umbrella), alive: revoke it now");
    insta::assert_snapshot!(message.body, @r"
    Example token exp_…wQ7w of ada (acme, umbrella) leaked in src/a.rs:3. It is
    alive, severity high. Nothing has been done to the token yet. Revoke it now:
    https://example.com/settings/tokens

    Hello grace, this is unleak, which looks for leaked tokens. You get this
    because you own the organisation acme, which the token opens.

    What to do now
      1. Revoke the token by hand: https://example.com/settings/tokens
      2. If you cannot revoke it, your organisation can still do this: removes
         the member from the organisation
      3. Put a new token in its place wherever this one is used, from a secret
         store and not from a file in a repository.
      4. Look for use of the token that was not yours, from the day it got out.
         Taking the line out of the file does not help: whoever has read it
         still has it.

    What leaked
      Token: Example token exp_…wQ7w
      Severity: high
      State: The token is alive (200).
      Owner: ada
      Organisations: acme, umbrella
      Scopes: repo
      Rule: example/token
      Fingerprint: be02aa45e8f2690b92e9a018184d7af6

    Where
      src/a.rs:3:7 in commit c0ffeec0ffee… of 2024-02-03 by Ada
      <ada@example.com>

    What was or will be done
      Nothing has been done to the token yet.
      Decision: no policy entry allows more than telling people.

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
        "is dead.",
        "You get this\nbecause the token is yours.",
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
    assert!(message.body.contains("still alive"), "{}", message.body);
}

#[test]
fn a_message_has_the_same_name_whenever_it_is_made_and_another_for_another_owner() {
    let another = held("b");
    let held = alive();
    let one = message_for(&held, &owner("ada"));
    assert_eq!(one.id, message_for(&held, &owner("ada")).id);
    assert_ne!(one.id, message_for(&held, &owner("grace")).id);
    assert_ne!(one.id, message_for(&another, &owner("ada")).id);
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
            OwnerReason::Channel,
            OwnerReason::Approver,
            OwnerReason::Escalation,
        ] {
            let owner = Owner {
                reason,
                ..owner("ada")
            };
            let about = About {
                planned: "",
                containment: None,
                ..about(Kind::Found, &held, &owner, &card)
            };
            let message = texts().message(&about).unwrap();
            let all = all_of(&message);
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
