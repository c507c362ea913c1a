//! An account with three destinations over the in-memory store, and what they are owed.

use std::sync::Arc;
use std::time::Duration;

use DeliveryState::Delivered;
use domain::attempt::{Attempt, Outcome};
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, RollUp, Settlement, Tally};
use domain::destination::Destination;
use domain::event::Event;
use domain::value::{Horizon, Span, Timestamp};
use lambda_runtime::{Context, LambdaEvent};
use ports::{Accounts, Audit, Clock, Deliveries, Destinations, Events, FindRollUp, SealNote, SealNotes, SealedEvent};
use redrive::{Deps, handle};
use testing::{MemoryStore, TestClock, account, destination, event_text, record, sealed};

use crate::over_memory::deps;

pub const MINUTE: Duration = Duration::from_secs(60);
/// The time from the clock's start, half past nine, until what is sealed then is rolled up.
pub const ROLLED_UP: Duration = Duration::from_secs(11 * 60);

pub struct World {
    pub store: Arc<MemoryStore>,
    pub clock: Arc<TestClock>,
    pub deps: Arc<Deps>,
}

pub async fn world() -> World {
    world_under(Horizon::default()).await
}

/// An account with three destinations, after one run.
pub async fn world_under(horizon: Horizon) -> World {
    let world = fresh_world(horizon).await;
    world.run().await.expect("a run");
    world
}

/// The same before the first run.
pub async fn fresh_world(horizon: Horizon) -> World {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::new()));
    store.create_account(&account("acme"), clock.now()).await.expect("created");
    for n in 1..=3 {
        store.create_destination(&target(n), 10).await.expect("created");
    }
    let deps = Arc::new(Deps { horizon, ..deps(&store, &Arc::default(), &Arc::default(), &clock) });
    World { store, clock, deps }
}

pub fn target(n: u8) -> Destination {
    destination(&account("acme"), n, "https://a.example/")
}

impl World {
    pub async fn run(&self) -> Result<(), lambda_runtime::Error> {
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(MINUTE).unix_ms();
        handle(Arc::clone(&self.deps), LambdaEvent::new(serde_json::Value::Null, context)).await
    }

    pub async fn run_later(&self, by: Duration) {
        self.clock.advance(by);
        self.run().await.expect("a run");
    }

    /// Notes and seals an event that occurred this long ago and owes a delivery to each of these.
    pub async fn owe(&self, id: &str, ago: Duration, to: &[u8]) -> Vec<Delivery> {
        let now = self.clock.now();
        let mut text: serde_json::Value = serde_json::from_str(&event_text(&account("acme"), id)).expect("JSON");
        let occurred_at = Timestamp::from_unix_ms(now.unix_ms() - u64::try_from(ago.as_millis()).expect("a time"));
        text["occurred_at"] = occurred_at.to_string().into();
        let event = Event::parse(&text.to_string(), now).map_err(|rejection| rejection.detail).expect("an event");
        let owed: Vec<_> = to.iter().map(|n| Delivery::of_event(&event, target(*n).id, None)).collect();
        let stretches = self.deps.horizon.stretches();
        let (in_stretch, occurred) = (stretches.of(now), stretches.of(occurred_at));
        let note = SealNote { sealed: in_stretch, account: event.account.clone(), occurred };
        self.store.note_seal(&note, now).await.expect("noted");
        let sealed = SealedEvent { expires_at: now.plus(MINUTE * 60 * 24), ..sealed(&event, owed.clone(), now) };
        self.store.seal_event(&sealed).await.expect("sealed");
        owed
    }

    /// Records the state of a delivery, after an attempt of this duration; 0 stands for no attempt.
    pub async fn ended(&self, delivery: &Delivery, state: DeliveryState, took_ms: u64) {
        let outcome = if state == Delivered { Outcome::Delivered { status: 200 } } else { Outcome::TimedOut };
        let took = Duration::from_millis(took_ms);
        let attempt = Attempt { number: 1, at: self.clock.now(), took, outcome, probe: false };
        let known = record(&target(1), "any", 0, state);
        let attempts: Vec<_> = (took_ms > 0).then_some(attempt).into_iter().collect();
        let ended = DeliveryRecord { delivery: delivery.clone(), attempts: attempts.into(), ..known };
        match self.store.find_delivery(&delivery.account, &delivery.id).await.expect("an answer") {
            None => assert!(self.store.create_delivery(&ended).await.expect("recorded")),
            Some(before) => assert!(self.store.replace_delivery(&before, &ended).await.expect("recorded")),
        }
        self.store.take_calls();
    }

    pub async fn deliver(&self, id: &str, ago: Duration, to: &[u8]) {
        for delivery in self.owe(id, ago, to).await {
            self.ended(&delivery, Delivered, 100).await;
        }
    }

    pub async fn roll_up(&self, n: u8) -> Option<RollUp> {
        self.store.find_roll_up(&account("acme"), &target(n).id).await.expect("an answer")
    }

    /// What the note was settled with, if it was.
    pub async fn settled(&self) -> Option<Settlement> {
        let ever = Span { since: Timestamp::from_unix_ms(0), until: self.clock.now() };
        let notes = self.store.seal_notes(SealNote::shard_of(&account("acme")), ever, None, 9).await;
        let [note] = <[_; 1]>::try_from(notes.expect("a list")).expect("one note");
        note.settled
    }

    /// The sum of the last day.
    pub async fn day(&self, n: u8) -> Tally {
        RollUp::last_day(self.roll_up(n).await.as_ref(), self.clock.now()).1
    }

    pub fn count(&self, method: &str) -> usize {
        self.store.take_calls().into_iter().filter(|call| *call == method).count()
    }
}
