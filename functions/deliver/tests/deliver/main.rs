//! `deliver` over in-memory ports: what it sends, records, acknowledges and leaves in the queue.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod health;
mod limits;
mod metrics;
mod traces;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use deliver::{Deps, Rows, Turns, handle};
use domain::attempt::{Attempt, Outcome, RetryPolicy, SealedSecret, SigningSecret};
use domain::delivery::{DeliveryRecord, DeliveryState, Held, Job, MessageLease, OutgoingDelivery, Purpose};
use domain::destination::Destination;
use domain::value::{AccountId, DestinationId, JobId};
use lambda_runtime::{Context, LambdaEvent};
use ports::{
    AccountPurge, Accounts, Clock, Deliveries, DestinationHealth, Destinations, FindDestination, PortResult,
    UpdatedDestination, Vault,
};
use runtime::cache::{Cached, KEEP};
use runtime::metrics::Metrics;
use serde_json::value::RawValue;
use testing::{
    MemoryQueue, MemoryStore, MetricLines, PlainVault, ScriptedSender, Step, TestClock, TestEntropy, account,
    destination, held_until, record,
};

const HEALTHY: &str = "https://healthy.example/";
const OTHER: &str = "https://other.example/";

struct World {
    store: Arc<MemoryStore>,
    queue: Arc<MemoryQueue>,
    sender: Arc<ScriptedSender>,
    clock: Arc<TestClock>,
    deps: Arc<Deps>,
    metrics: MetricLines,
    healthy: Destination,
    other: Destination,
}

async fn world() -> World {
    let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::default()));
    let (sender, clock) = (Arc::new(ScriptedSender::default()), Arc::new(TestClock::new()));
    let acme: AccountId = account("acme");
    let (healthy, other) = (destination(&acme, 1, HEALTHY), destination(&acme, 2, OTHER));
    store.create_account(&acme, clock.now()).await.expect("registered");
    for one in [&healthy, &other] {
        store.create_destination(one, 10).await.expect("created");
    }
    store.take_calls();
    let lines = MetricLines::default();
    let metrics = Arc::new(Metrics::new("synchub-webhooks", clock.clone(), lines.sink()));
    let deps = Arc::new(Deps {
        accounts: store.clone(),
        destinations: Arc::new(Cached::new(Arc::clone(&store), clock.clone(), &metrics)),
        deliveries: store.clone(),
        vault: Arc::new(PlainVault),
        queue: queue.clone(),
        sender: sender.clone(),
        clock: clock.clone(),
        entropy: Arc::new(TestEntropy::default()),
        rows: Rows::default(),
        paces: store.clone(),
        turns: Turns::default(),
        retries: RetryPolicy::default(),
        lease: MessageLease::default(),
        retention: Duration::from_secs(86_400),
        metrics,
    });
    World { store, queue, sender, clock, deps, metrics: lines, healthy, other }
}

/// The message of the delivery of event `id` to `destination`.
fn message(destination: &Destination, id: &str, received: &str) -> SqsMessage {
    message_for(destination, id, received, Purpose::New)
}

