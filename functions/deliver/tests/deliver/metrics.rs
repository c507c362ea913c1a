//! The line of metrics that an invocation writes.

use serde_json::{Value, json};
use testing::metric_lines::{ADDED_BYTES, DOLLARS_OF_A_BYTE};

use super::*;

impl World {
    /// A message that was sent to the queue so long ago.
    fn sent(&self, destination: &Destination, id: &str, ago_ms: u64, receives: &str) -> SqsMessage {
        let mut message = message(destination, id, receives);
        let sent_at = self.clock.now().unix_ms() - ago_ms;
        message.attributes.insert("SentTimestamp".into(), sent_at.to_string());
        message
    }

    async fn line(&self, records: Vec<SqsMessage>) -> Value {
        self.handle(records).await;
        let [line] = self.metrics.take().try_into().expect("one line");
        line
    }
}

#[tokio::test]
async fn what_became_of_each_delivery_of_a_batch_is_in_one_line() {
    let world = world().await;
    world.sender.script(HEALTHY, [Step::Answer(200), Step::Answer(500)]);
    let records = vec![
        world.sent(&world.healthy, "evt-1", 30, "1"),
        world.sent(&world.healthy, "evt-2", 40, "1"),
        world.sent(&world.other, "evt-3", 50, "1"),
    ];
    let line = world.line(records).await;
    let sums = ["DeliveriesDelivered", "DeliveriesRetried", "DeliveriesParked"].map(|name| line[name].clone());
    assert_eq!(sums, [json!(2), json!(1), Value::Null], "{line}");
    assert_eq!(line["AttemptLatency"].as_array().map(Vec::len), Some(3));
    assert_eq!(line["EventLag"].as_array().map(Vec::len), Some(3));
    let mut waits = world.metrics.values("DeliveryQueueWait");
    waits.sort_unstable();
    assert_eq!(waits, [30, 40, 50]);

    // A second attempt has no event lag and no wait of its own.
    world.clock.advance(Duration::from_secs(10));
    let line = world.line(vec![world.sent(&world.healthy, "evt-2", 10_040, "2")]).await;
    assert_eq!((&line["DeliveriesDelivered"], &line["EventLag"]), (&json!(1), &Value::Null));
    assert!(line["DeliveryQueueWait"].is_null(), "{line}");
    // Nothing more happens to what is delivered.
    world.handle(vec![world.sent(&world.healthy, "evt-2", 10_050, "3")]).await;
    assert_eq!(world.metrics.take(), Vec::<Value>::new());
}

#[tokio::test]
async fn what_is_parked_and_what_is_given_up_is_counted_once() {
    let world = world().await;
    world.change(|healthy| healthy.settings.retry_policy = serde_json::from_value(json!([5])).expect("a policy")).await;
    world.sender.script(HEALTHY, [Step::Answer(500), Step::Answer(500)]);
    world.handle(vec![message(&world.healthy, "evt-1", "1")]).await;
    world.clock.advance(Duration::from_secs(10));
    world.handle(vec![message(&world.healthy, "evt-1", "2")]).await;
    world.change(|healthy| healthy.settings.paused = true).await;
    for receives in ["1", "2"] {
        world.handle(vec![message(&world.healthy, "evt-2", receives)]).await;
    }
    let sums = ["DeliveriesRetried", "DeliveriesExhausted", "DeliveriesParked"].map(|name| world.metrics.sum(name));
    assert_eq!(sums, [1, 1, 1]);
}

#[tokio::test]
async fn what_was_delivered_before_a_neighbour_panicked_is_counted() {
    let world = world().await;
    world.sender.script(OTHER, [Step::Panic]);
    let records = vec![message(&world.other, "evt-1", "1"), message(&world.healthy, "evt-2", "1")];
    assert_eq!(world.line(records).await["DeliveriesDelivered"], 1);
}

#[tokio::test]
async fn a_line_of_a_full_batch_costs_less_than_four_cents_for_a_million_deliveries() {
    let world = world().await;
    let records =
        |of: &str| (0..10).map(|n| world.sent(&world.healthy, &format!("evt-{of}-{n}"), 123, "1")).collect::<Vec<_>>();
    world.line(records("first")).await;
    // Figures that are longer than usual ones.
    world.clock.advance_with_each_look(Duration::from_millis(37));
    let line = world.line(records("second")).await;
    assert_eq!((&line["DeliveriesDelivered"], &line["CacheMisses"]), (&json!(10), &Value::Null), "{line}");
    let bytes = line.to_string().len() + ADDED_BYTES;
    let dollars = 1_000_000.0 / 10.0 * bytes as f64 * DOLLARS_OF_A_BYTE;
    assert!(dollars < 0.038, "{bytes} bytes, {dollars} dollars: {line}");
}
