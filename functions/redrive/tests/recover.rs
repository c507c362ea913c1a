//! The recovery of a destination over the in-memory store: what is sent again, how fast, and what happens after a
//! crash.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod over_memory;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::job::LEASE;
use domain::delivery::{Delivery, DeliveryState, Job, JobStatus, Purpose, RecoverStatus, Recovery};
use domain::destination::{Destination, DisabledReason, Drain, Health, HealthState};
use domain::event::Event;
use domain::value::{DeliveryId, JobId, Timestamp};
use lambda_runtime::{Context, LambdaEvent};
use ports::{
    Accounts, Clock, Deliveries, DestinationHealth, Destinations, Events, FindDestination, FindJob, SealedEvent,
    StartJob,
};
use redrive::{Deps, handle};
use testing::{MemoryQueue, MemoryStore, TestClock, account, destination, event_text, held_until, record, sealed};

use self::over_memory::deps;

const MINUTE: Duration = Duration::from_secs(60);

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    queue: Arc<MemoryQueue>,
    deps: Arc<Deps>,
    target: Destination,
}

/// An account with one destination that takes at most one delivery a second, so that the part of a minute is 60.
async fn world() -> World {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::new()));
    let queue = Arc::new(MemoryQueue::default());
    store.create_account(&account("acme"), clock.now()).await.expect("created");
    let mut target = destination(&account("acme"), 1, "https://a.example/");
    target.settings.rate_limit = 1.try_into().ok();
    store.create_destination(&target, 10).await.expect("created");
    let deps = Arc::new(deps(&store, &queue, &Arc::default(), &clock));
    let world = World { store, clock, queue, deps, target };
    // The first run begins the audit.
    world.run().await.expect("a run");
    world
}

impl World {
    async fn run(&self) -> Result<(), lambda_runtime::Error> {
        let event = serde_json::from_str(include_str!("../../../events/redrive-scheduled.json")).expect("a sample");
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(MINUTE).unix_ms();
        handle(Arc::clone(&self.deps), LambdaEvent::new(event, context)).await
    }

    fn at(&self, seconds: u64) -> Timestamp {
        self.clock.now().plus(Duration::from_secs(seconds))
    }

    /// Seals event `id`, which owes one delivery and happened long ago.
    async fn owe(&self, id: &str) -> Delivery {
        let event = Event::parse(&event_text(&self.target.account, id), self.clock.now());
        let event = event.map_err(|rejection| rejection.detail).expect("an event");
        let occurred_at = event.occurred_at;
        let owed = Delivery::of_event(&event, self.target.id.clone(), None);
        let sealed = SealedEvent {
            expires_at: self.at(86_400),
            ..sealed(&event, vec![owed.clone()], Timestamp::from_unix_ms(occurred_at.unix_ms() - 7_200_000))
        };
        self.store.seal_event(&sealed).await.expect("sealed");
        owed
    }

    /// The same, with a row in this state.
    async fn record(&self, id: &str, state: DeliveryState, look_at: Option<Timestamp>) -> DeliveryId {
        self.owe(id).await;
        let record = record(&self.target, id, 1, state).held(held_until(state, look_at));
        self.store.create_delivery(&record).await.expect("recorded");
        record.delivery.id
    }

    async fn exhausted(&self, count: usize) -> BTreeSet<DeliveryId> {
        let mut all = BTreeSet::new();
        for n in 0..count {
            all.insert(self.record(&format!("evt-{n}"), DeliveryState::Exhausted, None).await);
        }
        all
    }

    async fn start(&self, statuses: &[RecoverStatus]) -> JobId {
        let recovery = Recovery {
            account: self.target.account.clone(),
            destination_id: self.target.id.clone(),
            since: Timestamp::from_unix_ms(0),
            until: self.clock.now(),
            statuses: statuses.to_vec(),
        };
        let job = Job::recover(recovery, self.clock.now());
        self.store.start_job(&job, 20).await.expect("started").expect("not too many").id
    }

    async fn job(&self, id: &JobId) -> Job {
        self.store.find_job(id).await.expect("an answer").expect("the job")
    }

    /// Status, and how many deliveries were looked at, sent again and parked.
    async fn told(&self, id: &JobId) -> (JobStatus, u64, u64, u64) {
        let job = self.job(id).await;
        let recovered = job.recovered.expect("a recovery");
        (job.status, job.done, recovered.resent, recovered.set_aside)
    }

