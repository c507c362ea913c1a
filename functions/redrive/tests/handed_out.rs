//! Work that one run has no time for: it is handed out in units, done once by the instance that gets the unit, and
//! handed out again if the unit is lost.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod over_memory;
mod slow;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, Purpose};
use domain::destination::{Destination, Drain, Health, HealthState};
use domain::event::Event;
use domain::value::{AccountId, DeliveryId};
use lambda_runtime::{Context, LambdaEvent};
use ports::{
    Accounts, Clock, Deliveries, DestinationHealth, Destinations, Events, HandOut, PortResult, SealNote, SealNotes,
    SealedEvent,
};
use redrive::{Audited, Deps, handle};
use serde_json::{Value, json};
use testing::{MemoryHandOut, MemoryQueue, MemoryStore, TestClock, account, destination, event_text, record, sealed};

use self::over_memory::deps;
use self::slow::Slow;

const MINUTE: Duration = Duration::from_secs(60);

/// Rows that let others go first, so that what two instances do is mixed.
struct Polite(Arc<MemoryStore>);

#[async_trait]
impl Deliveries for Polite {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
        let found = self.0.find_delivery(account, id).await;
        tokio::task::yield_now().await;
        found
    }

    async fn find_deliveries(&self, ids: &[(AccountId, DeliveryId)]) -> PortResult<Vec<DeliveryRecord>> {
        let found = self.0.find_deliveries(ids).await;
        tokio::task::yield_now().await;
        found
    }

    async fn create_delivery(&self, record: &DeliveryRecord) -> PortResult<bool> {
        tokio::task::yield_now().await;
        self.0.create_delivery(record).await
    }

    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool> {
        tokio::task::yield_now().await;
        self.0.replace_delivery(before, after).await
    }
}

struct World {
    store: Arc<MemoryStore>,
    queue: Arc<MemoryQueue>,
    clock: Arc<TestClock>,
    handed_out: Arc<MemoryHandOut>,
    deps: Arc<Deps>,
}

/// The account `acme` with a destination. Each call of the queue takes a while.
async fn world(takes: Duration) -> World {
    let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::default()));
    let (clock, handed_out) = (Arc::new(TestClock::new()), Arc::new(MemoryHandOut::default()));
    store.create_account(&account("acme"), clock.now()).await.expect("created");
    store.create_destination(&target(1), 1_000).await.expect("created");
    let slow = Arc::new(Slow { queue: queue.clone(), clock: clock.clone(), takes });
    let deps = deps(&store, &queue, &Arc::default(), &clock);
    let deps = Arc::new(Deps { queue: slow, hand_out: handed_out.clone(), units: 20, ..deps });
    World { store, queue, clock, handed_out, deps }
}

fn target(n: u8) -> Destination {
    destination(&account("acme"), n, "https://a.example/")
}

/// An event that owes `count` deliveries to a destination, all in the shard 0.
fn event(id: &str, to: &Destination, count: usize, world: &World) -> SealedEvent {
    let now = world.clock.now();
    let event = Event::parse(&event_text(&account("acme"), id), now).map_err(|r| r.detail).expect("an event");
    let first = Delivery::of_event(&event, to.id.clone(), None);
    let numbered = |n: usize| Delivery {
        id: format!("{}{n:019}0", &first.id.as_str()[..34]).parse().expect("an id"),
        ..first.clone()
    };
    sealed(&event, (0..count).map(numbered).collect(), now)
}

impl World {
    async fn invoke(&self, event: Value) -> Result<(), lambda_runtime::Error> {
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(MINUTE).unix_ms();
        handle(Arc::clone(&self.deps), LambdaEvent::new(event, context)).await
    }

    async fn run(&self) {
        self.invoke(Value::Null).await.expect("a run");
    }

    async fn work_on(&self, unit: &str) {
        self.invoke(json!({ "Records": [{ "Sns": { "Message": unit } }] })).await.expect("a unit");
    }

    async fn owe(&self, id: &str, to: &Destination, count: usize) -> Vec<Delivery> {
        let event = event(id, to, count, self);
        self.store.seal_event(&event).await.expect("sealed");
        event.owed
    }

