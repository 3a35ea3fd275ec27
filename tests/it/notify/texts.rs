//! The texts: what each kind of notice says, in every form.

use unleak::leak::{DeadWhy, Owner, OwnerReason, Revocation, Verdict};
use unleak::notify::{Channel, Kind, Message, Notifier, Settings, room};

use super::{about, alive, all_of, card, hostile, message_of, texts};
use crate::store::{held, owner};
use crate::support::sought;

const KINDS: [Kind; 5] = [
    Kind::Found,
    Kind::Approval,
    Kind::Escalation(1),
    Kind::Contained,
    Kind::Revoked,
];

fn samples() -> Vec<Message> {
    Notifier::new(&Settings::default()).unwrap().samples().unwrap()
}

fn sample(kind: Kind) -> Message {
    samples()
        .into_iter()
        .find(|message| message.kind == kind)
        .unwrap()
}

#[test]
fn every_subject_says_what_leaked_whose_how_bad_and_what_to_do() {
    let subjects: Vec<String> = samples().into_iter().map(|message| message.subject).collect();
    insta::assert_snapshot!(subjects.join("\n"), @r"
    [unleak] critical: leaked Example personal access token exp_…wQ7w of ada (acme), alive: revoke it now
    [unleak] approval wanted, critical: leaked Example personal access token exp_…wQ7w of ada (acme), alive: say yes or no
    [unleak] escalation 1, critical: nobody has acted, leaked Example personal access token exp_…wQ7w of ada (acme), alive: see to it now
    [unleak] contained, still alive: leaked Example personal access token exp_…wQ7w of ada (acme): its owner must revoke it
    [unleak] revoked: leaked Example personal access token exp_…wQ7w of ada (acme) is dead: replace it where it is used
    [unleak] critical: 4 leaked tokens, 3 alive, 1 dead: each has its next step
    ");
}

#[test]
fn every_first_line_says_it_all_with_one_link() {
    let headlines: Vec<String> = samples()
        .into_iter()
        .map(|message| message.content.headline)
        .collect();
    insta::assert_snapshot!(headlines.join("\n\n"), @r"
    Example personal access token exp_…wQ7w of ada (acme) leaked in deploy/settings.py:3 and 1 more place. It is alive, severity critical. Nothing has been done to the token yet. Revoke it now: https://example.com/settings/tokens

    Example personal access token exp_…wQ7w of ada (acme) leaked in deploy/settings.py:3 and 1 more place. It is alive, severity critical. Nothing is done to it before a person says yes: unleak approve 5a3c91d07be24f68

    Nobody has acted: the token is alive 24h after its owners were told. Example personal access token exp_…wQ7w of ada (acme) leaked in deploy/settings.py:3 and 1 more place. It is alive, severity critical. Nothing has been done to the token yet. See to it now: https://example.com/settings/tokens

    Example personal access token exp_…wQ7w of ada (acme) leaked in deploy/settings.py:3 and 1 more place, severity critical. It was kept away from your organisation as far as that is possible, and is still alive. The containment is done and proved (by way of: containment). Its owner must revoke it now: https://example.com/settings/tokens

    Example personal access token exp_…wQ7w of ada (acme), which leaked in deploy/settings.py:3 and 1 more place (severity critical), is dead. The revocation is done and proved (by way of: operator). Replace it where it is used: https://example.com/settings/tokens

    4 tokens have leaked, the worst of severity critical: 3 alive, 1 dead, 0 not known. Start at the top of the list; each has its next step.
    ");
    for headline in headlines {
        assert!(headline.matches("https://").count() <= 1, "{headline}");
    }
}

#[test]
fn the_notice_of_an_escalation() {
    insta::assert_snapshot!(sample(Kind::Escalation(1)).body, @r"
    Nobody has acted: the token is alive 24h after its owners were told. Example
    personal access token exp_…wQ7w of ada (acme) leaked in deploy/settings.py:3
    and 1 more place. It is alive, severity critical. Nothing has been done to
    the token yet. See to it now: https://example.com/settings/tokens

    Hello Grace Example, this is unleak, which looks for leaked tokens. You get
    this because you own the organisation acme, which the token opens.

    What to do now
      1. Ask whoever was told whether they have acted, and act in their place if
         not.
      2. Revoke the token by hand: https://example.com/settings/tokens
      3. See the plan and let unleak do it: unleak revoke 5a3c91d07be24f68
      4. If nobody can revoke it, the organisation can still do this: remove the
         member from the organisation, in acme

    What leaked
      Token: Example personal access token exp_…wQ7w
      Severity: critical
      State: The token is alive (200).
      Owner: ada
      E-mail: ada@example.com
      Organisations: acme
      Scopes: repo, workflow
      Rule: example/personal-access-token
      Fingerprint: 5a3c91d07be24f680000000000000000

    Where
      deploy/settings.py:3:12 in commit c0ffee00c0ff… of 1970-01-01 by Ada
      Example <ada@example.com>
      README.md:40:12 in commit c0ffee00c0ff… of 1970-01-01 by Ada Example
      <ada@example.com>

    What was or will be done
      Nothing has been done to the token yet.

    You cannot answer this message; it was made by a machine. The token itself
    is not in it, and nobody from unleak will ever ask you for it.
    ");
}

#[test]
fn the_notice_of_an_approval() {
    insta::assert_snapshot!(sample(Kind::Approval).body, @r#"
    Example personal access token exp_…wQ7w of ada (acme) leaked in
    deploy/settings.py:3 and 1 more place. It is alive, severity critical.
    Nothing is done to it before a person says yes: unleak approve
    5a3c91d07be24f68

    Hello Grace Example, this is unleak, which looks for leaked tokens. You get
    this because you own the organisation acme, which the token opens.

    What to do now
      1. Look at the plan and say yes or no: unleak approve 5a3c91d07be24f68
      2. Or revoke the token by hand: https://example.com/settings/tokens
      3. Or let the organisation do this: remove the member from the
         organisation, in acme

    What leaked
      Token: Example personal access token exp_…wQ7w
      Severity: critical
      State: The token is alive (200).
      Owner: ada
      E-mail: ada@example.com
      Organisations: acme
      Scopes: repo, workflow
      Rule: example/personal-access-token
      Fingerprint: 5a3c91d07be24f680000000000000000

    Where
      deploy/settings.py:3:12 in commit c0ffee00c0ff… of 1970-01-01 by Ada
      Example <ada@example.com>
      README.md:40:12 in commit c0ffee00c0ff… of 1970-01-01 by Ada Example
      <ada@example.com>

    What was or will be done
      Nothing has been done to the token yet.
      Decision: policy entry "our own CI" allows to revoke once a person
      approves.

    You cannot answer this message; it was made by a machine. The token itself
    is not in it, and nobody from unleak will ever ask you for it.
    "#);
}

#[test]
fn the_digest() {
    insta::assert_snapshot!(sample(Kind::Digest).body, @r"
    4 tokens have leaked, the worst of severity critical: 3 alive, 1 dead, 0 not
    known. Start at the top of the list; each has its next step.

    Hello Grace Example, this is unleak, which looks for leaked tokens. You get
    this because you own the organisation acme, which the token opens.

    What to do now
      1. Revoke what is alive, from the top of the list to its end.
      2. Put new tokens in their place, from a secret store and not from files
         in a repository.
      3. Look for use of the tokens that was not yours, from the day they got
         out.

    What leaked

      1. critical: Example personal access token exp_…wQ7w of ada (acme), alive
         deploy/settings.py:6 and 1 more place
         Nothing is done before a person says yes: unleak approve
         5a3c91d07be24f68
         https://example.com/settings/tokens
         example/personal-access-token 5a3c91d07be24f680000000000000003; you
         hear of it because you own the organisation acme, which the token opens

      2. high: Example personal access token exp_…wQ7w of ada (acme), alive
         deploy/settings.py:4 and 1 more place
         Nothing has been done to the token yet.
         https://example.com/settings/tokens
         example/personal-access-token 5a3c91d07be24f680000000000000001; you
         hear of it because you own the organisation acme, which the token opens

      3. medium: Example personal access token exp_…wQ7w of ada (acme), alive
         deploy/settings.py:5 and 1 more place
         The containment is done and proved (by way of: containment).
         https://example.com/settings/tokens
         example/personal-access-token 5a3c91d07be24f680000000000000002; you
         hear of it because you own the organisation acme, which the token opens

      4. critical: Example personal access token exp_…wQ7w of ada (acme), dead
         deploy/settings.py:3 and 1 more place
         The revocation is done and proved (by way of: operator).
         https://example.com/settings/tokens
         example/personal-access-token 5a3c91d07be24f680000000000000000; you
         hear of it because you own the organisation acme, which the token opens

    You cannot answer this message; it was made by a machine. The token itself
    is not in it, and nobody from unleak will ever ask you for it.
    ");
}

#[test]
fn no_form_of_any_notice_holds_the_secret() {
    let held = alive();
    let secret = held.secret.expose_str().unwrap().to_owned();
    let (card, room) = (card(), room(Channel::Slack));
    for owner in [owner("ada"), room] {
        let mut messages: Vec<Message> = KINDS.map(|kind| message_of(kind, &held, &owner)).into();
        let (one, two) = (
            about(Kind::Found, &held, &owner, &card),
            about(Kind::Revoked, &held, &owner, &card),
        );
        messages.push(texts().digest(&[one, two]).unwrap());
        for message in messages {
            let places = [(message.kind.name().to_owned(), all_of(&message).into_bytes())];
            let found = sought::found(std::slice::from_ref(&secret), &places);
            assert!(found.is_empty(), "{found:?}");
            assert!(
                all_of(&message).contains(&held.leak.fingerprint.to_string()),
                "its name is there"
            );
            assert!(
                all_of(&message).contains(&held.leak.redacted),
                "its last characters are there"
            );
        }
    }
}

#[test]
fn the_html_of_every_notice_escapes_what_comes_from_outside() {
    let evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&";
    let (mut held, _) = hostile();
    held.leak.sightings[0].path = evil.to_owned();
    held.leak.identity.principal = Some(evil.to_owned());
    held.leak.identity.organisations = vec![evil.to_owned()];
    held.leak.redacted = evil.to_owned();
    held.leak.verdict = Some(Verdict::Unknown {
        reason: evil.to_owned(),
    });
    held.leak.revocation = Some(Revocation::Refused {
        reason: evil.to_owned(),
    });
    let mut card = card();
    card.title = evil.to_owned();
    card.page = Some(format!("https://example.com/\"{evil}"));
    let owner = Owner {
        name: evil.to_owned(),
        reason: OwnerReason::OrganisationOwner,
        organisation: Some(evil.to_owned()),
        ..owner("ada")
    };
    let mut messages: Vec<Message> = KINDS
        .map(|kind| texts().message(&about(kind, &held, &owner, &card)).unwrap())
        .into();
    let one = about(Kind::Found, &held, &owner, &card);
    messages.push(texts().digest(&[one, one]).unwrap());
    for message in messages {
        let html = message.html.unwrap();
        assert!(
            !html.contains("<script") && !html.contains("<img") && !html.contains("\"'&"),
            "{html}"
        );
        assert!(html.contains("&lt;script&gt;"), "{html}");
        // Every attribute ends where the layout ends it.
        assert!(!html.contains("href=\"https://example.com/\""), "{html}");
    }
}

#[test]
fn many_leaks_of_one_owner_are_one_message_with_the_worst_on_top_and_what_is_dead_at_the_end() {
    let (card, owner) = (card(), owner("ada"));
    let mut leaks: Vec<_> = (0..50).map(|at| held(&format!("leak{at}"))).collect();
    for held in &mut leaks {
        held.leak.verdict = Some(Verdict::Live {
            reason: "200".to_owned(),
        });
    }
    leaks[7].leak.severity = unleak::finding::Severity::Critical;
    leaks[9].leak.verdict = Some(Verdict::Dead {
        why: DeadWhy::Revoked,
        reason: "401".to_owned(),
    });
    let several: Vec<_> = leaks
        .iter()
        .map(|held| about(Kind::of(&held.leak), held, &owner, &card))
        .collect();
    let message = texts().digest(&several).unwrap();
    assert!(
        message
            .subject
            .starts_with("[unleak] critical: 50 leaked tokens, 49 alive, 1 dead"),
        "{}",
        message.subject
    );
    assert_eq!(message.content.rows.len(), 50);
    assert_eq!(
        message.content.rows[0].fingerprint,
        leaks[7].leak.fingerprint.to_string()
    );
    assert_eq!(
        message.content.rows[49].fingerprint,
        leaks[9].leak.fingerprint.to_string()
    );
    for held in &leaks {
        let name = held.leak.fingerprint.to_string();
        assert!(message.body.contains(&name) && message.html.as_ref().unwrap().contains(&name));
    }
    let mut backwards = several.clone();
    backwards.reverse();
    assert_eq!(
        texts().digest(&backwards).unwrap().id,
        message.id,
        "made again it has the same name"
    );
    assert_eq!(
        texts().digest(&several[..1]).unwrap().kind,
        Kind::Found,
        "one leak is no digest"
    );
}