    fn sent(&self) -> BTreeSet<DeliveryId> {
        let sent = self.queue.take_sent().into_iter();
        sent.map(|message| {
            assert_eq!(message.purpose, Purpose::Again);
            assert!(message.body.get().contains(message.delivery.event.as_str()));
            message.delivery.id
        })
        .collect()
    }

    async fn state(&self, id: &DeliveryId) -> Option<DeliveryState> {
        let found = self.store.find_delivery(&self.target.account, id).await.expect("an answer");
        found.map(|record| record.state())
    }

    async fn set_health(&self, health: Health) {
        let (account, id) = (&self.target.account, &self.target.id);
        let before = self.store.find_destination(account, id).await.expect("an answer").expect("it");
        let health = Health { version: before.health.version + 1, ..health };
        assert!(self.store.update_health(&before, &health).await.expect("an answer"));
    }
}

#[tokio::test]
async fn what_was_not_delivered_is_sent_again_and_what_was_or_is_under_way_is_left_alone() {
    let world = world().await;
    let (now, later) = (world.clock.now(), world.at(7_200));
    let due = DeliveryState::Retrying { due_at: later };
    let (pending, retrying) = (world.owe("evt-1").await.id, world.record("evt-2", due, Some(later)).await);
    let parked = world.record("evt-3", DeliveryState::Parked, None).await;
    let exhausted = world.record("evt-4", DeliveryState::Exhausted, None).await;
    let cancelled = world.record("evt-5", DeliveryState::Cancelled, None).await;
    let delivered = world.record("evt-6", DeliveryState::Delivered, None).await;
    let under_way = DeliveryState::Retrying { due_at: now };
    let under_way_id = world.record("evt-7", under_way, Some(world.at(900))).await;
    let job = world.start(&RecoverStatus::USUAL).await;
    world.run().await.expect("a run");
    assert_eq!(world.told(&job).await, (JobStatus::Succeeded, 7, 4, 0));
    assert_eq!(world.sent(), BTreeSet::from([pending.clone(), retrying.clone(), parked, exhausted]));
    for id in [&pending, &retrying] {
        assert!(matches!(world.state(id).await, Some(DeliveryState::Retrying { due_at }) if due_at < world.at(60)));
    }
    assert_eq!(world.state(&cancelled).await, Some(DeliveryState::Cancelled));
    assert_eq!(world.state(&delivered).await, Some(DeliveryState::Delivered));
    assert_eq!(world.state(&under_way_id).await, Some(under_way));

    let job = world.start(&[RecoverStatus::Cancelled]).await;
    world.run().await.expect("a run");
    assert_eq!((world.told(&job).await.2, world.sent()), (1, BTreeSet::from([cancelled])));
}

#[tokio::test]
async fn what_occurred_outside_of_the_span_and_what_goes_elsewhere_is_left_alone() {
    let world = world().await;
    world.owe("evt-1").await;
    world.record("evt-2", DeliveryState::Exhausted, None).await;
    let (occurred, ms) = (Timestamp::from_unix_ms(1_795_426_140_000), Duration::from_millis(1));
    let other = destination(&account("acme"), 2, "https://b.example/");
    world.store.create_destination(&other, 10).await.expect("created");
    for (since, until, to, resent) in [
        (occurred.plus(ms), occurred.plus(MINUTE), &world.target, 0),
        (Timestamp::from_unix_ms(0), occurred, &world.target, 0),
        (occurred, occurred.plus(ms), &other, 0),
        (occurred, occurred.plus(ms), &world.target, 2),
    ] {
        let (account, destination_id) = (account("acme"), to.id.clone());
        let recovery = Recovery { account, destination_id, since, until, statuses: RecoverStatus::USUAL.to_vec() };
        let job = Job::recover(recovery, world.clock.now());
        world.store.start_job(&job, 20).await.expect("started");
        world.run().await.expect("a run");
        let told = world.told(&job.id).await;
        assert_eq!((told.0, told.2), (JobStatus::Succeeded, resent), "{since} to {until}");
    }
}