fn message_for(destination: &Destination, id: &str, received: &str, purpose: Purpose) -> SqsMessage {
    let delivery = record(destination, id, 0, DeliveryState::Cancelled).delivery;
    let body = RawValue::from_string(format!(r#"{{ "id":"{id}" }}"#)).expect("JSON");
    let text =
        serde_json::to_string(&OutgoingDelivery { delivery: &delivery, purpose, body: &body, delay: Duration::ZERO })
            .expect("a message");
    let mut message = SqsMessage::default();
    message.message_id = Some(format!("message-{id}"));
    message.receipt_handle = Some(format!("receipt-{id}"));
    message.body = Some(text);
    message.attributes.insert("ApproximateReceiveCount".into(), received.into());
    message
}

impl World {
    async fn handle(&self, records: Vec<SqsMessage>) -> Vec<String> {
        self.handle_within(records, Duration::from_secs(60)).await
    }

    /// Handles the batch in an invocation with this much time left; returns the records to be received again.
    async fn handle_within(&self, records: Vec<SqsMessage>, left: Duration) -> Vec<String> {
        let mut event = SqsEvent::default();
        event.records = records;
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(left).unix_ms();
        let answer = handle(Arc::clone(&self.deps), LambdaEvent::new(event, context)).await.expect("handled");
        answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    /// Changes the healthy destination, and waits until it is no longer cached.
    async fn change(&self, change: impl FnOnce(&mut Destination)) {
        let before = self.store.find_destination(&self.healthy.account, &self.healthy.id).await.expect("an answer");
        let before = before.expect("the destination");
        let mut after = before.changed(before.settings.clone(), self.clock.now());
        change(&mut after);
        let answer = self.store.update_destination(&before, &after).await.expect("an answer");
        assert_eq!(answer, UpdatedDestination::Updated);
        self.clock.advance(KEEP);
    }

    async fn row(&self, destination: &Destination, id: &str) -> Option<DeliveryRecord> {
        let delivery = record(destination, id, 0, DeliveryState::Cancelled).delivery;
        self.store.find_delivery(&delivery.account, &delivery.id).await.expect("an answer")
    }

    fn attempts(&self) -> Vec<(String, String)> {
        let header = |r: &domain::delivery::SignedRequest, name| {
            r.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()).expect("a header")
        };
        self.sender.requests().iter().map(|r| (header(r, "webhook-id"), header(r, "webhook-attempt"))).collect()
    }
}

#[tokio::test]
async fn a_healthy_first_attempt_costs_one_write() {
    let world = world().await;
    assert!(world.handle(vec![message(&world.healthy, "evt-0", "1")]).await.is_empty());
    world.store.take_calls();
    assert!(world.handle(vec![message(&world.healthy, "evt-1", "1")]).await.is_empty());
    assert_eq!(world.store.take_calls(), ["create_delivery"]);
    assert!(world.queue.take_postponed().is_empty());
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    assert_eq!((row.state(), row.attempts.count()), (DeliveryState::Delivered, 1));
}

#[tokio::test]
async fn the_sample_batch_is_sent_signed_to_url_and_path() {
    let world = world().await;
    let event: SqsEvent =
        serde_json::from_str(include_str!("../../../../events/deliver-first-attempt.json")).expect("a sample");
    assert!(world.handle(event.records).await.is_empty());
    let mut urls: Vec<_> = world.sender.requests().iter().map(|r| r.url.to_string()).collect();
    urls.sort();
    assert_eq!(urls, ["https://healthy.example/", "https://healthy.example/insights"]);
    assert!(world.sender.requests().iter().all(|r| r.body.starts_with(r#"{"id":"evt-"#)));
}

#[tokio::test]
async fn a_delivery_that_is_done_is_acknowledged_without_an_attempt() {
    let world = world().await;
    for (n, state) in
        [DeliveryState::Delivered, DeliveryState::Exhausted, DeliveryState::Cancelled].into_iter().enumerate()
    {
        let id = format!("evt-{n}");
        world.store.create_delivery(&record(&world.healthy, &id, 1, state)).await.expect("recorded");
        assert!(world.handle(vec![message(&world.healthy, &id, "2")]).await.is_empty());
    }
    assert!(world.sender.requests().is_empty());
}

#[tokio::test]
async fn the_attempt_number_comes_from_the_row_and_not_from_the_receive_count() {
    let world = world().await;
    world.handle(vec![message(&world.healthy, "evt-1", "17")]).await;
    assert_eq!(world.attempts()[0].1, "1");
}

#[tokio::test]
async fn a_second_message_of_a_delivery_never_takes_back_what_the_first_recorded() {
    let world = world().await;
    let delivered = record(&world.healthy, "evt-1", 1, DeliveryState::Delivered);
    world.store.create_delivery(&delivered).await.expect("recorded");
    world.sender.script(HEALTHY, [Step::Answer(500)]);
    // A second message, received for the first time: `fanout` sent the delivery twice.
    assert!(world.handle(vec![message(&world.healthy, "evt-1", "1")]).await.is_empty());
    let row = world.row(&world.healthy, "evt-1").await.expect("the row");
    assert_eq!((row.held, row.attempts.count()), (delivered.held, 2));
    assert!(world.handle(vec![message(&world.healthy, "evt-1", "2")]).await.is_empty());
    assert_eq!(world.sender.requests().len(), 1);
}

#[tokio::test]
async fn a_deleted_destination_cancels_what_it_was_owed() {
    let world = world().await;
    let gone = destination(&world.healthy.account, 3, "https://gone.example/");
    assert!(world.handle(vec![message(&gone, "evt-1", "1")]).await.is_empty());
    assert_eq!(world.row(&gone, "evt-1").await.map(|row| row.state()), Some(DeliveryState::Cancelled));
    assert!(world.sender.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_that_never_answers_is_retried_and_delays_none_of_its_neighbours() {
    let world = world().await;
    world.sender.script(OTHER, [Step::Hang]);
    let mut batch: Vec<_> = (1..=9).map(|n| message(&world.healthy, &format!("evt-{n}"), "1")).collect();
    batch.insert(0, message(&world.other, "evt-hang", "1"));
    let started = tokio::time::Instant::now();
    let handled = world.handle(batch);
    tokio::pin!(handled);
    // Long before the hanging attempt ends, all others are delivered and recorded.
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut handled).await.is_err());
    assert_eq!(world.store.deliveries().iter().filter(|row| row.state() == DeliveryState::Delivered).count(), 9);
    assert_eq!(handled.await, ["message-evt-hang"]);
    assert_eq!(started.elapsed().as_secs(), 15);
}

#[tokio::test]
async fn a_panic_or_a_failure_of_ours_gives_back_only_its_own_record() {
    for step in [Step::Panic, Step::Fail] {
        let world = world().await;
        world.sender.script(OTHER, [step]);
        let batch = vec![message(&world.other, "evt-1", "1"), message(&world.healthy, "evt-2", "1")];
        assert_eq!(world.handle(batch).await, ["message-evt-1"]);
        assert_eq!(world.store.deliveries().len(), 1);
        assert!(world.handle(vec![message(&world.other, "evt-1", "2")]).await.is_empty());
        assert_eq!(world.store.deliveries().len(), 2);
    }
}

#[tokio::test]
async fn what_failed_or_panicked_comes_back_in_seconds_and_what_was_delivered_is_not_hidden() {
    for step in [Step::Panic, Step::Fail] {
        for (received, least) in [("1", 2), ("3", 8), ("20", 600)] {
            let world = world().await;
            world.sender.script(OTHER, [step.clone()]);
            let batch = vec![message(&world.other, "evt-1", received), message(&world.healthy, "evt-2", received)];
            assert_eq!(world.handle(batch).await, ["message-evt-1"]);
            let postponed = world.queue.take_postponed();
            let [(receipt, wait)] = postponed.as_slice() else { panic!("{postponed:?}") };
            let least = Duration::from_secs(least);
            assert!(receipt == "receipt-evt-1" && least <= *wait && *wait <= least * 6 / 5, "{wait:?} of {received}");
        }
    }
    // The message of a retry is hidden until the retry is due. If hiding it fails, that is our failure, and the message
    // comes back in seconds.
    let world = world().await;
    world.sender.script(HEALTHY, [Step::Answer(500)]);
    world.queue.break_postponements(1);
    assert_eq!(world.handle(vec![message(&world.healthy, "evt-1", "1")]).await, ["message-evt-1"]);
    let waits: Vec<_> = world.queue.take_postponed().into_iter().map(|(_, wait)| wait).collect();
    assert_eq!(waits.len(), 2);
    assert!(waits[1] < Duration::from_secs(3), "{waits:?}");
    assert!(world.row(&world.healthy, "evt-1").await.is_some(), "its row says when it is due");
}

#[tokio::test]
async fn what_was_sent_but_not_recorded_is_sent_again_under_the_same_id() {
    let world = world().await;
    world.store.fail("create_delivery", 1);
    assert_eq!(world.handle(vec![message(&world.healthy, "evt-1", "1")]).await, ["message-evt-1"]);
    assert!(world.handle(vec![message(&world.healthy, "evt-1", "2")]).await.is_empty());
    let attempts = world.attempts();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0], attempts[1]);
}

#[tokio::test]
async fn no_attempt_is_started_that_could_outlast_the_invocation() {
    let world = world().await;
    let batch = || vec![message(&world.healthy, "evt-1", "1")];
    assert_eq!(world.handle_within(batch(), Duration::from_millis(19_999)).await, ["message-evt-1"]);
    assert!(world.sender.requests().is_empty());
    assert_eq!(world.queue.take_postponed(), [("receipt-evt-1".to_owned(), Duration::ZERO)]);
    assert!(world.handle_within(batch(), Duration::from_secs(20)).await.is_empty());
}

#[tokio::test]
async fn an_unreadable_message_is_given_back_alone() {
    let world = world().await;
    let sample = include_str!("../../../../events/deliver-unreadable-among-good.json");
    let event: SqsEvent = serde_json::from_str(sample).expect("a sample");
    assert_eq!(world.handle(event.records).await, ["00000000-0000-4000-8000-000000000002"]);
    assert_eq!(world.store.deliveries().len(), 1);
}

#[tokio::test]
async fn the_sample_received_again_is_looked_up_first() {
    let world = world().await;
    let sample = include_str!("../../../../events/deliver-received-again.json");
    let event: SqsEvent = serde_json::from_str(sample).expect("a sample");
    assert!(world.handle(event.records).await.is_empty());
    assert_eq!(world.store.take_calls(), ["find_delivery", "find_destination", "create_delivery"]);
}

#[tokio::test]
async fn a_delivery_of_an_account_that_is_being_deleted_is_acknowledged_and_leaves_no_row() {
    let world = world().await;
    let acme = &world.healthy.account;
    let job = Job::delete_account(JobId::from_entropy([1; 10]), acme.clone(), world.clock.now());
    assert!(world.store.start_deletion(acme, &job, None).await.expect("an answer"));
    assert_eq!(world.store.close_destinations(acme).await.expect("an answer"), 2);
    for received in ["1", "2"] {
        assert!(world.handle(vec![message(&world.healthy, "evt-1", received)]).await.is_empty());
    }
    world.store.delete_destination(acme, &world.healthy.id, None).await.expect("an answer");
    world.clock.advance(KEEP);
    assert!(world.handle(vec![message(&world.healthy, "evt-1", "3")]).await.is_empty());
    assert!(world.attempts().is_empty());
    assert_eq!(world.row(&world.healthy, "evt-1").await, None);
}

#[tokio::test]
async fn what_earlier_answers_said_is_kept_in_short() {
    let world = world().await;
    let before = record(&world.healthy, "evt-1", 1, DeliveryState::Retrying { due_at: world.clock.now() });
    let outcome = Outcome::from_answer(500, None, "x".repeat(16 * 1024));
    let attempt = Attempt { outcome, ..before.attempts.kept()[0].clone() };
    let before = DeliveryRecord { attempts: vec![attempt].into(), ..before };
    world.store.create_delivery(&before).await.expect("recorded");
    world.sender.script(HEALTHY, [Step::Answer(503)]);
    world.handle(vec![message(&world.healthy, "evt-1", "2")]).await;
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    assert_eq!(row.attempts.count(), 2);
    assert_eq!(row.attempts.kept()[0].outcome, Outcome::from_answer(500, None, "x".repeat(512)));
}

#[tokio::test]
async fn what_a_paused_destination_is_owed_is_parked_and_not_attempted() {
    let world = world().await;
    world.change(|destination| destination.settings.paused = true).await;
    assert!(world.handle(vec![message(&world.healthy, "evt-1", "1")]).await.is_empty());
    assert_eq!(world.row(&world.healthy, "evt-1").await.map(|row| row.state()), Some(DeliveryState::Parked));
    assert!(world.sender.requests().is_empty());

    world.change(|destination| destination.settings.paused = false).await;
    assert!(world.handle(vec![message(&world.healthy, "evt-1", "2")]).await.is_empty());
    assert_eq!(world.row(&world.healthy, "evt-1").await.map(|row| row.state()), Some(DeliveryState::Delivered));
}

#[tokio::test]
async fn every_live_secret_signs_and_an_ended_one_does_not() {
    let world = world().await;
    let end = world.clock.now().plus(Duration::from_secs(60));
    world
        .change(|destination| {
            let mut older = destination.secrets[0].clone();
            older.expires_at = Some(end);
            destination.secrets.push(older);
        })
        .await;
    let signatures = |n: usize| {
        let requests = world.sender.requests();
        let header = requests[n].headers.iter().find(|(name, _)| name == "webhook-signature").expect("a signature");
        header.1.split(' ').count()
    };
    assert!(world.handle(vec![message(&world.healthy, "evt-1", "1")]).await.is_empty());
    world.clock.advance(Duration::from_secs(60));
    assert!(world.handle(vec![message(&world.healthy, "evt-2", "1")]).await.is_empty());
    assert_eq!((signatures(0), signatures(1)), (2, 1));
}

/// A vault that takes its time: three seconds for each secret.
struct SlowVault(Arc<TestClock>);

#[async_trait]
impl Vault for SlowVault {
    async fn seal(&self, account: &AccountId, id: &DestinationId, secret: &SigningSecret) -> PortResult<SealedSecret> {
        PlainVault.seal(account, id, secret).await
    }

    async fn open(&self, account: &AccountId, id: &DestinationId, sealed: &SealedSecret) -> PortResult<SigningSecret> {
        self.0.advance(Duration::from_secs(3));
        PlainVault.open(account, id, sealed).await
    }
}

#[tokio::test]
async fn opening_the_secrets_is_no_part_of_how_long_an_attempt_took() {
    let mut world = world().await;
    let clock = Arc::clone(&world.clock);
    Arc::get_mut(&mut world.deps).expect("nobody else's").vault = Arc::new(SlowVault(Arc::clone(&clock)));
    let ends = clock.now().plus(KEEP).plus(Duration::from_secs(5));
    world
        .change(|destination| {
            let mut older = destination.secrets[0].clone();
            older.expires_at = Some(ends);
            destination.secrets.push(older);
        })
        .await;
    let started = clock.now();
    assert!(world.handle(vec![message(&world.healthy, "evt-1", "1")]).await.is_empty());
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    let attempt = &row.attempts.kept()[0];
    assert_eq!((attempt.at.since(started), attempt.took), (Duration::from_secs(6), Duration::ZERO));
    // It is signed with the time at which it is sent, and not with a secret that has ended by then.
    let requests = world.sender.requests();
    let header = |name: &str| requests[0].headers.iter().find(|(found, _)| found == name).expect("a header").1.clone();
    assert_eq!(header("webhook-timestamp"), attempt.at.unix_seconds().to_string());
    assert_eq!(header("webhook-signature").split(' ').count(), 1);
}
