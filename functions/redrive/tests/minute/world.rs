//! Two accounts with a destination each over the in-memory store, the deliveries they are owed, and runs of `redrive`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, Job, JobStatus, OutgoingDelivery};
use domain::destination::{Destination, Health, HealthState};
use domain::event::Event;
use domain::value::{DeliveryId, JobId, Timestamp};
use lambda_runtime::{Context, LambdaEvent};
use ports::{
    Accounts, Clock, Deliveries, DeliveryQueue, DestinationHealth, Destinations, Events, FindJob, PortResult, Postpone,
    SealNote, SealNotes,
};
use redrive::{Deps, handle};
use runtime::metrics::Metrics;
use testing::{
    MemoryQueue, MemoryStore, MetricLines, TestClock, account, destination, event_text, held_until, record, sealed,
};

use crate::over_memory::deps;
use crate::slow::Slow;

pub const MINUTE: Duration = Duration::from_secs(60);
/// When an event that was sealed just now is audited.
pub const AUDITED: Duration = Duration::from_secs(71 * 60);

pub struct World {
    pub store: Arc<MemoryStore>,
    pub queue: Arc<MemoryQueue>,
    pub clock: Arc<TestClock>,
    pub deps: Arc<Deps>,
    pub metrics: MetricLines,
}

/// A queue that never answers.
struct Hanging;

#[async_trait]
impl DeliveryQueue for Hanging {
    async fn send_deliveries(&self, _messages: &[OutgoingDelivery<'_>]) -> PortResult<()> {
        std::future::pending().await
    }
}

#[async_trait]
impl Postpone for Hanging {
    async fn postpone(&self, _receipt: &str, _wait: Duration) -> PortResult<()> {
        std::future::pending().await
    }
}

/// Two accounts with a destination each.
pub async fn world() -> World {
    let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::default()));
    let clock = Arc::new(TestClock::new());
    for id in ["acme", "rival"] {
        store.create_account(&account(id), clock.now()).await.expect("created");
        store.create_destination(&target(id), 1_000).await.expect("created");
    }
    let lines = MetricLines::default();
    let metrics = Arc::new(Metrics::new("synchub-webhooks", clock.clone(), lines.sink()));
    let deps = Arc::new(Deps { metrics, ..deps(&store, &queue, &Arc::default(), &clock) });
    World { store, queue, clock, deps, metrics: lines }
}

pub fn target(id: &str) -> Destination {
    destination(&account(id), 1, "https://a.example/")
}

/// Delivery number `n` of an event.
pub fn numbered(of: &Delivery, n: usize, shard: u8) -> Delivery {
    let event = format!("{}{}", of.account, of.event).bytes().map(u32::from).sum::<u32>();
    let id = format!("{}{event:04}{n:015}{shard}", &of.id.as_str()[..34]).parse().expect("an id");
    Delivery { id, ..of.clone() }
}

impl World {
    pub async fn slow(takes: Duration) -> World {
        let world = world().await;
        let (queue, clock) = (world.queue.clone(), world.clock.clone());
        let slow = Arc::new(Slow { queue, clock, takes });
        let deps = deps(&world.store, &world.queue, &Arc::default(), &world.clock);
        World { deps: Arc::new(Deps { queue: slow.clone(), event_queue: slow, ..deps }), ..world }
    }

    /// The same, but no message is ever answered by the queue.
    pub fn hanging(&self) -> World {
        let (store, queue, clock) = (self.store.clone(), self.queue.clone(), self.clock.clone());
        let deps = Arc::new(Deps { queue: Arc::new(Hanging), ..deps(&store, &queue, &Arc::default(), &clock) });
        World { store, queue, clock, deps, metrics: MetricLines::default() }
    }

    pub async fn run(&self) -> Result<(), lambda_runtime::Error> {
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(MINUTE).unix_ms();
        handle(Arc::clone(&self.deps), LambdaEvent::new(serde_json::Value::Null, context)).await
    }

    pub fn sent(&self) -> BTreeSet<DeliveryId> {
        self.queue.take_sent().into_iter().map(|message| message.delivery.id).collect()
    }

    /// Notes and seals an event that owes `count` deliveries.
    pub async fn owe(&self, of: &str, id: &str, count: usize) -> Vec<Delivery> {
        self.note(of).await;
        self.seal(of, id, count, self.clock.now()).await
    }

    /// Notes that events are sealed now.
    pub async fn note(&self, of: &str) {
        let now = self.clock.now();
        let event = Event::parse(&event_text(&account(of), "any"), now).map_err(|r| r.detail).expect("an event");
        let stretches = self.deps.horizon.stretches();
        let (in_stretch, occurred) = (stretches.of(now), stretches.of(event.occurred_at));
        let note = SealNote { sealed: in_stretch, account: event.account, occurred };
        self.store.note_seal(&note, now).await.expect("noted");
    }

    /// Seals an event that owes `count` deliveries.
    pub async fn seal(&self, of: &str, id: &str, count: usize, now: Timestamp) -> Vec<Delivery> {
        let event = Event::parse(&event_text(&account(of), id), now).map_err(|r| r.detail).expect("an event");
        let first = Delivery::of_event(&event, target(of).id, None);
        let owed: Vec<_> = (0..count).map(|n| numbered(&first, n, u8::try_from(n % 8).expect("small"))).collect();
        let sealed = sealed(&event, owed.clone(), now);
        self.store.seal_event(&sealed).await.expect("sealed");
        owed
    }

    pub async fn record(&self, delivery: &Delivery, state: DeliveryState, look_at: Option<Timestamp>) {
        let known = record(&target(delivery.account.as_str()), "any", 1, state);
        let row = DeliveryRecord { delivery: delivery.clone(), ..known.held(held_until(state, look_at)) };
        self.store.create_delivery(&row).await.expect("recorded");
    }

    /// These deliveries are due after this time from now.
    pub async fn due(&self, deliveries: &[Delivery], seconds: u64) {
        let due_at = self.clock.now().plus(Duration::from_secs(seconds));
        for delivery in deliveries {
            self.record(delivery, DeliveryState::Retrying { due_at }, Some(due_at)).await;
        }
    }

    pub async fn set_health(&self, of: &str, health: Health) {
        let health = Health { version: 2, ..health };
        assert!(self.store.update_health(&target(of), &health).await.expect("an answer"));
    }

    pub async fn health(&self, of: &str) -> Health {
        let found = self.store.find_destination_anew(&account(of), &target(of).id).await.expect("an answer");
        found.expect("the destination").health
    }

    /// A probe is due.
    pub async fn down(&self, of: &str) {
        let (since, next_probe_at) = (self.clock.now(), self.clock.now());
        let state = HealthState::Failing { since, probes: 0, next_probe_at, half_open: false };
        self.set_health(of, Health { state, ..Health::default() }).await;
    }

    pub async fn status(&self, id: &JobId) -> JobStatus {
        self.store.find_job(id).await.expect("an answer").expect("the job").status
    }

    pub async fn delete(&self, of: &str) -> JobId {
        let job = Job::delete_account(JobId::from_entropy([9; 10]), account(of), self.clock.now());
        assert!(self.store.start_deletion(&account(of), &job, None).await.expect("an answer"));
        job.id
    }
}

pub fn ids(deliveries: &[Delivery]) -> BTreeSet<DeliveryId> {
    deliveries.iter().map(|delivery| delivery.id.clone()).collect()
}
