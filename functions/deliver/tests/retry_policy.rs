//! `deliver` over in-memory ports: the retry policy of each destination decides how often and when it is attempted.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use deliver::{Deps, Rows, Turns, handle};
use domain::delivery::{DeliveryState, MessageLease, OutgoingDelivery, Purpose};
use domain::destination::Destination;
use lambda_runtime::{Context, LambdaEvent};
use ports::{Accounts, Clock, Deliveries, DestinationHealth, Destinations};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use testing::{
    MemoryQueue, MemoryStore, PlainVault, ScriptedSender, Step, TestClock, TestEntropy, account, destination, record,
};

const URL: &str = "https://receiver.example/";

/// Lets a destination with this policy refuse every attempt; returns the waits up to the last attempt.
async fn waits(retry_policy: Value, refusal: Step) -> Vec<Duration> {
    let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::default()));
    let (sender, clock) = (Arc::new(ScriptedSender::default()), Arc::new(TestClock::new()));
    let mut receiver = destination(&account("acme"), 1, URL);
    receiver.settings.retry_policy = serde_json::from_value(retry_policy).expect("a retry policy");
    store.create_account(&receiver.account, clock.now()).await.expect("registered");
    store.create_destination(&receiver, 10).await.expect("created");
    sender.script(URL, vec![refusal; 30]);
    let deps = Arc::new(Deps {
        accounts: store.clone(),
        destinations: store.clone(),
        deliveries: store.clone(),
        vault: Arc::new(PlainVault),
        queue: queue.clone(),
        sender: sender.clone(),
        clock: clock.clone(),
        entropy: Arc::new(TestEntropy::default()),
        rows: Rows::default(),
        paces: store.clone(),
        turns: Turns::default(),
        lease: MessageLease::default(),
        retries: "7,8".parse().expect("the stack's schedule"),
        retention: Duration::from_secs(30 * 86_400),
        metrics: Arc::default(),
    });
    let mut waits = Vec::new();
    loop {
        let mut event = SqsEvent::default();
        event.records = vec![message(&receiver, waits.len() + 1)];
        let mut context = Context::default();
        context.deadline = clock.now().plus(Duration::from_secs(60)).unix_ms();
        handle(Arc::clone(&deps), LambdaEvent::new(event, context)).await.expect("handled");
        let delivery = record(&receiver, "evt-1", 0, DeliveryState::Cancelled).delivery;
        let row = store.find_delivery(&delivery.account, &delivery.id).await.expect("an answer").expect("a row");
        assert_eq!(row.attempts.kept().len(), waits.len() + 1);
        // Other deliveries succeed in between, so the destination does not count as down.
        let known = store.find_destination_anew(&receiver.account, &receiver.id).await.expect("an answer");
        let known = known.expect("the destination");
        if let Some(well) = known.health.succeeded(clock.now(), false) {
            assert!(store.update_health(&known, &well).await.expect("an answer"));
        }
        let DeliveryState::Retrying { due_at } = row.state() else {
            assert_eq!(row.state(), DeliveryState::Exhausted);
            break;
        };
        waits.push(due_at.since(clock.now()));
        clock.advance(due_at.since(clock.now()));
    }
    assert_eq!(sender.requests().len(), waits.len() + 1);
    waits
}

fn message(destination: &Destination, received: usize) -> SqsMessage {
    let delivery = record(destination, "evt-1", 0, DeliveryState::Cancelled).delivery;
    let body = RawValue::from_string("{}".into()).expect("JSON");
    let (purpose, delay) = (Purpose::New, Duration::ZERO);
    let outgoing = OutgoingDelivery { delivery: &delivery, purpose, body: &body, delay };
    let mut message = SqsMessage::default();
    message.message_id = Some("message".into());
    message.receipt_handle = Some("receipt".into());
    message.body = Some(serde_json::to_string(&outgoing).expect("JSON"));
    message.attributes.insert("ApproximateReceiveCount".into(), received.to_string());
    message
}

/// Checks that the waits are the expected ones, within the jitter of a fifth.
async fn check(retry_policy: Value, refusal: Step, expected: &[u64]) {
    let waits = waits(retry_policy.clone(), refusal).await;
    assert_eq!(waits.len(), expected.len(), "{retry_policy}: {waits:?}");
    for (wait, expected) in waits.iter().map(Duration::as_secs_f64).zip(expected) {
        let expected = Duration::from_secs(*expected).as_secs_f64();
        assert!((0.79 * expected..=1.21 * expected).contains(&wait), "{retry_policy}: {waits:?}");
    }
}

#[tokio::test]
async fn none_is_exhausted_after_one_attempt_whatever_the_receiver_asks_for() {
    check(json!("none"), Step::Answer(503), &[]).await;
    check(json!("none"), Step::AnswerRetryAfter(429, Duration::from_secs(60)), &[]).await;
}

#[tokio::test]
async fn short_is_exhausted_after_five_attempts() {
    check(json!("short"), Step::Answer(500), &[5, 30, 120, 420]).await;
}

#[tokio::test]
async fn an_own_list_is_used_to_its_end() {
    check(json!([10, 60, 3_600]), Step::Answer(500), &[10, 60, 3_600]).await;
    check(json!(vec![100; 20]), Step::Answer(500), &[100; 20]).await;
}

#[tokio::test]
async fn standard_is_the_schedule_of_the_stack() {
    check(json!("standard"), Step::Answer(500), &[7, 8]).await;
}
