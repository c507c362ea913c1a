//! An event that can never be accepted is noted for the operator, and its message is acknowledged.

use std::time::Duration;

use domain::event::rejected_event::{KEPT, KEPT_BYTES};
use domain::event::{Event, RejectionCode};
use ports::Clock;
use testing::{Log, event_text};
use tracing::Level;

use super::{batch, sample, world};

#[tokio::test]
async fn every_rejected_event_is_noted_with_its_reason_and_its_text() {
    let world = world().await;
    world.handle(sample(include_str!("../../../../events/fanout-bad-among-good.json"))).await;
    let sent = sample(include_str!("../../../../events/fanout-bad-among-good.json"));
    let bodies = sent.records.into_iter().filter_map(|record| record.body);
    let reasons = bodies.filter_map(|body| Some((Event::parse(&body, world.clock.now()).err()?, body)));
    let rejected: Vec<_> = reasons.collect();
    let noted = world.store.rejections();
    assert_eq!(noted.len(), rejected.len());
    for (why, body) in &rejected {
        let (note, kept) = noted.iter().find(|(_, kept)| kept == body).expect("a note");
        assert_eq!((note.code, &note.pointer, &note.detail), (why.code, &why.pointer, &why.detail));
        assert_eq!((note.body_bytes, note.is_truncated()), (kept.len(), false));
        assert_eq!((note.rejected_at, note.expires_at), (world.clock.now(), world.clock.now().plus(KEPT)));
        let readable = body.contains(r#""account":"acme""#) && why.code != RejectionCode::MalformedJson;
        assert_eq!(note.account.as_ref(), Some(&world.acme).filter(|_| readable), "{body}");
    }
    assert!(noted.iter().any(|(note, _)| note.account.is_some()));
}

#[tokio::test]
async fn an_id_used_before_is_noted_when_its_message_was_sent() {
    let world = world().await;
    let text = event_text(&world.acme, "evt-1");
    let mut event = batch(&[text.clone(), text.replace("60000", "60001")]);
    event.records[1].attributes.insert("SentTimestamp".into(), "1795426100000".into());
    world.handle(event).await;
    let noted = world.store.rejections();
    assert_eq!(noted.len(), 1);
    assert_eq!((noted[0].0.code, noted[0].0.pointer.as_str()), (RejectionCode::IdReused, "/id"));
    assert_eq!(noted[0].0.id.sent_at().unix_ms(), 1_795_426_100_000);
}

#[tokio::test]
async fn of_a_long_text_the_beginning_is_kept() {
    let world = world().await;
    let text = "x".repeat(KEPT_BYTES + 1);
    world.handle(batch(std::slice::from_ref(&text))).await;
    let noted = world.store.rejections();
    assert_eq!((noted[0].0.body_bytes, noted[0].0.is_truncated(), noted[0].1.len()), (text.len(), true, KEPT_BYTES));
}

#[tokio::test]
async fn a_rejected_event_is_acknowledged_once_it_is_noted_and_noted_once_however_often_it_comes() {
    let world = world().await;
    let mut event = batch(&["{".to_owned(), event_text(&world.acme, "evt-1")]);
    event.records[0].attributes.insert("SentTimestamp".into(), "1795426100000".into());
    world.store.fail("note_rejection", 1);
    assert_eq!(world.handle(event.clone()).await, ["message-1"]);
    assert!(world.store.rejections().is_empty());

    assert!(world.handle(event.clone()).await.is_empty());
    let noted = world.store.rejections();
    assert_eq!(noted.len(), 1);

    world.clock.advance(Duration::from_secs(360));
    assert!(world.handle(event).await.is_empty());
    assert_eq!(world.store.rejections(), noted);
    assert_eq!(world.sealed(), [("evt-1".to_owned(), 2)]);
}

#[tokio::test]
async fn an_accepted_event_costs_no_note() {
    let world = world().await;
    world.handle(batch(&[event_text(&world.acme, "evt-1")])).await;
    assert!(!world.store.take_calls().contains(&"note_rejection"));
}

#[tokio::test]
async fn a_rejected_payload_is_in_no_log_line() {
    let log = Log::default();
    let _logging = log.start_at(Level::TRACE);
    let world = world().await;
    let event = event_text(&world.acme, "evt-1").replace("Xero", &"hunter2 ".repeat(500));
    let encoded_twice = serde_json::Value::from(event.as_str()).to_string();
    let wrong = event.replace(r#""duration_ms":60000"#, r#""duration_ms":{"a":"hunter2 hunter2"}"#);
    assert_ne!(wrong, event);
    world.handle(batch(&[encoded_twice, wrong, format!("{event}}}"), r#"["hunter2"]"#.to_owned()])).await;
    let rejected = world.store.rejections();
    assert_eq!(rejected.len(), 4);
    for (note, _) in &rejected {
        assert!(!note.detail.contains("hunter2"), "{}", note.detail);
    }
    assert!(rejected.iter().any(|(note, _)| note.detail.contains("not twice")), "{rejected:?}");
    let logged: String = log.lines().iter().map(ToString::to_string).collect();
    assert_eq!(logged.matches("an event was rejected").count(), 4, "{logged}");
    assert!(!logged.contains("hunter2"), "{logged}");
}
