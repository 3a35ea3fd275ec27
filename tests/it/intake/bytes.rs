//! Whatever bytes come: no panic, nothing lost, nothing made up.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use serde_json::{Value, json};
use unleak::respond::alerts::Alert;
use unleak::secret::Secret;
use unleak::server::intake::record::{Record, read};
use unleak::server::intake::refusal::Refusal;
use unleak::server::intake::signature::PublicKey;
use unleak::server::intake::standard::SigningKey;

use super::desk::Signer;

/// JSON of every form, some of it a record.
fn element() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        Just("  acme ".to_owned()),
        Just("\u{fffd}".to_owned())
    ];
    prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        (text.clone(), text.clone(), text)
            .prop_map(|(token, kind, url)| json!({ "token": token, "type": kind, "url": url })),
        any::<String>().prop_map(|text| json!({ "type": text })),
        vec(any::<u8>(), 0..4).prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_a_report_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        if let Err(refusal) = read(&bytes, 10) {
            assert!(matches!(refusal, Refusal::Unreadable(_) | Refusal::TooLarge(_)));
        }
    }

    #[test]
    fn every_element_of_a_report_is_a_record_or_told_as_bad(list in vec(element(), 0..20)) {
        let batch = read(serde_json::to_string(&list).unwrap().as_bytes(), 20).unwrap();
        assert_eq!(batch.records.len() + batch.bad.len(), list.len());
        for record in &batch.records {
            assert!(!record.token.is_empty() && record.hash.len() == 64);
            assert_eq!(record.sightings("door").len(), 1);
        }
        let longer = read(serde_json::to_string(&list).unwrap().as_bytes(), list.len().saturating_sub(1));
        assert!(longer.is_err() || list.is_empty());
    }

    #[test]
    fn a_report_that_is_cut_or_changed_is_never_taken_for_a_longer_one(list in vec(element(), 1..6), at in any::<usize>(), byte in any::<u8>()) {
        let mut bytes = serde_json::to_vec(&list).unwrap();
        let cut = at % bytes.len();
        if let Ok(batch) = read(&bytes[..cut], 20) {
            assert!(batch.records.len() + batch.bad.len() <= list.len());
        }
        bytes[cut] = byte;
        let _read = read(&bytes, 20);
    }

    #[test]
    fn any_text_is_a_record_or_told_as_bad(text in any::<String>()) {
        let _read = Record::read(&text);
        if let Ok(record) = Record::new(&text) {
            assert_eq!(record.token.expose_str().unwrap(), text.trim());
        }
    }

    #[test]
    fn no_text_is_a_key_and_no_text_a_signature(text in any::<String>(), body in vec(any::<u8>(), 0..50)) {
        assert!(PublicKey::from_pem(&text).is_err());
        assert!(PublicKey::from_pem(&format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")).is_err());
        let signer = Signer::new();
        let key = PublicKey::from_pem(&signer.pem).unwrap();
        assert!(!key.signed(&body, &text));
        assert!(key.signed(&body, &signer.sign(&body)));
        assert!(SigningKey::read(&Secret::new(text)).is_err());
    }

    #[test]
    fn no_page_of_another_host_is_an_alert(host in "[a-z.]{1,20}", rest in any::<String>()) {
        let bases = ["https://api.github.com".to_owned()];
        assert_eq!(Alert::of_page(&rest, &bases), None);
        let page = format!("https://{host}/acme/app/security/secret-scanning/1");
        assert_eq!(Alert::of_page(&page, &bases).is_some(), host == "github.com");
    }
}
