//! The loads of `capacity.rs`: rows in the table, and the units of work that a run hands out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, Held, Job, RecoverStatus, Recovery};
use domain::destination::{Destination, Health, HealthState};
use domain::event::{Event, envelope};
use domain::value::{AccountId, DeliveryId, DestinationId, Horizon, Timestamp};
use ports::{
    Accounts, Audit, Clock, Deliveries, DestinationHealth, Destinations, Events, SHARDS, SealNote, SealNotes,
    SealedEvent, StartJob,
};
use testing::{MemoryStore, account, destination, event_text, record};
use tokio::sync::Notify;

use crate::chaos::{Chaos, Dice, SimClock};
use crate::counting::{Counting, Counts, Sent, lock};
use crate::processes::{Redrive, Shared};
use crate::queue::SimQueue;
use crate::receivers::Receivers;
use crate::table::Table;

const ACCOUNTS: u64 = 100;
/// How many destinations are down.
pub const DOWN: u64 = 1_000;
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
    units_came: Arc<Notify>,
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
        let due_from = Arc::new(Mutex::new(clock.now()));
        Self { clock, store, shared, counts: Arc::default(), due_from, units_came: Arc::default() }
    }

    /// A new instance of `redrive`.
    pub fn instance(&self, chaos: Chaos) -> Redrive {
        let chaos = Arc::new(chaos);
        let queue = Counting {
            counts: self.counts.clone(),
            chaos: chaos.clone(),
            clock: self.clock.clone(),
            due_from: self.due_from.clone(),
            units_came: self.units_came.clone(),
        };
        let outside = Arc::new(queue);
        Redrive::with(outside.clone(), outside, UNITS, &self.shared, chaos)
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

    pub fn has_jobs(&self) -> bool {
        self.store.has_pending_job()
    }

    /// Starts a recovery of one of the destinations that are down in each account.
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
        let body = envelope::build(&event).expect("a body");
        SealedEvent {
            account: event.account,
            id: event.id,
            event_type: event.event_type,
            scope: event.scope,
            occurred_at: event.occurred_at,
            sealed_at: event.occurred_at,
            digest: envelope::content_digest(body.get()),
            body: body.get().to_owned(),
            owed,
            unmatched: None,
            expires_at: self.clock.now().plus(Duration::from_secs(30 * 86_400)),
        }
    }

    /// Stores deliveries that come due in the minute after `from`, of the same events.
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

    /// Stores destinations that are down and to be probed at `at`, each with ten parked deliveries.
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

    /// Stores events that were sealed within ten minutes and delivered, and are to be audited now.
    pub async fn sealed(&self, count: u64) {
        let (horizon, now) = (Horizon::default(), self.clock.now());
        let last = horizon.stretches().of(now.minus(horizon.length() + 2 * horizon.stretches().length()));
        let before = (0..SHARDS).map(|shard| (shard, last.since)).collect();
        self.store.set_audited_until(&before).await.expect("noted");
        let begin = last.since;
        let mut samples = HashMap::new();
        for n in 0..count {
            let owner = owner(n);
            let one = destination(&owner, u8::try_from(n % ACCOUNTS).expect("a byte"), "https://up.example/");
            let sample = samples.entry(owner.clone()).or_insert_with(|| {
                (record(&one, "audited", 1, DeliveryState::Delivered), self.event(&owner, "audited", Vec::new()))
            });
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
    // As one change, of which its owner was told.
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
