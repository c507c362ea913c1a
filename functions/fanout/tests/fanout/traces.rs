//! Traces: what a producer says of its trace goes to the deliveries and into the event's row, and decides nothing.

use aws_lambda_events::event::sqs::SqsMessageAttribute;
use domain::value::TraceParent;
use testing::Log;

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const ANOTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A batch of one event, whose message has this attribute.
fn traced(text: &str, traceparent: &str) -> SqsEvent {
    let mut event = batch(&[text.to_owned()]);
    let mut attribute = SqsMessageAttribute::default();
    attribute.string_value = Some(traceparent.to_owned());
    attribute.data_type = Some("String".to_owned());
    event.records[0].message_attributes.insert("traceparent".to_owned(), attribute);
    event
}

impl World {
    /// The `traceparent` of each delivery that was sent since, and of the events that are sealed, with those that they owe.
    fn traces(&self) -> (Vec<Option<TraceParent>>, Vec<Option<TraceParent>>) {
        let sent = self.queue.take_sent().into_iter().map(|message| message.delivery.traceparent);
        let events = self.store.events();
        let owed = events.iter().flat_map(|event| event.owed.iter().map(|owed| owed.traceparent));
        (sent.collect(), events.iter().map(|event| event.traceparent).chain(owed).collect())
    }
}

#[tokio::test]
async fn the_traceparent_of_a_message_goes_with_each_delivery_and_into_the_row() {
    let world = world().await;
    assert!(world.handle(traced(&event_text(&world.acme, "evt-1"), PARENT)).await.is_empty());
    let parent = PARENT.parse().ok();
    assert_eq!(world.traces(), (vec![parent; 2], vec![parent; 3]));
    assert!(parent.is_some());
}

#[tokio::test]
async fn an_event_with_a_malformed_traceparent_is_delivered_without_one() {
    let world = world().await;
    for (n, malformed) in
        ["", "4bf92f35", &PARENT.replace("00-4", "ff-4"), &PARENT.to_uppercase()].into_iter().enumerate()
    {
        let text = event_text(&world.acme, &format!("evt-{n}"));
        assert!(world.handle(traced(&text, malformed)).await.is_empty());
        assert_eq!(world.traces(), (vec![None; 2], vec![None; 3 * (n + 1)]), "{malformed}");
    }
    assert!(world.store.rejections().is_empty());
}

#[tokio::test]
async fn the_same_event_with_another_traceparent_is_a_duplicate() {
    let world = world().await;
    let text = event_text(&world.acme, "evt-1");
    world.handle(traced(&text, PARENT)).await;
    world.traces();
    let log = Log::default();
    let guard = log.start();
    assert!(world.handle(traced(&text, ANOTHER)).await.is_empty());
    drop(guard);
    assert_eq!(world.traces(), (vec![], vec![PARENT.parse().ok(); 3]), "the first one stands");
    assert!(world.store.rejections().is_empty());
    let line = log.lines().into_iter().find(|line| line["counted"] == "duplicate").expect("a line");
    assert_eq!(line["span"]["trace_id"], &ANOTHER[3..35], "{line}");
}