    /// Seals an event after its note, as `fanout` does.
    async fn seal(&self, id: &str, count: usize) -> Vec<Delivery> {
        let (event, stretches) = (event(id, &target(1), count, self), self.deps.horizon.stretches());
        let (sealed, occurred) = (stretches.of(event.sealed_at), stretches.of(event.occurred_at));
        let note = SealNote { sealed, account: account("acme"), occurred };
        self.store.note_seal(&note, event.expires_at).await.expect("noted");
        self.store.seal_event(&event).await.expect("sealed");
        event.owed
    }

    async fn set(&self, delivery: &Delivery, state: DeliveryState) {
        let row = DeliveryRecord { delivery: delivery.clone(), ..record(&target(1), "any", 1, state) };
        self.store.create_delivery(&row).await.expect("recorded");
    }

    /// So many deliveries of shard 0 are due now.
    async fn due(&self, count: usize) -> BTreeSet<DeliveryId> {
        let owed = self.owe("evt-1", &target(1), count).await;
        for delivery in &owed {
            self.set(delivery, DeliveryState::Retrying { due_at: self.clock.now() }).await;
        }
        owed.into_iter().map(|delivery| delivery.id).collect()
    }

    async fn set_health(&self, of: &Destination, health: Health) {
        assert!(self.store.update_health(of, &Health { version: 2, ..health }).await.expect("an answer"));
    }

    /// The destination has this many parked deliveries, and has to be drained.
    async fn drains(&self, n: u8, count: usize) {
        let to = target(n);
        self.store.create_destination(&to, 1_000).await.expect("created");
        for delivery in self.owe(&format!("evt-{n}"), &to, count).await {
            self.set(&delivery, DeliveryState::Parked).await;
        }
        let now = self.clock.now();
        self.set_health(&to, Health { drain: Some(Drain { since: now, next_at: now }), ..Health::default() }).await;
    }

    fn sent(&self) -> Vec<DeliveryId> {
        self.queue.take_sent().into_iter().map(|message| message.delivery.id).collect()
    }
}

