//! Parked deliveries that are about to expire: they are reported a day before, and given up at the end.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod over_memory;

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{DeliveryRecord, DeliveryState, Exhaustion, Held};
use domain::destination::{Destination, Health, HealthState};
use domain::event::Event;
use domain::value::{DeliveryId, Timestamp};
use lambda_runtime::{Context, LambdaEvent};
use ports::{Accounts, Clock, Deliveries, DestinationHealth, Destinations, Events, SealedEvent};
use redrive::{Deps, handle};
use runtime::metrics::Metrics;
use testing::{
    MemoryAlerts, MemoryQueue, MemoryStore, MetricLines, TestClock, account, destination, event_text, record, sealed,
};

use self::over_memory::deps;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// The retention that `over_memory` uses.
const RETENTION: Duration = Duration::from_secs(30 * 86_400);

struct World {
    store: Arc<MemoryStore>,
    queue: Arc<MemoryQueue>,
    alerts: Arc<MemoryAlerts>,
    clock: Arc<TestClock>,
    deps: Arc<Deps>,
    metrics: MetricLines,
    begin: Timestamp,
}

fn target() -> Destination {
    destination(&account("acme"), 1, "https://a.example/")
}

/// A paused destination for which this event's delivery is parked.
async fn world() -> World {
    let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::default()));
    let (alerts, clock) = (Arc::new(MemoryAlerts::default()), Arc::new(TestClock::new()));
    store.create_account(&account("acme"), clock.now()).await.expect("created");
    let mut paused = target();
    paused.settings.paused = true;
    store.create_destination(&paused, 10).await.expect("created");
    let health = Health::default().parked(clock.now()).expect("a change");
    assert!(store.update_health(&paused, &health).await.expect("an answer"));
    let lines = MetricLines::default();
    let metrics = Arc::new(Metrics::new("tests", clock.clone(), lines.sink()));
    let deps = Arc::new(Deps { metrics, ..deps(&store, &queue, &alerts, &clock) });
    let begin = clock.now();
    World { store, queue, alerts, clock, deps, metrics: lines, begin }
}

impl World {
    /// Parks the delivery of an event, which are kept for this long.
    async fn park(&self, id: &str, kept: Duration) -> DeliveryId {
        self.park_for(id, kept, kept).await
    }

    /// Parks the delivery of an event, whose row is kept for this long.
    async fn park_for(&self, id: &str, delivery_kept: Duration, kept: Duration) -> DeliveryId {
        let event = Event::parse(&event_text(&account("acme"), id), self.begin);
        let event = event.map_err(|rejection| rejection.detail).expect("an event");
        let parked = record(&target(), id, 1, DeliveryState::Parked);
        let parked = DeliveryRecord { expires_at: self.begin.plus(delivery_kept), ..parked };
        let delivery = parked.delivery.id.clone();
        assert!(self.store.create_delivery(&parked).await.expect("an answer"));
        let sealed =
            SealedEvent { expires_at: self.begin.plus(kept), ..sealed(&event, vec![parked.delivery], self.begin) };
        self.store.seal_event(&sealed).await.expect("sealed");
        delivery
    }

    /// Runs once an hour until `end`; returns what was reported at which hours.
    async fn hours_until(&self, end: Duration) -> Vec<(u64, String)> {
        let mut told = Vec::new();
        while self.clock.now().since(self.begin) < end {
            self.clock.advance(HOUR);
            let mut context = Context::default();
            context.deadline = self.clock.now().plus(Duration::from_secs(60)).unix_ms();
            let event = LambdaEvent::new(serde_json::Value::Null, context);
            handle(Arc::clone(&self.deps), event).await.expect("a run");
            let hour = self.clock.now().since(self.begin).as_secs() / 3_600;
            for text in self.queue.take_events() {
                let event = Event::parse(&text, self.clock.now()).map_err(|r| r.detail).expect("an event");
                told.push((hour, event.event_type.to_string()));
            }
        }
        told
    }

    async fn row(&self, id: &DeliveryId) -> DeliveryRecord {
        self.store.find_delivery(&account("acme"), id).await.expect("an answer").expect("the row")
    }
}

#[tokio::test]
async fn a_day_before_what_is_parked_expires_its_owner_and_people_are_told_once() {
    let world = world().await;
    let id = world.park("evt-1", RETENTION).await;
    let told = world.hours_until(RETENTION - DAY).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let (hour, what) = &told[0];
    assert_eq!(what, "delivery.expiring");
    assert!((28 * 24..29 * 24).contains(hour), "{hour}");
    let alerts: Vec<_> = world.alerts.take().iter().map(|alert| alert.event_type).collect();
    assert_eq!(alerts, ["delivery.expiring"]);
    assert_eq!(world.row(&id).await.held, Held::ByDestination);
}

#[tokio::test]
async fn what_is_parked_is_given_up_before_its_event_is_forgotten_and_that_is_told() {
    let world = world().await;
    let id = world.park("evt-1", RETENTION).await;
    let told = world.hours_until(RETENTION).await;
    let what: Vec<_> = told.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(what, ["delivery.expiring", "delivery.exhausted"]);
    let row = world.row(&id).await;
    let Some(Exhaustion::Expired { at }) = row.exhaustion() else { panic!("{row:?}") };
    let left = world.begin.plus(RETENTION).since(at);
    assert!(left > Duration::ZERO && left <= HOUR * 7, "{left:?}");
    assert!(row.expires_at >= at.plus(RETENTION), "the ledger keeps it");
    assert_eq!(row.look_at(), None);
}

