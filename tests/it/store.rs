//! The store on real SQLite files: what it keeps, what it never shows, and what two processes cannot do to it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection, Executor, Row, SqliteConnection};
use tempfile::TempDir;
use unleak::finding::{CommitInfo, RuleId, Severity};
use unleak::leak::{DeadWhy, Held, Identity, Leak, Owner, OwnerReason, Revocation, Sighting, Verdict};
use unleak::secret::{FingerprintKey, Secret};
use unleak::store::{Chain, Store, StoreKey};

/// A leak of a made-up service; `word` makes it a different secret.
pub(crate) fn held(word: &str) -> Held {
    let secret = Secret::new(format!("exp_{word}{}", "Q7w".repeat(10)));
    let now: Timestamp = "2025-06-01T12:00:00.25Z".parse().unwrap();
    Held {
        leak: Leak {
            fingerprint: FingerprintKey::new("k").fingerprint(&secret),
            rule: RuleId::new("example", "token"),
            redacted: secret.redacted("exp_"),
            severity: Severity::High,
            sightings: vec![sighting("src/a.rs", 3)],
            first_seen: now,
            last_seen: now,
            verdict: None,
            identity: Identity::default(),
            owners: Vec::new(),
            notices: Vec::new(),
            revocation: None,
            containment: None,
        },
        secret,
        parts: BTreeMap::new(),
        facts: BTreeMap::new(),
    }
}

pub(crate) fn sighting(path: &str, line: usize) -> Sighting {
    Sighting {
        origin: "history".to_owned(),
        path: path.to_owned(),
        line,
        column: 7,
        commit: Some(CommitInfo {
            id: "c0ffee".repeat(6),
            author: "Ada".to_owned(),
            email: "ada@example.com".to_owned(),
            date: "2024-02-03T04:05:06Z".parse().unwrap(),
        }),
    }
}

pub(crate) fn owner(name: &str) -> Owner {
    Owner {
        name: name.to_owned(),
        email: Some(format!("{name}@example.com")),
        reason: OwnerReason::TokenOwner,
        organisation: None,
    }
}

fn key() -> StoreKey {
    StoreKey::new([7; 32])
}

fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("store.db").display())
}

async fn fresh() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(folder.path()), &key()).await.unwrap();
    (folder, store)
}

async fn raw(folder: &Path) -> SqliteConnection {
    SqliteConnection::connect(&url(folder)).await.unwrap()
}

/// All bytes of the database and its side files.
fn bytes(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        all.extend(std::fs::read(folder.join(name)).unwrap_or_default());
    }
    all
}

