//! What `redrive` reports about destinations and deliveries: to systems and to people, at least once, and without
//! holding anything up.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod over_memory;

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{DeliveryRecord, DeliveryState};
use domain::destination::{Destination, Failure, Health};
use domain::event::Event;
use lambda_runtime::{Context, LambdaEvent};
use ports::{Accounts, Clock, Deliveries, DestinationHealth, Destinations};
use redrive::{Deps, handle};
use testing::{MemoryAlerts, MemoryQueue, MemoryStore, TestClock, account, destination, record};

use self::over_memory::deps;

const MINUTE: Duration = Duration::from_secs(60);

struct World {
    store: Arc<MemoryStore>,
    queue: Arc<MemoryQueue>,
    alerts: Arc<MemoryAlerts>,
    clock: Arc<TestClock>,
    deps: Arc<Deps>,
}

/// The account `acme` with two destinations.
async fn world() -> World {
    let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::default()));
    let (alerts, clock) = (Arc::new(MemoryAlerts::default()), Arc::new(TestClock::new()));
    store.create_account(&account("acme"), clock.now()).await.expect("created");
    for n in [1, 2] {
        store.create_destination(&receiver(n), 10).await.expect("created");
    }
    let deps = Arc::new(deps(&store, &queue, &alerts, &clock));
    World { store, queue, alerts, clock, deps }
}

fn receiver(n: u8) -> Destination {
    destination(&account("acme"), n, "https://a.example/")
}

impl World {
    /// The first destination answers 410.
    async fn gone(&self, operational: bool) {
        let (at, retry_after) = (self.clock.now(), Duration::ZERO);
        let failure =
            Failure { at, gone: true, probe: false, retry_after, asks_to_wait: false, seen_in_a_row: 1, operational };
        let health = Health::default().failed(failure).expect("a change");
        assert!(self.store.update_health(&receiver(1), &health).await.expect("an answer"));
    }

    /// A delivery that the destination was owed and that was just given up.
    async fn given_up(&self, to: u8, event: &str) -> DeliveryRecord {
        let now = self.clock.now();
        let given_up = record(&receiver(to), event, 3, DeliveryState::Exhausted).told(Some(now));
        self.store.create_delivery(&given_up).await.expect("recorded");
        given_up
    }

    /// A run, a minute after the last one.
    async fn run(&self) {
        self.clock.advance(MINUTE);
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(MINUTE).unix_ms();
        let event = LambdaEvent::new(serde_json::Value::Null, context);
        handle(Arc::clone(&self.deps), event).await.expect("a run");
    }

    /// The events that were sent since the last time, as `fanout` reads them.
    fn sent(&self) -> Vec<Event> {
        let read = |text: String| Event::parse(&text, self.clock.now()).map_err(|r| r.detail).expect("an event");
        self.queue.take_events().into_iter().map(read).collect()
    }

    fn sent_types(&self) -> Vec<&'static str> {
        self.sent().iter().map(|event| event.event_type.as_str()).collect()
    }

    fn alerted_types(&self) -> Vec<&'static str> {
        self.alerts.take().iter().map(|alert| alert.event_type).collect()
    }

    async fn untold(&self) -> usize {
        let found = self.store.find_destination_anew(&account("acme"), &receiver(1).id).await.expect("an answer");
        found.expect("the destination").health.untold.len()
    }

    async fn is_looked_at(&self, given_up: &DeliveryRecord) -> bool {
        let delivery = &given_up.delivery;
        let found = self.store.find_delivery(&delivery.account, &delivery.id).await.expect("an answer");
        found.expect("the row").look_at().is_some()
    }
}

#[tokio::test]
async fn a_change_of_health_is_told_once_to_systems_and_to_people() {
    let world = world().await;
    world.gone(false).await;
    world.run().await;
    assert_eq!((world.sent_types(), world.untold().await), (vec!["destination.disabled"], 0));
    let alerts = world.alerts.take();
    assert_eq!(alerts.len(), 1);
    assert_eq!((alerts[0].account.as_str(), &alerts[0].destination), ("acme", &receiver(1).id));
    world.run().await;
    assert_eq!((world.sent_types().len(), world.alerted_types().len()), (0, 0));
}

#[tokio::test]
async fn what_an_operational_event_brought_about_is_told_to_people_only() {
    let world = world().await;
    world.gone(true).await;
    world.run().await;
    assert_eq!((world.sent_types(), world.alerted_types()), (vec![], vec!["destination.disabled"]));
    assert_eq!(world.untold().await, 0);
}

