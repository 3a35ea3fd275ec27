//! The folder that takes a file per notice.

use unleak::notify::{Channel, Notifier};

use super::{alive, files, message_for, settings};
use crate::store::owner;

#[tokio::test]
async fn the_outbox_takes_one_whole_file_per_notice_and_stays_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("out/box");
    let notifier = Notifier::new(&settings(&format!("outbox = {outbox:?}"))).unwrap();
    let mut away = owner("../../../../tmp/x");
    away.email = None;
    assert_eq!(notifier.channels(&away), [Channel::Outbox]);
    let mut held = alive();
    let message = message_for(&held, &away);
    for _ in 0..2 {
        let sent = notifier.send(&message, &[Channel::Outbox]).await;
        assert!(sent[0].result.is_ok(), "{sent:?}");
    }
    // Rule ids come from rule files, which a user may load from anywhere.
    held.leak.rule = unleak::finding::RuleId::new("../..", "../../../etc/passwd");
    notifier
        .send(&message_for(&held, &away), &[Channel::Outbox])
        .await;
    let names = files(&outbox);
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names
            .iter()
            .all(|name| name.ends_with(".txt") && !name.starts_with('.')),
        "{names:?}"
    );
    assert_eq!(files(folder.path()), ["out"]);
    let name = names.iter().find(|name| name.contains("example-token")).unwrap();
    let text = std::fs::read_to_string(outbox.join(name)).unwrap();
    assert!(
        text.starts_with("To: ../../../../tmp/x <no address known>\nSubject: [unleak] high: leaked"),
        "{text}"
    );
    assert!(text.contains("src/a.rs:3:7 in commit c0ffeec0ffee"), "{text}");
}
