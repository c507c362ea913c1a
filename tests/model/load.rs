//! The loads of `capacity.rs`: rows in the table, and the units of work that a run hands out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, Held, Job, RecoverStatus, Recovery};
use domain::destination::{Destination, Health, HealthState};
use domain::event::Event;
use domain::routing::{AwaitedRun, Grace};
use domain::value::{AccountId, DeliveryId, DestinationId, Horizon, SubscriptionId, Timestamp};
use ports::{
    Accounts, Audit, AwaitRuns, ByShard, Clock, CreatedDestination, CreatedSubscription, Deliveries, DestinationHealth,
    Destinations, Events, RollUps, RolledUpTo, SHARDS, SealNote, SealNotes, SealedEvent, StartJob, Subscriptions,
};
use serde_json::Value;
use testing::{MemoryStore, account, destination, event_text, record, sealed, subscription};
use tokio::sync::Notify;

use crate::chaos::{Chaos, Dice, SimClock};
use crate::counting::{Counting, Counts, Sent, lock};
use crate::doubles::Shaken;
use crate::processes::{Outside, Redrive, Shared};
use crate::queue::SimQueue;
use crate::receivers::Receivers;
use crate::table::Table;

const ACCOUNTS: u64 = 100;
/// How many destinations are down.
pub const DOWN: u64 = 1_000;
/// How many destinations get the sealed events.
const SEALED_FOR: u64 = 1_000;
/// How many events' bodies the deliveries share.
const EVENTS: u64 = 1_000;
/// How many units of work a run may hand out.
const UNITS: u16 = 20;

pub struct Load {
    pub clock: Arc<SimClock>,
    store: Arc<MemoryStore>,
    shared: Shared,
    counts: Arc<Mutex<Counts>>,
    due_from: Arc<Mutex<Timestamp>>,
    missed_from: Arc<Mutex<Timestamp>>,
    units_came: Arc<Notify>,
    /// The time of the last sealed event.
    sealed_until: Mutex<Timestamp>,
}

fn owner(n: u64) -> AccountId {
    account(&format!("account-{}", n % ACCOUNTS))
}

impl Load {
    pub async fn new() -> Self {
        let (clock, dice) = (Arc::new(SimClock::new()), Arc::new(Dice::new(1)));
        let store = Arc::new(MemoryStore::default());
        for n in 0..ACCOUNTS {
            store.create_account(&owner(n), clock.now()).await.expect("registered");
        }
        let table = Table::new(store.clone(), clock.clone(), dice.clone(), Arc::default(), 0);
        let shared = Shared {
            events: Arc::new(SimQueue::new(clock.clone(), 0)),
            deliveries: Arc::new(SimQueue::new(clock.clone(), 0)),
            receivers: Arc::new(Receivers::new(clock.clone(), Duration::ZERO)),
            table: Arc::new(table),
            store: store.clone(),
            dice,
            clock: clock.clone(),
            horizon: Mutex::new(Horizon::default()),
            budget: Duration::from_secs(60),
            skew_ms: 0,
            pushed_twice: Arc::default(),
        };
        let sealed_until = Mutex::new(clock.now());
        let [due_from, missed_from] = [(), ()].map(|()| Arc::new(Mutex::new(clock.now())));
        Self {
            clock,
            store,
            shared,
            counts: Arc::default(),
            due_from,
            missed_from,
            units_came: Arc::default(),
            sealed_until,
        }
    }

    /// A new instance of `redrive`.
    pub fn instance(&self, chaos: Chaos) -> Redrive {
        let chaos = Arc::new(chaos);
        let queue = Counting {
            counts: self.counts.clone(),
            chaos: chaos.clone(),
            clock: self.clock.clone(),
            due_from: self.due_from.clone(),
            missed_from: self.missed_from.clone(),
            units_came: self.units_came.clone(),
        };
        let (queue, store) = (Arc::new(queue), Arc::new(Shaken { chaos: chaos.clone(), inner: self.store.clone() }));
        let outside = Outside {
            queue: queue.clone(),
            event_queue: queue.clone(),
            awaited_runs: store.clone(),
            subscriptions: store,
            hand_out: queue,
            units: UNITS,
        };
        Redrive::with(outside, &self.shared, chaos)
    }

    pub fn sent(&self) -> Sent {
        lock(&self.counts).sent
    }

    pub fn next_unit(&self) -> Option<serde_json::Value> {
        lock(&self.counts).units.pop_front()
    }

    /// Waits until a unit is handed out.
    pub async fn handed_out(&self) {
        self.units_came.notified().await;
    }

    pub fn notes_left(&self) -> usize {
        self.store.seal_notes_left().len()
    }

