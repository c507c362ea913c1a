//! Events in the compact form, as they are stored and read.

use data_encoding::BASE64;
use domain::event::{Event, envelope};
use domain::value::Timestamp;
use ports::WideEvents;
use serde_json::{Value, json};
use testing::{account, event_text};

use super::*;
use crate::dynamodb::fake_table::FakeTable;
use crate::dynamodb::keys::Key;

/// An event that owes nothing, with so many bytes more in its body.
fn event(bytes: usize) -> SealedEvent {
    let now = Timestamp::from_unix_ms(1_795_426_200_000);
    let text = event_text(&account("acme"), "evt-1");
    let event = Event::parse(&text, now).map_err(|rejection| rejection.detail).expect("an event");
    let mut sealed = testing::sealed(&event, Vec::new(), now);
    sealed.body += &(0..bytes / 8).map(|n| format!("{:08x}", n * 2_654_435)).collect::<String>();
    sealed.digest = envelope::content_digest(&sealed.body);
    sealed
}

#[track_caller]
fn check_names(error: &PortError, key: &Key) {
    assert!(matches!(error, PortError::Permanent { .. }), "{error}");
    let source = std::error::Error::source(error).expect("a source").to_string();
    assert!(source.contains(&key.pk) && source.contains(&key.sk), "{source}");
}

#[tokio::test]
async fn a_compact_body_that_cannot_be_read_fails_by_its_key_and_its_event_stays_sealed() {
    for bytes in [0, 20_000] {
        let (table, event) = (FakeTable::default(), event(bytes));
        let own = keys::event(&event.account, &event.id);
        table.store().with_compact_events(true).seal_event(&event).await.expect("sealed");
        // A store that writes the plain form reads both.
        let store = table.store();
        let find_event = async || store.find_event(&event.account, &event.id).await;
        let find_body = async || store.find_body(&event.account, &event.id).await;
        assert_eq!(find_event().await.expect("an answer").as_ref(), Some(&event));
        assert_eq!(find_body().await.expect("an answer").as_ref(), Some(&event.body));

        let (key, stored) = table.attribute("body_z").expect("a compact body");
        assert_eq!(key.sk == own.sk, bytes == 0);
        let stored_bytes = BASE64.decode(stored["B"].as_str().unwrap_or_default().as_bytes()).expect("base 64");
        let half = json!({ "B": BASE64.encode(&stored_bytes[..stored_bytes.len() / 2]) });
        for damaged in [half, json!({ "S": "confidential" }), Value::Null] {
            table.set(&key, "body_z", damaged);
            check_names(&find_body().await.expect_err("unreadable"), &key);
            let error = find_event().await.expect_err("unreadable");
            assert!(matches!(error, PortError::Permanent { .. }), "{error}");
            let seal = store.find_seal(&event.account, &event.id).await.expect("an answer").expect("a seal");
            assert_eq!(seal.digest, event.digest);
        }
        table.set(&key, "body_z", stored);
        assert_eq!(find_body().await.expect("an answer").as_ref(), Some(&event.body));
    }
}

#[tokio::test]
async fn a_text_in_the_place_of_another_body_is_read_as_before() {
    // Nobody compared digests of bodies that are texts, and rows of before may have any.
    let (table, event) = (FakeTable::default(), SealedEvent { digest: [9; 32], ..event(0) });
    let store = table.store();
    store.seal_event(&event).await.expect("sealed");
    assert_eq!(store.find_event(&event.account, &event.id).await.expect("an answer"), Some(event));
}
