//! Made-up leaks, to try the texts on and to show an operator what people get. Nothing here is a token or a person.

use anyhow::Result;
use jiff::Timestamp;

use super::message::{About, Kind, Message};
use super::texts::Texts;
use crate::finding::{CommitInfo, Confidence, RuleCard, RuleId, Severity};
use crate::leak::{DeadWhy, Identity, Leak, Owner, OwnerReason, Revocation, Sighting, Verdict};
use crate::secret::Fingerprint;

/// Every kind that has texts.
pub(super) const KINDS: &[Kind] = &[
    Kind::Found,
    Kind::Approval,
    Kind::Escalation(1),
    Kind::Contained,
    Kind::Revoked,
    Kind::Digest,
];

/// A leak and all that belongs to a notice about it.
pub(super) struct Sample {
    leak: Leak,
    owner: Owner,
    card: RuleCard,
    planned: &'static str,
    containment: Option<&'static str>,
}

impl Sample {
    pub(super) fn about(&self, kind: Kind) -> About<'_> {
        About {
            kind,
            leak: &self.leak,
            owner: &self.owner,
            card: &self.card,
            planned: self.planned,
            containment: self.containment,
            command: if kind == Kind::Approval {
                "unleak approve 5a3c91d07be24f68"
            } else {
                "unleak revoke 5a3c91d07be24f68"
            },
        }
    }

    fn with(mut self, kind: Kind) -> Self {
        match kind {
            Kind::Revoked => {
                self.leak.verdict = Some(Verdict::Dead {
                    why: DeadWhy::Revoked,
                    reason: "401".to_owned(),
                });
                self.leak.revocation = Some(Revocation::Done {
                    with: "operator".to_owned(),
                });
                self.planned = "";
            }
            Kind::Contained => {
                self.leak.containment = Some(Revocation::Done {
                    with: "containment".to_owned(),
                });
                self.planned = "";
            }
            Kind::Approval => {
                self.planned = "policy entry \"our own CI\" allows to revoke once a person approves"
            }
            Kind::Escalation(_) => self.planned = "the token is alive 24h after its owners were told",
            Kind::Found | Kind::Digest | Kind::Tokens => {}
        }
        self
    }
}

/// A leak of which everything is known.
pub(super) fn leak() -> Sample {
    numbered(0)
}

fn numbered(number: usize) -> Sample {
    let seen = Timestamp::UNIX_EPOCH;
    let severity = [Severity::Critical, Severity::High, Severity::Medium][number % 3];
    let sighting = |path: &str, line| Sighting {
        origin: "history".to_owned(),
        path: path.to_owned(),
        line,
        column: 12,
        commit: Some(CommitInfo {
            id: "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00".to_owned(),
            author: "Ada Example".to_owned(),
            email: "ada@example.com".to_owned(),
            date: seen,
        }),
    };
    let rule = RuleId::new("example", "personal-access-token");
    Sample {
        leak: Leak {
            fingerprint: Fingerprint::parse(&format!("5a3c91d07be24f68{number:016x}"))
                .unwrap_or_else(|| unreachable!("32 hexadecimal digits")),
            rule: rule.clone(),
            redacted: "exp_…wQ7w".to_owned(),
            severity,
            sightings: vec![
                sighting("deploy/settings.py", 3 + number),
                sighting("README.md", 40),
            ],
            first_seen: seen,
            last_seen: seen,
            verdict: Some(Verdict::Live {
                reason: "200".to_owned(),
            }),
            identity: Identity {
                principal: Some("ada".to_owned()),
                email: Some("ada@example.com".to_owned()),
                organisations: vec!["acme".to_owned()],
                scopes: vec!["repo".to_owned(), "workflow".to_owned()],
                ..Identity::default()
            },
            owners: Vec::new(),
            notices: Vec::new(),
            revocation: None,
            containment: None,
        },
        owner: grace(),
        card: card(rule, severity),
        planned: "no policy entry allows more than telling people",
        containment: Some("remove the member from the organisation, in acme"),
    }
}

fn grace() -> Owner {
    Owner {
        name: "Grace Example".to_owned(),
        email: Some("grace@example.com".to_owned()),
        reason: OwnerReason::OrganisationOwner,
        organisation: Some("acme".to_owned()),
    }
}

fn card(rule: RuleId, severity: Severity) -> RuleCard {
    RuleCard {
        id: rule,
        title: "Example personal access token".to_owned(),
        service: "Example".to_owned(),
        docs: "https://docs.example.com/tokens".to_owned(),
        page: Some("https://example.com/settings/tokens".to_owned()),
        severity,
        confidence: Confidence::High,
    }
}

/// A leak of which next to nothing is known.
fn bare() -> Sample {
    let mut bare = numbered(1);
    bare.leak.verdict = None;
    bare.leak.identity = Identity::default();
    bare.leak.sightings.clear();
    bare.owner.reason = OwnerReason::Channel;
    bare.card.page = None;
    bare.planned = "";
    bare.containment = None;
    bare
}

/// One message of each kind with everything in it.
pub(super) fn rich(texts: &Texts) -> Result<Vec<Message>> {
    let of = |kind: &Kind| {
        if *kind == Kind::Digest {
            let several = [
                numbered(0).with(Kind::Revoked),
                numbered(1),
                numbered(2).with(Kind::Contained),
                numbered(3).with(Kind::Approval),
            ];
            let kinds = [Kind::Revoked, Kind::Found, Kind::Contained, Kind::Approval];
            let about: Vec<_> = several
                .iter()
                .zip(kinds)
                .map(|(one, kind)| one.about(kind))
                .collect();
            return texts.digest(&about);
        }
        texts.message(&leak().with(*kind).about(*kind))
    };
    KINDS.iter().map(of).collect()
}

/// Messages of each kind, with everything in them and with next to nothing.
pub(super) fn messages(texts: &Texts) -> Result<Vec<Message>> {
    let mut messages = rich(texts)?;
    for kind in KINDS {
        let (one, two) = (bare(), leak());
        messages.push(match kind {
            Kind::Digest => texts.digest(&[one.about(Kind::Found), two.about(Kind::Found)])?,
            kind => texts.message(&one.about(*kind))?,
        });
    }
    Ok(messages)
}