    /// Whether everything that was sealed is rolled up, and nothing has to be read again.
    pub async fn is_rolled_up(&self) -> bool {
        let to = self.store.rolled_up_to().await.expect("the progress");
        let left = self.store.due_roll_ups(self.clock.now(), None, 1).await.expect("roll-ups");
        to.len() == usize::from(SHARDS)
            && to.values().all(|to| to.until >= *lock(&self.sealed_until))
            && left.is_empty()
    }

    pub fn has_jobs(&self) -> bool {
        self.store.has_pending_job()
    }

    /// Starts a recovery for one of the destinations that are down in each account.
    pub async fn jobs(&self) {
        let now = self.clock.now();
        for n in 0..ACCOUNTS {
            let recovery = Recovery {
                account: owner(n),
                destination_id: down(n),
                since: Timestamp::from_unix_ms(now.unix_ms() - 86_400_000),
                until: now,
                statuses: RecoverStatus::USUAL.to_vec(),
            };
            self.store.start_job(&Job::recover(recovery, now), 20).await.expect("started");
        }
    }

    fn event(&self, owner: &AccountId, id: &str, owed: Vec<Delivery>) -> SealedEvent {
        let event = Event::parse(&event_text(owner, id), self.clock.now()).map_err(|refused| refused.detail);
        let event = event.expect("a sample");
        SealedEvent {
            unmatched: None,
            expires_at: self.clock.now().plus(Duration::from_secs(30 * 86_400)),
            ..sealed(&event, owed, event.occurred_at)
        }
    }

    /// Stores deliveries of the same events that become due in the minute after `from`.
    pub async fn due(&self, count: u64, from: Timestamp) {
        *lock(&self.due_from) = from;
        let mut samples = Vec::new();
        for n in 0..EVENTS {
            let (one, id) = (
                destination(&owner(n), u8::try_from(n % 200).expect("a byte"), "https://up.example/"),
                format!("due-{n}"),
            );
            samples.push(record(&one, &id, 1, DeliveryState::Retrying { due_at: from }));
            self.store.seal_event(&self.event(&owner(n), &id, Vec::new())).await.expect("sealed");
        }
        for n in 0..count {
            let due_at = from.plus(Duration::from_millis(n * 60_000 / count));
            let sample = &samples[usize::try_from(n % EVENTS).expect("few")];
            let delivery = Delivery { id: another_id(&sample.delivery.id, n), ..sample.delivery.clone() };
            let held = Held::ByTable { due_at, in_line: false };
            let row = DeliveryRecord { delivery, held, ..sample.clone() };
            self.store.create_delivery(&row).await.expect("recorded");
        }
        let _ = self.store.take_calls();
    }

    /// Stores destinations that are down and have to be probed at `at`, each with ten parked deliveries.
    pub async fn down(&self, at: Timestamp) {
        for n in 0..DOWN {
            let owner = owner(n);
            let mut one = destination(&owner, 1, "https://down.example/");
            one.id = down(n);
            let settings = serde_json::json!({"name": format!("Destination {n}"), "url": "https://down.example/"});
            one.settings = serde_json::from_value(settings).expect("settings");
            self.store.create_destination(&one, 10_000).await.expect("created");
            self.store.update_health(&one, &failing(&one, at)).await.expect("noted");
            lock(&self.counts).due_at.insert(one.id.clone(), at);
            for k in 0..10 {
                let id = format!("down-{n}-{k}");
                self.store.seal_event(&self.event(&owner, &id, Vec::new())).await.expect("sealed");
                let row = record(&one, &id, 1, DeliveryState::Parked);
                self.store.create_delivery(&row).await.expect("recorded");
            }
        }
    }

    /// Creates a destination that accepts everything.
    async fn receiver(&self, owner: &AccountId, nth: u8) -> Destination {
        let mut one = destination(owner, nth + 100, "https://up.example/");
        let settings = serde_json::json!({"name": format!("Receiver {nth}"), "url": "https://up.example/"});
        one.settings = serde_json::from_value(settings).expect("settings");
        let created = self.store.create_destination(&one, 10_000).await.expect("an answer");
        assert_eq!(created, CreatedDestination::Created, "{nth}");
        one
    }