#[tokio::test]
async fn a_backlog_is_handed_out_in_parts_and_each_delivery_is_sent_once() {
    let world = world(Duration::from_millis(250)).await;
    let due = world.due(6_000).await;
    let (mut sent, mut units) = (Vec::new(), 0);
    // Alone, an instance sends 1,800 in its 45 s.
    for _ in 0..3 {
        world.run().await;
        for unit in world.handed_out.take_units() {
            assert!(unit.starts_with(r#"{"lane":"due","shards":[0],"#), "{unit}");
            world.work_on(&unit).await;
            units += 1;
        }
        sent.extend(world.sent());
    }
    assert!(units >= 2, "{units}");
    assert_eq!((sent.len(), sent.into_iter().collect::<BTreeSet<_>>() == due), (6_000, true));
}

#[tokio::test]
async fn a_unit_handles_its_part_and_nothing_else() {
    let world = world(Duration::ZERO).await;
    let due = world.due(300).await;
    world.drains(2, 3).await;
    world.store.take_calls();
    let mut sent = BTreeSet::new();
    for part in 0..3 {
        world.work_on(&format!(r#"{{"lane":"due","shards":[0],"part":{part},"of":3}}"#)).await;
        let part = world.sent();
        assert!((60..=140).contains(&part.len()), "{}", part.len());
        assert!(part.into_iter().all(|id| sent.insert(id)));
    }
    assert_eq!(sent, due);
    let calls = world.store.take_calls();
    for other in ["watched_destinations", "overdue_runs", "rolled_up_to", "audited_until", "pending_jobs"] {
        assert!(!calls.contains(&other), "{other}");
    }
    world.work_on(r#"{"lane":"watch","shards":[0],"part":0,"of":1}"#).await;
    assert_eq!(world.sent().len(), 3);
    let sample = include_str!("../../../events/redrive-unit.json");
    world.invoke(serde_json::from_str(sample).expect("a sample")).await.expect("a unit of another shard");
    world.work_on(r#"{"lane":"of another release","shards":[0],"part":0,"of":1}"#).await;
}

#[tokio::test]
async fn a_unit_that_is_lost_is_handed_out_again() {
    let world = world(Duration::from_millis(500)).await;
    let due = world.due(1_500).await;
    let mut sent = BTreeSet::new();
    for minute in 0..4 {
        world.run().await;
        sent.extend(world.sent());
        let lost = world.handed_out.take_units();
        assert_eq!(lost.is_empty(), sent.len() == due.len(), "in minute {minute}");
    }
    assert_eq!(sent, due);
}

#[tokio::test]
async fn what_cannot_be_handed_out_the_run_goes_on_with() {
    let world = world(Duration::from_millis(500)).await;
    world.due(1_500).await;
    world.handed_out.fail(1);
    world.run().await;
    // All 45 s of it, at 20 deliveries a second.
    let sent = world.sent().len();
    assert!((880..=910).contains(&sent), "{sent}");
}

/// A topic that never answers.
struct Hanging;

#[async_trait]
impl HandOut for Hanging {
    async fn hand_out(&self, _units: &[String]) -> PortResult<()> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_never_answers_keeps_no_run_from_ending_in_time() {
    let mut world = world(Duration::from_millis(500)).await;
    world.due(1_000).await;
    let deps = Arc::into_inner(world.deps).expect("nobody else has them");
    world.deps = Arc::new(Deps { hand_out: Arc::new(Hanging), ..deps });
    tokio::time::timeout(MINUTE, world.run()).await.expect("an answer in time");
}

#[tokio::test]
async fn what_one_run_has_time_for_is_not_handed_out() {
    let world = world(Duration::from_millis(1)).await;
    world.run().await;
    world.due(500).await;
    world.drains(2, 100).await;
    world.run().await;
    assert_eq!((world.sent().len(), world.handed_out.take_units()), (600, vec![]));
}

#[tokio::test]
async fn a_unit_hands_out_nothing() {
    let world = world(Duration::from_secs(1)).await;
    world.due(1_000).await;
    world.work_on(r#"{"lane":"due","shards":[0],"part":0,"of":2}"#).await;
    assert!(world.sent().len() < 500, "it has no time for all of them");
    assert_eq!(world.handed_out.take_units(), Vec::<String>::new());
}

#[tokio::test]
async fn a_run_hands_out_no_more_than_it_may() {
    let world = world(Duration::from_secs(1)).await;
    world.due(1_000).await;
    for units in [0, 1] {
        let deps = deps(&world.store, &world.queue, &Arc::default(), &world.clock);
        let deps = Deps { queue: world.deps.queue.clone(), hand_out: world.handed_out.clone(), units, ..deps };
        let world = World { deps: Arc::new(deps), ..world_of(&world) };
        world.run().await;
        assert_eq!(world.handed_out.take_units().len(), usize::from(units));
    }
}

fn world_of(world: &World) -> World {
    World {
        store: world.store.clone(),
        queue: world.queue.clone(),
        clock: world.clock.clone(),
        handed_out: world.handed_out.clone(),
        deps: world.deps.clone(),
    }
}

#[tokio::test]
async fn a_run_that_is_late_itself_divides_more() {
    let world = world(Duration::from_secs(1)).await;
    world.due(2_000).await;
    world.clock.advance(MINUTE * 4);
    world.run().await;
    // Eight of twenty units are for what is due. Five shards were not listed yet, so nobody knows whether they are late.
    let units = world.handed_out.take_units();
    assert_eq!(units.len(), 8);
    let late = units.iter().filter(|unit| unit.starts_with(r#"{"lane":"due","shards":[0],"#)).count();
    assert!(units.iter().any(|unit| unit.ends_with(r#""of":4}"#)) && late >= 3, "{units:?}");
}

#[tokio::test]
async fn the_same_unit_twice_at_once_sends_each_delivery_once() {
    let world = world(Duration::ZERO).await;
    let due = world.due(200).await;
    let deps = deps(&world.store, &world.queue, &Arc::default(), &world.clock);
    let deps = Arc::new(Deps { deliveries: Arc::new(Polite(world.store.clone())), ..deps });
    let world = World { deps, ..world };
    let unit = r#"{"lane":"due","shards":[0],"part":0,"of":1}"#;
    tokio::join!(world.work_on(unit), world.work_on(unit), world.run());
    let sent = world.sent();
    assert_eq!((sent.len(), sent.into_iter().collect::<BTreeSet<_>>() == due), (200, true));
}

#[tokio::test]
async fn two_audits_of_one_shard_send_what_was_lost_once() {
    let world = world(Duration::ZERO).await;
    let lost: BTreeSet<_> = world.seal("evt-1", 200).await.into_iter().map(|delivery| delivery.id).collect();
    world.clock.advance(MINUTE * 71);
    let deps = deps(&world.store, &world.queue, &Arc::default(), &world.clock);
    let deps = Arc::new(Deps { deliveries: Arc::new(Polite(world.store.clone())), ..deps });
    let world = World { deps, ..world };
    let unit = format!(r#"{{"lane":"audit","shards":[{}],"part":0,"of":1}}"#, SealNote::shard_of(&account("acme")));
    tokio::join!(world.work_on(&unit), world.work_on(&unit));
    let sent = world.sent();
    assert_eq!((sent.len(), sent.into_iter().collect::<BTreeSet<_>>() == lost), (200, true));
    assert!(world.store.seal_notes_left().is_empty());
}

#[tokio::test]
async fn probes_of_all_destinations_go_before_drains() {
    let world = world(Duration::from_millis(100)).await;
    for n in 2..=150 {
        world.drains(n, 2).await;
    }
    // Its probe is due after all drains are.
    world.clock.advance(MINUTE);
    let parked = world.owe("evt-1", &target(1), 1).await;
    world.set(&parked[0], DeliveryState::Parked).await;
    let (since, next_probe_at) = (world.clock.now(), world.clock.now());
    let state = HealthState::Failing { since, probes: 0, next_probe_at, half_open: false };
    world.set_health(&target(1), Health { state, ..Health::default() }).await;
    world.run().await;
    let sent = world.queue.take_sent();
    assert_eq!(sent.first().map(|message| message.purpose), Some(Purpose::Probe));
    assert!(sent.len() > 1);
}

#[tokio::test]
async fn drains_are_divided_by_destination() {
    let world = world(Duration::from_secs(1)).await;
    for n in 2..=100 {
        world.drains(n, 2).await;
    }
    world.run().await;
    let units = world.handed_out.take_units();
    assert_eq!(units.len(), 3);
    for unit in units {
        assert!(unit.starts_with(r#"{"lane":"watch","#) && unit.ends_with(r#""of":4}"#), "{unit}");
        world.work_on(&unit).await;
    }
    let sent = world.sent();
    let times = |id: &DeliveryId| sent.iter().filter(|other| *other == id).count();
    assert_eq!((sent.len(), sent.iter().all(|id| times(id) == 1)), (198, true));
}

#[tokio::test]
async fn a_change_of_the_horizon_stops_no_audit_and_loses_no_event() {
    let world = world(Duration::ZERO).await;
    world.run().await;
    let mut lost = BTreeSet::new();
    for (n, horizon) in ["3600", "7200", "60", "86400", "3600"].into_iter().enumerate() {
        let deps = deps(&world.store, &world.queue, &Arc::default(), &world.clock);
        let deps = Deps { horizon: horizon.parse().expect("a horizon"), audited: Audited::default(), ..deps };
        let world = World { deps: Arc::new(deps), ..world_of(&world) };
        world.run().await;
        lost.extend(world.seal(&format!("evt-{n}"), 1).await.into_iter().map(|delivery| delivery.id));
        world.clock.advance(MINUTE * 5);
        world.run().await;
    }
    world.clock.advance(MINUTE * 71);
    world.run().await;
    assert_eq!(world.store.seal_notes_left(), []);
    assert_eq!(world.sent().into_iter().collect::<BTreeSet<_>>(), lost);
}