#[tokio::test]
async fn what_came_late_is_kept_as_long_as_its_event() {
    let world = world().await;
    let id = world.park("evt-1", RETENTION + DAY * 3).await;
    let early = world.hours_until(RETENTION + DAY * 2).await;
    assert!(early.iter().all(|(_, what)| what == "delivery.expiring"), "{early:?}");
    assert_eq!(world.row(&id).await.held, Held::ByDestination);
    let late = world.hours_until(RETENTION + DAY * 3).await;
    assert_eq!(late.len(), 1, "{late:?}");
    assert!(world.row(&id).await.exhaustion().is_some());
}

/// A delivery that is parked when `RetentionDays` is raised keeps its old end.
#[tokio::test]
async fn what_was_parked_before_more_was_kept_is_told_and_given_up_in_time() {
    let world = world().await;
    let id = world.park("evt-1", DAY * 10).await;
    // A probe has written its row since.
    let probed = world.park_for("evt-2", RETENTION, DAY * 10).await;
    let told = world.hours_until(DAY * 10).await;
    let what: Vec<_> = told.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(what, ["delivery.expiring", "delivery.exhausted", "delivery.exhausted"]);
    assert_eq!(world.metrics.sum("DeliveriesExhausted"), 2);
    assert!((8 * 24..9 * 24).contains(&told[0].0), "{told:?}");
    for id in [id, probed] {
        let Some(Exhaustion::Expired { at }) = world.row(&id).await.exhaustion() else { panic!("{id}") };
        assert!(world.begin.plus(DAY * 10).since(at) <= HOUR * 7, "{at}");
    }
}

/// A delivery that is parked after `RetentionDays` was lowered ends before its event.
#[tokio::test]
async fn what_was_parked_after_less_was_kept_is_told_and_given_up_in_time() {
    let world = world().await;
    let id = world.park_for("evt-1", RETENTION + DAY * 2, RETENTION * 3).await;
    assert!(world.hours_until(RETENTION + DAY).await.iter().all(|(_, what)| what == "delivery.expiring"));
    assert_eq!(world.row(&id).await.held, Held::ByDestination);
    let told = world.hours_until(RETENTION + DAY * 2).await;
    assert_eq!(told.iter().map(|(_, what)| what.as_str()).collect::<Vec<_>>(), ["delivery.exhausted"]);
}

/// Runs `redrive` for some minutes. One row cannot be read, so runs may return an error.
async fn minutes(world: &World, count: u32) {
    for _ in 0..count {
        world.clock.advance(HOUR / 60);
        let mut context = Context::default();
        context.deadline = world.clock.now().plus(Duration::from_secs(60)).unix_ms();
        let event = LambdaEvent::new(serde_json::Value::Null, context);
        drop(handle(Arc::clone(&world.deps), event).await);
    }
}

#[tokio::test]
async fn what_cannot_be_read_while_its_destination_is_probed_is_sent_once_it_is_mended() {
    let world = world().await;
    let id = world.park("evt-1", RETENTION).await;
    let found = world.store.find_destination_anew(&account("acme"), &target().id).await.expect("an answer");
    let paused = found.expect("the destination");
    let on = domain::destination::DestinationSettings { paused: false, ..paused.settings.clone() };
    let now = world.clock.now();
    let state = HealthState::Failing { since: now, probes: 3, next_probe_at: now, half_open: false };
    let failing = Destination { settings: on, version: paused.version + 1, ..paused.clone() };
    let failing = failing.with_health(Health { state, version: paused.health.version + 1, ..paused.health.clone() });
    world.store.update_destination(&paused, &failing).await.expect("an answer");
    world.store.poison(&id);
    minutes(&world, 30).await;
    assert_eq!(world.queue.take_sent().len(), 0, "there was nothing to probe with");
    world.store.mend(&id);
    world.hours_until(HOUR * 8).await;
    assert!(!world.queue.take_sent().is_empty(), "it is a probe now");
}

#[tokio::test]
async fn of_a_healthy_destination_with_nothing_parked_the_search_ends() {
    let world = world().await;
    let found = world.store.find_destination_anew(&account("acme"), &target().id).await.expect("an answer");
    let paused = found.expect("the destination");
    let resumed = paused.resumed(world.clock.now()).expect("a change");
    let quiet = resumed.with_health(Health { drain: None, ..resumed.health.clone() });
    assert!(quiet.health.expiry.is_some());
    world.store.update_destination(&paused, &quiet).await.expect("an answer");
    world.hours_until(HOUR * 8).await;
    let found = world.store.find_destination_anew(&account("acme"), &target().id).await.expect("an answer");
    assert_eq!(found.expect("the destination").look_at(), None);
}

#[tokio::test]
async fn what_is_parked_for_no_reason_is_sent_again() {
    let world = world().await;
    let id = world.park("evt-1", RETENTION).await;
    // Its owner resumes it, and its row cannot be read while the parked deliveries are sent.
    let found = world.store.find_destination_anew(&account("acme"), &target().id).await.expect("an answer");
    let paused = found.expect("the destination");
    let resumed = paused.resumed(world.clock.now()).expect("a change");
    world.store.update_destination(&paused, &resumed).await.expect("an answer");
    world.store.poison(&id);
    minutes(&world, 5).await;
    let found = world.store.find_destination_anew(&account("acme"), &target().id).await.expect("an answer");
    let health = found.expect("the destination").health;
    assert!(health.drain.is_none() && health.expiry.is_some(), "{health:?}");
    world.store.mend(&id);
    world.hours_until(HOUR * 8).await;
    assert!(matches!(world.row(&id).await.held, Held::ByQueue { .. }));
}
