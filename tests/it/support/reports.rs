//! Reports made by hand, with every oddity that a scan may bring.

use std::collections::BTreeMap;

use unleak::finding::{
    CommitInfo, Confidence, Coverage, Excerpt, Finding, Location, Origin, RuleCard, RuleId, ScanPath,
    Severity, Skipped, Suppression,
};
use unleak::leak::{DeadWhy, Identity, Owner, OwnerReason, Verdict};
use unleak::report::{Format, Learnt, Options, Report, write};
use unleak::secret::{FingerprintKey, Secret};

/// Every secret of [`odd`]; no output may hold one. Joined at run time, so that no file holds one either.
pub(crate) fn secrets() -> [String; 4] {
    [
        ["exp_", "Wq7Lr2Zt9Xk4Vb6N", "m1Jh3Gf5Ds8Pa0Yu2Ce"].concat(),
        ["-----BEGIN EXAMPLE ", "KEY-----\nQm9hcmQ\n-----END"].concat(),
        ["pub_", "ZyXwVuTsRqPoNmLk", "JiHgFeDcBa987654"].concat(),
        ["old_", "0f1e2d3c4b5a6978", "8796a5b4c3d2e1f0"].concat(),
    ]
}

/// A report with nothing in it.
pub(crate) fn empty() -> Report {
    Report {
        findings: Vec::new(),
        rules: vec![
            card(
                "example/personal-access-token",
                "Example personal access token",
                Severity::Critical,
            ),
            card("example/signing-key", "Example {signing} key", Severity::High),
            card("metrics/public-key", "Metrics public key", Severity::Info),
            card("unused/token", "Unused token", Severity::Low),
        ],
        refused: None,
        marks: None,
        coverage: Coverage {
            files: 12,
            bytes: 34_567,
            blobs: 8,
            commits: 5,
            binary: 1,
            skipped: Vec::new(),
        },
        learnt: BTreeMap::new(),
        repository: None,
        version: "0.1.0".to_owned(),
        started: "2026-01-02T03:04:05.678901234Z".parse().unwrap(),
        ended: "2026-01-02T03:04:06Z".parse().unwrap(),
    }
}

/// A finding in the working tree.
pub(crate) fn finding(rule: &str, secret: &str, path: &[u8], line: usize) -> Finding {
    let (service, rule) = rule.split_once('/').unwrap();
    let secret = Secret::new(secret);
    let width = secret.len();
    Finding {
        rule: RuleId::new(service, rule),
        fingerprint: FingerprintKey::new("test").fingerprint(&secret),
        redacted: secret.redacted("exp_"),
        secret,
        parts: BTreeMap::new(),
        facts: BTreeMap::new(),
        severity: Severity::Critical,
        confidence: Confidence::High,
        location: Location {
            path: ScanPath::new(path),
            line,
            column: 9,
            end_line: line,
            end_column: 9 + width,
            column_utf16: 9,
            end_column_utf16: 9 + width,
            origin: Origin::Worktree,
        },
        decoded_via: None,
        line_hash: None,
        excerpt: None,
        suppression: None,
    }
}

