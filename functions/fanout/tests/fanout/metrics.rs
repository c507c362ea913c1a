//! The line of metrics that an invocation writes.

use serde_json::{Value, json};
use testing::metric_lines::{ADDED_BYTES, DOLLARS_OF_A_BYTE};

use super::*;

impl World {
    /// A record that was sent to the queue so long ago.
    fn sent(&self, n: u32, body: &str, ago_ms: u64, receives: &str) -> SqsMessage {
        let mut record = record(n, body);
        let sent_at = self.clock.now().unix_ms() - ago_ms;
        record.attributes.insert("SentTimestamp".into(), sent_at.to_string());
        record.attributes.insert("ApproximateReceiveCount".into(), receives.into());
        record
    }

    async fn line(&self, records: Vec<SqsMessage>) -> Value {
        let mut event = SqsEvent::default();
        event.records = records;
        self.handle(event).await;
        let [line] = self.metrics.take().try_into().expect("one line");
        line
    }
}

#[tokio::test]
async fn what_became_of_each_event_of_a_batch_is_in_one_line() {
    let world = world().await;
    let quiet = account("quiet");
    world.store.create_account(&quiet, world.clock.now()).await.expect("created");
    let line = world
        .line(vec![
            world.sent(1, &event_text(&world.acme, "evt-1"), 40, "1"),
            world.sent(2, &event_text(&world.acme, "evt-2"), 50, "1"),
            world.sent(3, &event_text(&world.acme, "evt-2"), 60, "1"),
            world.sent(4, &event_text(&quiet, "evt-3"), 70_000, "2"),
            world.sent(5, &event_text(&account("stranger"), "evt-4"), 80, "1"),
            world.sent(6, "no event", 90, "1"),
        ])
        .await;
    let expected = [
        ("EventsAccepted", json!(3)),
        ("EventsMatched", json!(2)),
        ("EventsUnmatched", json!(1)),
        ("EventsDuplicate", json!(1)),
        ("EventsIgnored", json!(1)),
        ("DeliveriesOwed", json!(4)),
    ];
    for (name, sum) in expected {
        assert_eq!(line[name], sum, "{name}: {line}");
    }
    let mut waits = world.metrics.values("EventQueueWait");
    waits.sort_unstable();
    assert_eq!(waits, [40, 50, 60, 80, 90], "what was received before does not count again");
}

#[tokio::test]
async fn an_event_that_fails_is_counted_when_it_is_sealed() {
    let world = world().await;
    world.store.fail("seal_event", 1);
    let records = || vec![world.sent(1, &event_text(&world.acme, "evt-1"), 40, "1")];
    let failed = world.line(records()).await;
    assert!(failed["EventsAccepted"].is_null() && failed["EventQueueWait"] == json!([40]), "{failed}");
    assert_eq!(world.line(records()).await["EventsAccepted"], 1);
}

#[tokio::test]
async fn a_line_of_a_full_batch_costs_less_than_two_cents_for_a_million_deliveries() {
    let world = world().await;
    let records = |of: &str| {
        let text = |n| event_text(&world.acme, &format!("evt-{of}-{n}"));
        (0..10).map(|n| world.sent(n, &text(n), 1_234, "1")).collect::<Vec<_>>()
    };
    world.line(records("first")).await;
    let line = world.line(records("second")).await;
    assert_eq!((&line["EventsAccepted"], &line["CacheMisses"]), (&json!(10), &Value::Null));
    let bytes = line.to_string().len() + ADDED_BYTES;
    // With a fan-out of three.
    let dollars = 1_000_000.0 / 3.0 / 10.0 * bytes as f64 * DOLLARS_OF_A_BYTE;
    assert!(dollars < 0.012, "{bytes} bytes, {dollars} dollars");
}