#[tokio::test]
async fn no_more_than_a_drain_may_is_sent_in_a_minute_evenly_and_all_of_it_in_the_end() {
    let world = world().await;
    let all = world.exhausted(250).await;
    let job = world.start(&RecoverStatus::USUAL).await;
    let (mut seen, mut parts) = (BTreeSet::new(), Vec::new());
    for _ in 0..6 {
        world.run().await.expect("a run");
        // A second run in the same minute sends nothing more.
        world.run().await.expect("a run");
        let sent = world.queue.take_delayed();
        let mut delays: Vec<_> = sent.iter().map(|(_, delay)| delay.as_secs()).collect();
        delays.sort_unstable();
        assert_eq!(delays, (0..sent.len() as u64).collect::<Vec<_>>(), "one a second");
        parts.push(sent.len());
        seen.extend(sent.into_iter().map(|(message, _)| message.delivery.id));
        world.clock.advance(MINUTE);
    }
    assert_eq!(parts, [60, 60, 60, 60, 10, 0]);
    assert_eq!(seen, all);
    assert_eq!(world.told(&job).await, (JobStatus::Succeeded, 250, 250, 0));
}

#[tokio::test]
async fn what_a_destination_does_not_take_is_set_aside_for_its_drain() {
    let since = Timestamp::from_unix_ms(1);
    let world = world().await;
    world
        .set_health(Health {
            state: HealthState::Disabled { since, reason: DisabledReason::Gone },
            ..Health::default()
        })
        .await;
    let mut all = world.exhausted(70).await;
    all.insert(world.owe("evt-pending").await.id);
    all.insert(world.record("evt-parked", DeliveryState::Parked, None).await);
    let job = world.start(&RecoverStatus::USUAL).await;
    world.run().await.expect("a run");
    assert_eq!((world.told(&job).await, world.sent().len()), ((JobStatus::Succeeded, 72, 0, 71), 0));
    for id in &all {
        assert_eq!(world.state(id).await, Some(DeliveryState::Parked));
    }
    let found = world.store.find_destination(&account("acme"), &world.target.id).await.expect("an answer");
    assert!(found.expect("the destination").health.expiry.is_some(), "it is looked for before it expires");
}

#[tokio::test]
async fn it_waits_for_a_drain_that_is_under_way() {
    let world = world().await;
    world.exhausted(3).await;
    let now = world.clock.now();
    world.set_health(Health { drain: Some(Drain { since: now, next_at: world.at(90) }), ..Health::default() }).await;
    let job = world.start(&RecoverStatus::USUAL).await;
    world.run().await.expect("a run");
    assert_eq!((world.told(&job).await, world.sent().len()), ((JobStatus::Running, 0, 0, 0), 0));
    world.set_health(Health::default()).await;
    world.clock.advance(MINUTE);
    world.run().await.expect("a run");
    assert_eq!((world.told(&job).await.0, world.sent().len()), (JobStatus::Succeeded, 3));
}

#[tokio::test]
async fn it_fails_and_says_so_when_the_destination_is_deleted_meanwhile() {
    let world = world().await;
    world.exhausted(1).await;
    let job = world.start(&RecoverStatus::USUAL).await;
    world.store.delete_destination(&world.target.account, &world.target.id, None).await.expect("deleted");
    world.run().await.expect("a run");
    let failed = world.job(&job).await;
    assert_eq!((failed.status, failed.error.as_deref()), (JobStatus::Failed, Some("the destination was deleted")));
    assert!(world.sent().is_empty());
}

#[tokio::test]
async fn a_crash_at_any_step_of_it_loses_nothing_and_the_next_run_goes_on_where_it_stopped() {
    for (method, times) in [
        ("find_destination_anew", 1),
        ("list_deliveries", 1),
        ("find_event", 1),
        ("replace_delivery", 7),
        ("record_progress", 2),
        ("list_events", 1),
        ("find_delivery", 1),
        ("create_delivery", 1),
        ("end_job", 1),
        ("send_deliveries", 1),
    ] {
        let world = world().await;
        let mut all = world.exhausted(20).await;
        all.insert(world.owe("evt-pending").await.id);
        let job = world.start(&RecoverStatus::USUAL).await;
        match method {
            "send_deliveries" => world.queue.break_sends(1),
            _ => world.store.fail(method, times),
        }
        assert!(world.run().await.is_err(), "{method}");
        let mut sent = world.sent();
        // Whatever was claimed but not sent becomes due again when its lease has expired.
        for _ in 0..20 {
            world.clock.advance(LEASE);
            // A failure of an earlier step may be left over.
            let _ = world.run().await;
            sent.extend(world.sent());
        }
        assert_eq!(world.told(&job).await.0, JobStatus::Succeeded, "{method}");
        assert_eq!(sent, all, "{method}");
    }
}