/// A report with everything that is hard to write: paths that are not UTF-8 or hold a secret, control characters, wide
/// characters, a secret over three lines, history, suppressions, what is public, what was not scanned.
pub(crate) fn odd() -> Report {
    let [token, key, public, old] = secrets();
    let pat = "example/personal-access-token";
    let mut report = empty();

    let mut wide = finding(pat, &token, "config/日本 {1}.env".as_bytes(), 3);
    wide.location.column_utf16 = 11;
    wide.location.end_column_utf16 = 50;
    wide.line_hash = Some("c129715d7a2bc9a3:1".to_owned());
    wide.excerpt = Some(Excerpt {
        before: "日本 = \"".to_owned(),
        after: "\"; // <b>\u{202e}&amp; `x` | *y*".to_owned(),
    });

    let mut history = finding(pat, &token, b"old/\xff\x1b[2J.txt", 40);
    history.location.origin = Origin::Commit(commit("Ada\u{202e} Lovelace", "ada@example.com"));
    history.decoded_via = Some("base64".to_owned());

    let mut multiline = finding("example/signing-key", &key, b"keys/a#b?.pem", 1);
    multiline.severity = Severity::High;
    multiline.confidence = Confidence::Medium;
    multiline.location.end_line = 3;
    multiline.location.end_column = 9;
    multiline.location.end_column_utf16 = 9;

    let mut dead = finding(
        "example/signing-key",
        &old,
        format!("logs/{old}.log").as_bytes(),
        7,
    );
    dead.severity = Severity::High;
    dead.excerpt = Some(Excerpt {
        before: format!("{old} = "),
        after: String::new(),
    });
    dead.parts = BTreeMap::from([("client-id".to_owned(), Secret::new("part-of-old-one"))]);

    let mut known = finding("metrics/public-key", &public, b"web/index.html", 2);
    known.severity = Severity::Info;

    let mut marked = finding(pat, &token, b"tests/fixture.txt", 1);
    marked.suppression = Some(Suppression::Inline {
        mark: "unleak:ignore".to_owned(),
        reason: format!("a sample, not {token}"),
    });
    let mut baselined = finding("example/signing-key", &key, b"tests/old.pem", 1);
    baselined.suppression = Some(Suppression::Baseline);

    report.learnt = learnt(&wide, &dead, &token);
    report.findings = vec![marked, dead, known, multiline, baselined, history, wide];
    report.coverage.skipped = vec![
        skipped("refs/heads/gone", "no such ref; fetch it first"),
        skipped("a\r\nb", &format!("cannot be read: {token}")),
    ];
    report.repository = Some((
        "https://user:password@example.com/o/r.git?x=1".to_owned(),
        String::new(),
    ));
    report
}

fn learnt(live: &Finding, dead: &Finding, token: &str) -> BTreeMap<unleak::secret::Fingerprint, Learnt> {
    let owner = Owner {
        name: "Grace".to_owned(),
        email: Some("grace@example.com".to_owned()),
        reason: OwnerReason::OrganisationOwner,
        organisation: Some("acme".to_owned()),
    };
    let alive = Learnt {
        verdict: Some(Verdict::Live {
            reason: format!("200 for {token}"),
        }),
        identity: Identity {
            principal: Some("octo\u{7}".to_owned()),
            organisations: vec!["acme".to_owned()],
            scopes: vec!["repo".to_owned(), "admin".to_owned()],
            ..Identity::default()
        },
        owners: vec![owner],
    };
    let gone = Learnt {
        verdict: Some(Verdict::Dead {
            why: DeadWhy::Revoked,
            reason: "401 for part-of-old-one".to_owned(),
        }),
        ..Learnt::default()
    };
    BTreeMap::from([(live.fingerprint, alive), (dead.fingerprint, gone)])
}

fn card(id: &str, title: &str, severity: Severity) -> RuleCard {
    let (service, rule) = id.split_once('/').unwrap();
    RuleCard {
        id: RuleId::new(service, rule),
        title: title.to_owned(),
        service: "Example".to_owned(),
        docs: "https://docs.example.com/tokens".to_owned(),
        page: (rule == "personal-access-token").then(|| "https://example.com/settings/tokens".to_owned()),
        severity,
        confidence: Confidence::High,
    }
}

fn commit(author: &str, email: &str) -> CommitInfo {
    CommitInfo {
        id: "57fa000662f511321daa61e6769f190ea0e80771".to_owned(),
        author: author.to_owned(),
        email: email.to_owned(),
        date: "2024-05-06T07:08:09Z".parse().unwrap(),
    }
}

fn skipped(what: &str, why: &str) -> Skipped {
    Skipped {
        what: what.to_owned(),
        why: why.to_owned(),
    }
}

/// The report as it is written.
pub(crate) fn written(report: &Report, format: Format, options: &Options) -> String {
    let mut out = Vec::new();
    write(report, format, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}
