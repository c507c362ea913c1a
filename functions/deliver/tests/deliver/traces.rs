//! Traces: an attempt continues that of its event's producer, and lines of the log name it and Lambda's own.

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use deliver::handle;
use lambda_runtime::{Context, LambdaEvent};
use ports::Clock;
use serde_json::Value;
use testing::{Log, Step};

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// The message of an event whose producer gave a `traceparent`.
fn traced(destination: &Destination, received: &str) -> SqsMessage {
    let mut message = message(destination, "evt-1", received);
    let mut body: Value = serde_json::from_str(&message.body.unwrap_or_default()).expect("JSON");
    body["delivery"]["traceparent"] = PARENT.into();
    message.body = Some(body.to_string());
    message
}

/// The `traceparent` of each request so far.
fn sent(world: &World) -> Vec<Option<String>> {
    let header = |(name, value): &(_, String)| (name == "traceparent").then(|| value.clone());
    world.sender.requests().iter().map(|request| request.headers.iter().find_map(header)).collect()
}

#[tokio::test]
async fn each_attempt_continues_the_trace_in_a_span_of_its_own_and_the_row_keeps_it() {
    let world = world().await;
    let refused = Step::Answer(500);
    world.sender.script(HEALTHY, [refused, Step::Answer(200)]);
    let log = Log::default();
    let guard = log.start();
    assert_eq!(world.handle(vec![traced(&world.healthy, "1")]).await, ["message-evt-1"]);
    drop(guard);
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    assert_eq!(row.delivery.traceparent, PARENT.parse().ok());
    world.clock.advance(Duration::from_secs(60));
    // Hours later the message is made from the row.
    assert!(world.handle(vec![traced(&world.healthy, "2")]).await.is_empty());
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    let recorded = row.attempts.kept().iter().map(|attempt| row.delivery.traceparent_at(attempt.at));
    let recorded: Vec<_> = recorded.map(|at| at.map(|at| at.to_string())).collect();
    assert_eq!((recorded.len(), &recorded), (2, &sent(&world)), "the record shows what was sent");
    let spans: Vec<_> = recorded.into_iter().flatten().collect();
    assert!(spans.iter().all(|span| span.starts_with(&PARENT[..36]) && span.ends_with("-00")), "{spans:?}");
    assert!(spans[0] != spans[1] && !spans.contains(&PARENT.to_owned()), "{spans:?}");
    let line = log.lines().into_iter().find(|line| line["outcome"] == "refused").expect("a line");
    assert_eq!((&line["traceparent"], &line["span"]["trace_id"]), (&spans[0].clone().into(), &TRACE.into()), "{line}");
}

#[tokio::test]
async fn without_a_trace_a_request_a_row_and_a_line_say_nothing_of_one() {
    let world = world().await;
    world.sender.script(HEALTHY, [Step::Hang]);
    let log = Log::default();
    let guard = log.start();
    world.handle(vec![message(&world.healthy, "evt-1", "1")]).await;
    drop(guard);
    assert_eq!(sent(&world), [None]);
    assert_eq!(world.row(&world.healthy, "evt-1").await.expect("a row").delivery.traceparent, None);
    let lines = log.lines();
    assert!(!lines.is_empty() && lines.iter().all(|line| !line.to_string().contains("race")), "{lines:?}");
}

#[tokio::test]
async fn lines_name_the_trace_that_lambda_gave_the_invocation() {
    let world = world().await;
    world.sender.script(HEALTHY, [Step::Hang]);
    let (mut event, mut context) = (SqsEvent::default(), Context::default());
    event.records = vec![message(&world.healthy, "evt-1", "1")];
    context.deadline = world.clock.now().plus(Duration::from_secs(60)).unix_ms();
    context.xray_trace_id = Some("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1".to_owned());
    let log = Log::default();
    let guard = log.start();
    handle(Arc::clone(&world.deps), LambdaEvent::new(event, context)).await.expect("handled");
    drop(guard);
    let line = log.lines().into_iter().find(|line| line["outcome"] == "timed_out").expect("a line");
    assert_eq!(line["span"]["xrayTraceId"], "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", "{line}");
}