fn holds(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_leak_reads_back_as_it_was_recorded_and_after_reopening_the_file() {
    let (folder, store) = fresh().await;
    let held = held("a");
    let recorded = store.record(&held).await.unwrap();
    assert!(recorded.new && !recorded.closed);
    assert_eq!(recorded.leak, held.leak);
    store.shut().await;
    let store = Store::open(&url(folder.path()), &key()).await.unwrap();
    let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
    assert_eq!(
        store.leak(fingerprint, rule).await.unwrap(),
        Some(held.leak.clone())
    );
    let unsealed = store.unseal(fingerprint, rule).await.unwrap().unwrap();
    assert_eq!(unsealed.secret, held.secret);
    assert_eq!(
        store
            .leak(fingerprint, &RuleId::new("example", "other"))
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn a_leak_seen_again_keeps_what_is_known_and_gains_only_new_places_and_parts() {
    let (_folder, store) = fresh().await;
    let mut held = held("a");
    held.parts.insert("id".to_owned(), Secret::new("part one"));
    store.record(&held).await.unwrap();
    let (fingerprint, rule) = (held.leak.fingerprint, held.leak.rule.clone());
    let verdict = Verdict::Live {
        reason: "200".to_owned(),
    };
    let identity = Identity {
        principal: Some("ada".to_owned()),
        ..Identity::default()
    };
    store
        .save_verdict(fingerprint, &rule, &verdict, &identity)
        .await
        .unwrap();
    store
        .save_owners(fingerprint, &rule, &[owner("ada")])
        .await
        .unwrap();

    held.parts = [("region".to_owned(), Secret::new("part two"))].into();
    held.facts = [("base".to_owned(), "https://eu.example.com".to_owned())].into();
    held.leak.last_seen += SignedDuration::from_hours(1);
    held.leak.sightings.push(sighting("src/b.rs", 9));
    let again = store.record(&held).await.unwrap();
    assert!(!again.new);
    assert_eq!(again.leak.verdict, Some(verdict));
    assert_eq!(again.leak.identity, identity);
    assert_eq!(again.leak.owners, [owner("ada")]);
    assert_eq!(again.leak.sightings, held.leak.sightings);
    assert_eq!(again.leak.last_seen, held.leak.last_seen);
    let unsealed = store.unseal(fingerprint, &rule).await.unwrap().unwrap();
    assert_eq!(unsealed.parts.keys().collect::<Vec<_>>(), ["id", "region"]);
    assert_eq!(unsealed.facts, held.facts);

    let lines = store.ledger(0, 100).await.unwrap().len();
    store.record(&held).await.unwrap();
    assert_eq!(
        store.ledger(0, 100).await.unwrap().len(),
        lines,
        "nothing new, no line"
    );
}

#[tokio::test]
async fn no_byte_of_the_files_holds_a_secret_in_clear() {
    let (folder, store) = fresh().await;
    let mut held = held("a");
    let secret = held.secret.expose_str().unwrap().to_owned();
    let part = Secret::new("a-second-part-of-it");
    held.parts.insert("id".to_owned(), part.clone());
    held.leak
        .sightings
        .push(sighting(&format!("keys/{secret}.txt"), 1));
    let recorded = store.record(&held).await.unwrap();
    assert_eq!(
        recorded.leak.sightings[1].path,
        format!("keys/{}.txt", held.leak.redacted)
    );
    for _ in 0..2 {
        let all = bytes(folder.path());
        assert!(holds(&all, b"src/a.rs"), "the search works");
        assert!(!holds(&all, secret.as_bytes()));
        assert!(!holds(&all, part.expose()));
        assert!(!holds(&all, key().expose()));
        store.shut().await;
    }
    assert!(!format!("{recorded:?}").contains(&secret));
}

#[tokio::test]
async fn closing_a_leak_wipes_its_sealed_secret_for_good() {
    let (folder, store) = fresh().await;
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
    store.record(&held).await.unwrap();
    let sealed: Vec<u8> = raw(folder.path())
        .await
        .fetch_one("SELECT sealed FROM leaks")
        .await
        .unwrap()
        .get(0);
    assert!(holds(&bytes(folder.path()), &sealed[..40]));
    store.close(fingerprint, rule, "dead").await.unwrap();
    assert!(
        !holds(&bytes(folder.path()), &sealed[..40]),
        "not even the sealed form is left"
    );
    assert!(store.unseal(fingerprint, rule).await.unwrap().is_none());

    let again = store.record(&held).await.unwrap();
    assert!(again.closed && !again.new);
    assert!(
        store.unseal(fingerprint, rule).await.unwrap().is_none(),
        "seeing it again does not bring it back"
    );
    store.reopen(&held).await.unwrap();
    let unsealed = store.unseal(fingerprint, rule).await.unwrap().unwrap();
    assert_eq!(unsealed.secret, held.secret);
}

#[tokio::test]
async fn a_notice_is_claimed_exactly_once_by_however_many_stores() {
    let (folder, one) = fresh().await;
    let two = Store::open(&url(folder.path()), &key()).await.unwrap();
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, held.leak.rule.clone());
    one.record(&held).await.unwrap();
    let mut claims = tokio::task::JoinSet::new();
    for store in [&one, &two, &one, &two, &one, &two, &one, &two] {
        let (store, rule) = (store.clone(), rule.clone());
        claims.spawn(async move {
            store
                .claim_notice(fingerprint, &rule, &owner("ada"), "email")
                .await
                .unwrap()
        });
    }
    let won = claims.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);

    // The same person by another reason and another spelling is the same person; another channel is another notice.
    let mut same = owner("ada");
    same.reason = OwnerReason::Committer;
    same.email = Some("Ada@Example.com".to_owned());
    assert!(
        !two.claim_notice(fingerprint, &rule, &same, "email")
            .await
            .unwrap()
    );
    assert!(
        two.claim_notice(fingerprint, &rule, &same, "outbox")
            .await
            .unwrap()
    );

    // A failure that was seen gives the claim up; a success never does.
    one.notice_failed(fingerprint, &rule, &same, "email", "no route")
        .await
        .unwrap();
    assert!(
        two.claim_notice(fingerprint, &rule, &same, "email")
            .await
            .unwrap()
    );
    two.notice_sent(fingerprint, &rule, &same, "email").await.unwrap();
    assert!(
        !one.claim_notice(fingerprint, &rule, &same, "email")
            .await
            .unwrap()
    );
    let leak = one.leak(fingerprint, &rule).await.unwrap().unwrap();
    assert_eq!(leak.notices.len(), 1);
    assert_eq!(
        (leak.notices[0].channel.as_str(), &leak.notices[0].owner),
        ("email", &same)
    );
    assert!(
        one.notice_sent(fingerprint, &rule, &same, "webhook")
            .await
            .is_err(),
        "never claimed"
    );

    // What was claimed and never ended is listed, not sent again.
    let later = Timestamp::now() + SignedDuration::from_secs(1);
    let unfinished = one.unfinished_notices(later).await.unwrap();
    assert_eq!(unfinished.len(), 1);
    assert_eq!(
        (unfinished[0].channel.as_str(), &unfinished[0].owner),
        ("outbox", &same)
    );
}

#[tokio::test]
async fn of_two_stores_that_want_to_revoke_exactly_one_may_send() {
    let (folder, one) = fresh().await;
    let two = Store::open(&url(folder.path()), &key()).await.unwrap();
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, held.leak.rule.clone());
    one.record(&held).await.unwrap();
    let before = Timestamp::now() - SignedDuration::from_secs(1);
    let (a, b) = tokio::join!(
        one.begin_revocation(fingerprint, &rule, None, "entry"),
        two.begin_revocation(fingerprint, &rule, None, "entry"),
    );
    assert_eq!([a.unwrap(), b.unwrap()].into_iter().filter(|won| *won).count(), 1);
    assert!(
        !one.begin_revocation(fingerprint, &rule, Some(&Revocation::Sending), "x")
            .await
            .unwrap()
    );

    let uncertain = Revocation::Uncertain {
        reason: "no answer".to_owned(),
    };
    one.save_revocation(fingerprint, &rule, &uncertain).await.unwrap();
    assert!(
        !two.begin_revocation(fingerprint, &rule, None, "stale")
            .await
            .unwrap()
    );
    assert!(
        two.begin_revocation(fingerprint, &rule, Some(&uncertain), "again")
            .await
            .unwrap()
    );
    let done = Revocation::Done {
        with: "secret".to_owned(),
    };
    two.save_revocation(fingerprint, &rule, &done).await.unwrap();
    assert!(
        !two.begin_revocation(fingerprint, &rule, Some(&done), "x")
            .await
            .unwrap()
    );
    assert_eq!(
        one.leak(fingerprint, &rule).await.unwrap().unwrap().revocation,
        Some(done)
    );

    assert_eq!(
        one.recent_revocations(before).await.unwrap(),
        1,
        "one leak, however often"
    );
    let another = super::store::held("b");
    one.record(&another).await.unwrap();
    assert!(
        one.begin_containment(another.leak.fingerprint, &rule, None, "x")
            .await
            .unwrap()
    );
    assert_eq!(one.recent_revocations(before).await.unwrap(), 2);
    assert_eq!(
        one.recent_revocations(Timestamp::now() + SignedDuration::from_secs(1))
            .await
            .unwrap(),
        0
    );
    assert!(
        one.begin_revocation(super::store::held("c").leak.fingerprint, &rule, None, "x")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_process_killed_after_sending_leaves_sending_behind() {
    let (folder, store) = fresh().await;
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
    store.record(&held).await.unwrap();
    assert!(
        store
            .begin_revocation(fingerprint, rule, None, "entry")
            .await
            .unwrap()
    );
    // The files as they lie on the disk while the process is still at it: what a kill leaves.
    let killed = tempfile::tempdir().unwrap();
    for name in ["store.db", "store.db-wal"] {
        std::fs::copy(folder.path().join(name), killed.path().join(name)).unwrap();
    }
    let store = Store::open(&url(killed.path()), &key()).await.unwrap();
    let leak = store.leak(fingerprint, rule).await.unwrap().unwrap();
    assert_eq!(leak.revocation, Some(Revocation::Sending));
    assert_eq!(
        store.ledger(0, 9).await.unwrap().last().unwrap().action,
        "revocation-sending"
    );
    assert!(matches!(
        store.verify_chain().await.unwrap(),
        Chain::Whole { lines: 2 }
    ));
}

#[tokio::test]
async fn the_ledger_stays_whole_under_two_stores_that_write_at_once() {
    let (folder, one) = fresh().await;
    let two = Store::open(&url(folder.path()), &key()).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for (number, store) in [&one, &two, &one, &two].into_iter().enumerate() {
        let store = store.acting_as(&format!("writer {number}"));
        writers.spawn(async move {
            for line in 0..15 {
                store
                    .append("test", None, &serde_json::json!({ "line": line }))
                    .await
                    .unwrap();
            }
        });
    }
    writers.join_all().await;
    assert_eq!(one.verify_chain().await.unwrap(), Chain::Whole { lines: 60 });
    let lines = two.ledger(20, 1000).await.unwrap();
    assert_eq!((lines.len(), lines[0].seq), (40, 21));
    assert!(lines.iter().any(|line| line.actor == "writer 3"));
}

#[tokio::test]
async fn every_change_of_a_leak_is_a_line() {
    let (_folder, store) = fresh().await;
    let store = store.acting_as("ada");
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
    store.record(&held).await.unwrap();
    let dead = Verdict::Dead {
        why: DeadWhy::Revoked,
        reason: "401".to_owned(),
    };
    store
        .save_verdict(fingerprint, rule, &dead, &Identity::default())
        .await
        .unwrap();
    store
        .save_owners(fingerprint, rule, &[owner("ada")])
        .await
        .unwrap();
    store
        .claim_notice(fingerprint, rule, &owner("ada"), "email")
        .await
        .unwrap();
    store
        .notice_sent(fingerprint, rule, &owner("ada"), "email")
        .await
        .unwrap();
    store
        .begin_containment(fingerprint, rule, None, "x")
        .await
        .unwrap();
    let refused = Revocation::Refused {
        reason: "no".to_owned(),
    };
    store.save_containment(fingerprint, rule, &refused).await.unwrap();
    store.close(fingerprint, rule, "dead").await.unwrap();
    let lines = store.ledger(0, 100).await.unwrap();
    let actions: Vec<&str> = lines.iter().map(|line| line.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "found",
            "verified",
            "owners",
            "told",
            "containment-sending",
            "containment-refused",
            "closed"
        ]
    );
    assert!(
        lines
            .iter()
            .all(|line| line.actor == "ada" && line.fingerprint == fingerprint.to_string())
    );
}

/// Changes the ledger behind the store's back and says what the store makes of it.
async fn after(tampering: &'static str) -> Chain {
    let (folder, store) = fresh().await;
    for number in 0..5 {
        store
            .append("test", None, &serde_json::json!({ "number": number }))
            .await
            .unwrap();
    }
    assert_eq!(store.verify_chain().await.unwrap(), Chain::Whole { lines: 5 });
    let mut raw = raw(folder.path()).await;
    assert!(
        raw.execute(tampering).await.is_err(),
        "the file itself refuses: {tampering}"
    );
    raw.execute("DROP TRIGGER ledger_keeps_its_lines").await.unwrap();
    raw.execute("DROP TRIGGER ledger_loses_no_line").await.unwrap();
    raw.execute(tampering).await.unwrap();
    store.verify_chain().await.unwrap()
}

#[tokio::test]
async fn a_changed_missing_or_cut_off_line_of_the_ledger_is_named() {
    for (tampering, line) in [
        ("UPDATE ledger SET detail = '{}' WHERE seq = 3", 3),
        ("UPDATE ledger SET at = at + 1 WHERE seq = 1", 1),
        ("UPDATE ledger SET actor = 'x' WHERE seq = 5", 5),
        ("UPDATE ledger SET fingerprint = 'x' WHERE seq = 2", 2),
        ("DELETE FROM ledger WHERE seq = 2", 2),
        ("DELETE FROM ledger WHERE seq = 1", 1),
        ("DELETE FROM ledger WHERE seq = 5", 5),
        ("DELETE FROM ledger", 1),
    ] {
        match after(tampering).await {
            Chain::Broken { line: named, .. } => assert_eq!(named, line, "{tampering}"),
            whole @ Chain::Whole { .. } => panic!("{tampering}: {whole}"),
        }
    }
}

#[tokio::test]
async fn a_leak_is_found_by_an_unambiguous_beginning_of_its_fingerprint() {
    let (_folder, store) = fresh().await;
    let mut first = held("a");
    store.record(&first).await.unwrap();
    let name = first.leak.fingerprint.to_string();
    first.leak.rule = RuleId::new("example", "other");
    store.record(&first).await.unwrap();
    for beginning in [&name[..4], &name[..9], &name] {
        assert_eq!(
            store.find(beginning).await.unwrap().len(),
            2,
            "both rules that know it"
        );
    }
    let mut sharing = held("b");
    let tail = if name.ends_with('0') { "1" } else { "0" };
    sharing.leak.fingerprint = unleak::secret::Fingerprint::parse(&format!("{}{tail}", &name[..31])).unwrap();
    store.record(&sharing).await.unwrap();
    assert!(
        store
            .find(&name[..12])
            .await
            .unwrap_err()
            .to_string()
            .contains("give more digits")
    );
    assert_eq!(store.find(&name).await.unwrap().len(), 2);
    assert!(store.find("ffff00ff").await.unwrap().is_empty());
    for wrong in ["", "abc", "ABCDEF", "zzzz", "abcd%", &"a".repeat(33)] {
        assert!(store.find(wrong).await.is_err(), "{wrong}");
    }
    assert_eq!(store.all().await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_file_and_its_folder_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("new/er");
    let store = Store::open(&url(&inner), &key()).await.unwrap();
    store.record(&held("a")).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        assert_eq!(mode(&inner.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn many_stores_can_make_the_same_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = url(folder.path());
        opening.spawn(async move { Store::open(&url, &key()).await.map(|_| ()) });
    }
    for opened in opening.join_all().await {
        opened.unwrap();
    }
}

#[tokio::test]
async fn a_store_in_memory_remembers_for_its_run_and_leaves_nothing() {
    let store = Store::open("sqlite::memory:", &key()).await.unwrap();
    store.record(&held("a")).await.unwrap();
    let mut reading = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let store = store.clone();
        reading.spawn(async move { store.all().await.unwrap().len() });
    }
    assert_eq!(reading.join_all().await, [1; 5]);
    let other = Store::open("sqlite::memory:", &key()).await.unwrap();
    assert!(other.all().await.unwrap().is_empty());
}

async fn refused(url: &str, key: &StoreKey) -> String {
    match Store::open(url, key).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => format!("{error:#}"),
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_used_says_what_is_wrong_and_what_to_do() {
    let (folder, store) = fresh().await;
    store.shut().await;
    let same = url(folder.path());
    assert!(
        refused(&same, &StoreKey::new([8; 32]))
            .await
            .contains("another store key")
    );
    assert!(Store::open(&same, &key()).await.is_ok());
    raw(folder.path())
        .await
        .execute("INSERT INTO store_schema VALUES (99)")
        .await
        .unwrap();
    assert!(refused(&same, &key()).await.contains("newer unleak"));

    std::fs::write(folder.path().join("text"), "not a database ".repeat(100)).unwrap();
    let text = format!("sqlite:{}", folder.path().join("text").display());
    assert!(refused(&text, &key()).await.contains("is not a database"));
    let below = format!("sqlite:{}", folder.path().join("text/store.db").display());
    assert!(
        refused(&below, &key())
            .await
            .contains("cannot make the store's folder")
    );
    let a_folder = format!("sqlite:{}", folder.path().display());
    assert!(refused(&a_folder, &key()).await.contains("cannot be opened"));
    assert!(
        refused("postgres://localhost/x", &key())
            .await
            .contains("sqlite:PATH")
    );
    assert!(refused("sqlite:", &key()).await.contains("names no file"));
    assert!(
        StoreKey::from_slice(&[0; 31])
            .unwrap_err()
            .to_string()
            .contains("32 bytes, not 31")
    );
}