#[tokio::test]
async fn an_alert_that_fails_does_not_keep_the_event_back_and_both_are_told_again_the_event_being_the_same() {
    let world = world().await;
    world.gone(false).await;
    world.alerts.fail(1);
    world.run().await;
    let first = world.sent();
    assert_eq!((first.len(), world.alerted_types().len(), world.untold().await), (1, 0, 1));
    world.run().await;
    let second = world.sent();
    assert_eq!((second.len(), world.alerted_types().len(), world.untold().await), (1, 1, 0));
    assert_eq!((&first[0].id, first[0].data.get()), (&second[0].id, second[0].data.get()));
    assert_eq!(first[0].occurred_at, second[0].occurred_at);
}

#[tokio::test]
async fn an_event_that_fails_does_not_keep_the_alert_back() {
    let world = world().await;
    world.gone(false).await;
    world.queue.break_sends(1);
    world.run().await;
    assert_eq!((world.sent_types().len(), world.alerted_types().len(), world.untold().await), (0, 1, 1));
    world.run().await;
    assert_eq!((world.sent_types().len(), world.untold().await), (1, 0));
}

#[tokio::test]
async fn a_crash_between_telling_and_writing_that_down_tells_it_again() {
    let world = world().await;
    world.gone(false).await;
    world.store.fail("update_health", 1);
    world.clock.advance(MINUTE);
    let mut context = Context::default();
    context.deadline = world.clock.now().plus(MINUTE).unix_ms();
    assert!(handle(Arc::clone(&world.deps), LambdaEvent::new(serde_json::Value::Null, context)).await.is_err());
    let first = world.sent();
    world.run().await;
    let second = world.sent();
    assert_eq!((first.len(), second.len(), world.untold().await), (1, 1, 0));
    assert_eq!(first[0].id, second[0].id);
}

#[tokio::test]
async fn a_change_that_cannot_be_told_for_an_hour_is_dropped() {
    let world = world().await;
    world.gone(false).await;
    world.alerts.fail(u64::MAX);
    for _ in 0..59 {
        world.run().await;
    }
    assert_eq!(world.untold().await, 1);
    world.run().await;
    assert_eq!(world.untold().await, 0);
}

#[tokio::test]
async fn every_delivery_that_was_given_up_is_an_event_and_people_hear_of_a_destination_once_an_hour() {
    let world = world().await;
    let first = world.given_up(1, "evt-1").await;
    world.given_up(1, "evt-2").await;
    world.given_up(2, "evt-3").await;
    world.run().await;
    assert_eq!(
        (world.sent_types(), world.alerted_types()),
        (vec!["delivery.exhausted"; 3], vec!["delivery.exhausted"; 2])
    );
    assert!(!world.is_looked_at(&first).await);
    world.given_up(1, "evt-4").await;
    world.run().await;
    assert_eq!((world.sent_types().len(), world.alerted_types().len()), (1, 0));
    world.clock.advance(60 * MINUTE);
    world.given_up(1, "evt-5").await;
    world.run().await;
    assert_eq!((world.sent_types().len(), world.alerted_types().len()), (1, 1));
}

#[tokio::test]
async fn a_delivery_of_an_operational_event_that_was_given_up_begets_no_event() {
    let world = world().await;
    let mut given_up = record(&receiver(1), "evt-1", 3, DeliveryState::Exhausted).told(Some(world.clock.now()));
    given_up.delivery.event_type = "destination.failing".parse().expect("a type");
    world.store.create_delivery(&given_up).await.expect("recorded");
    world.run().await;
    assert_eq!((world.sent_types(), world.alerted_types()), (vec![], vec!["delivery.exhausted"]));
}

#[tokio::test]
async fn one_that_cannot_be_told_is_told_later_and_keeps_nothing_that_is_due_back() {
    let world = world().await;
    let untold = world.given_up(1, "evt-1").await;
    let told = world.given_up(2, "evt-2").await;
    world.alerts.fail(1);
    world.run().await;
    assert_eq!((world.sent_types().len(), world.alerted_types().len()), (2, 1));
    assert_ne!(world.is_looked_at(&untold).await, world.is_looked_at(&told).await);
    world.run().await;
    world.run().await;
    assert_eq!((world.sent_types().len(), world.alerted_types().len()), (1, 1));
    assert!(!world.is_looked_at(&untold).await && !world.is_looked_at(&told).await);
}