    /// Stores announced runs for each account, each with a subscriber that waits for it. They count as missed from
    /// `from` on.
    pub async fn missed(&self, count: u64, from: Timestamp) {
        let (grace, before) = (60, from.minus(Duration::from_secs(300)));
        let shortest = Grace::try_from(grace).expect("a grace");
        for n in 0..ACCOUNTS {
            let one = self.receiver(&owner(n), 0).await;
            let mut waits = subscription(&one, 1, &["sync_run.missed"], "*", None);
            waits.id = SubscriptionId::from_entropy([u8::try_from(n).expect("a byte"); 10]);
            waits.settings.grace = shortest;
            let created = self.store.create_subscription(&waits, 10).await.expect("an answer");
            assert_eq!(created, CreatedSubscription::Created, "{n}");
        }
        for n in 0..count {
            let mut text: Value = serde_json::from_str(&event_text(&owner(n), "missed")).expect("JSON");
            text["scope"] = format!("connection/xero/endpoint/table-{}", n / ACCOUNTS).into();
            text["data"]["completed_at"] = before.to_string().into();
            text["data"]["next_run_at"] = from.minus(Duration::from_secs(grace)).to_string().into();
            let event = Event::parse(&text.to_string(), from).map_err(|refused| refused.detail).expect("a sample");
            let run = AwaitedRun::after(&event, &text["data"], shortest, before).expect("a run");
            self.store.await_run(&run).await.expect("kept");
        }
        *lock(&self.missed_from) = from;
    }

    /// Stores events that were sealed within ten minutes and delivered to ten destinations of each account. They have
    /// to be rolled up and audited now.
    pub async fn sealed(&self, count: u64) {
        let (horizon, now) = (Horizon::default(), self.clock.now());
        let last = horizon.stretches().of(now.minus(horizon.length() + 2 * horizon.stretches().length()));
        let before: ByShard<Timestamp> = (0..SHARDS).map(|shard| (shard, last.since)).collect();
        self.store.set_audited_until(&before).await.expect("noted");
        let rolled_up = |since| RolledUpTo { until: since, after: None, failed: false };
        let before = before.into_iter().map(|(shard, since)| (shard, rolled_up(since))).collect();
        self.store.set_rolled_up_to(&before).await.expect("noted");
        *lock(&self.sealed_until) = last.until;
        let begin = last.since;
        let mut samples = Vec::new();
        for n in 0..SEALED_FOR {
            let owner = owner(n);
            let one = self.receiver(&owner, u8::try_from(n / ACCOUNTS + 1).expect("a byte")).await;
            let record = record(&one, "audited", 1, DeliveryState::Delivered);
            samples.push((record, self.event(&owner, "audited", Vec::new())));
        }
        for n in 0..count {
            let sample = &samples[usize::try_from(n % SEALED_FOR).expect("few")];
            let delivery = Delivery { id: another_id(&sample.0.delivery.id, n), ..sample.0.delivery.clone() };
            let row = DeliveryRecord { delivery: delivery.clone(), ..sample.0.clone() };
            self.store.create_delivery(&row).await.expect("recorded");
            let at = begin.plus(Duration::from_millis(n * 600_000 / count));
            let id = format!("audited-{n}").parse().expect("an id");
            let event = SealedEvent { id, occurred_at: at, sealed_at: at, owed: vec![delivery], ..sample.1.clone() };
            self.store.seal_event(&event).await.expect("sealed");
        }
        for n in 0..ACCOUNTS {
            let note = SealNote { sealed: last, account: owner(n), occurred: last };
            self.store.note_seal(&note, now).await.expect("noted");
        }
    }
}

fn failing(destination: &Destination, next_probe_at: Timestamp) -> Health {
    let mut health = destination.health.clone();
    let failure = domain::destination::Failure {
        at: Timestamp::from_unix_ms(next_probe_at.unix_ms() - 60_000),
        gone: false,
        probe: false,
        retry_after: Duration::ZERO,
        asks_to_wait: false,
        seen_in_a_row: 10,
        operational: false,
    };
    for _ in 0..10 {
        if let Some(next) = health.failed(failure) {
            health = next;
        }
    }
    let HealthState::Failing { .. } = health.state else { unreachable!("ten failures in a row: {health:?}") };
    // As one change, which has been reported to its owner.
    Health { version: destination.health.version + 1, untold: Vec::new(), ..health }
}

/// The id of a destination that is down.
fn down(n: u64) -> DestinationId {
    let mut bytes = [7; 10];
    bytes[..8].copy_from_slice(&(n + 1_000_000).to_be_bytes());
    DestinationId::from_entropy(bytes)
}

/// The id of another delivery of the same destination and time.
fn another_id(id: &DeliveryId, n: u64) -> DeliveryId {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut text = id.as_str().to_owned().into_bytes();
    let last = text.len();
    for place in 0..8 {
        let digit = usize::try_from(n >> (5 * place) & 31).expect("a digit");
        text[last - 1 - place] = DIGITS[digit];
    }
    String::from_utf8(text).expect("ASCII").parse().expect("an id")
}
