//! The functions' processes, as Lambda runs them: each handles one batch at a time, keeps its caches in between, has a
//! minute for each batch, and can crash at any moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use domain::attempt::RetryPolicy;
use domain::delivery::{DeliveryMessage, MessageLease, Purpose};
use domain::event::Unregistered;
use domain::value::{DeliveryId, Horizon};
use lambda_runtime::{Context, LambdaEvent};
use ports::{AwaitedRuns, Clock, DeliveryQueue, EventQueue, HandOut, Subscriptions};
use runtime::cache::Cached;
use testing::{MemoryAlerts, MemoryHandOut, MemoryStore, PlainVault};

use crate::chaos::{Chaos, Dice, ProcessClock, SimClock};
use crate::doubles::Shaken;
use crate::queue::{Message, SimQueue, record};
use crate::receivers::{InHand, Receivers, Sender};
use crate::table::Table;
use crate::ways::Queue;
use crate::witness::{Known, Witness};

const RETENTION: Duration = Duration::from_secs(30 * 86_400);

/// What all processes share.
pub struct Shared {
    pub store: Arc<MemoryStore>,
    pub clock: Arc<SimClock>,
    pub dice: Arc<Dice>,
    pub events: Arc<SimQueue>,
    pub deliveries: Arc<SimQueue>,
    pub receivers: Arc<Receivers>,
    pub table: Arc<Table>,
    /// What new processes are given; this can change.
    pub horizon: Mutex<Horizon>,
    /// How long an invocation may last.
    pub budget: Duration,
    /// The maximum error of a process's clock, in milliseconds.
    pub skew_ms: u64,
    /// Events that their producer pushes twice.
    pub pushed_twice: Arc<BTreeSet<String>>,
}

impl Shared {
    pub fn horizon(&self) -> Horizon {
        *self.horizon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock of a new process.
    pub fn process_clock(&self) -> Arc<ProcessClock> {
        let most = i64::try_from(self.skew_ms).unwrap_or_default();
        let off_ms =
            if most > 0 { i64::try_from(self.dice.below(2 * self.skew_ms)).unwrap_or_default() - most } else { 0 };
        Arc::new(ProcessClock { clock: self.clock.clone(), off_ms })
    }
}

/// How an invocation ended.
#[derive(Debug)]
pub enum Ended {
    /// It answered, with the ids of the records to be received again.
    Answered(Vec<u64>),
    /// It crashed, failed as a whole, or ran out of time. How far it got is unknown.
    Lost,
}

async fn invoke(
    chaos: &Chaos,
    budget: Duration,
    work: impl Future<Output = Result<SqsBatchResponse, lambda_runtime::Error>>,
) -> Ended {
    tokio::select! {
        // In this order, so that a seed always plays the same.
        biased;
        answer = work => match answer {
            Ok(answer) => {
                let failures = answer.batch_item_failures.into_iter();
                Ended::Answered(failures.map(|failure| failure.item_identifier.parse().expect("an id")).collect())
            }
            Err(_) => Ended::Lost,
        },
        () = chaos.crashed.notified() => Ended::Lost,
        () = tokio::time::sleep(budget) => Ended::Lost,
    }
}

fn event(clock: &ProcessClock, budget: Duration, batch: &[Message]) -> LambdaEvent<SqsEvent> {
    let mut event = SqsEvent::default();
    event.records = batch.iter().map(record).collect();
    LambdaEvent::new(event, context(clock, budget))
}

fn context(clock: &ProcessClock, budget: Duration) -> Context {
    let mut context = Context::default();
    context.deadline = clock.now().plus(budget).unix_ms();
    context
}

pub struct Fanout {
    chaos: Arc<Chaos>,
    deps: Arc<fanout::Deps>,
    clock: Arc<ProcessClock>,
    budget: Duration,
    pub horizon: Horizon,
}

impl Fanout {
    pub fn start(shared: &Shared, chaos: Chaos) -> Self {
        let chaos = Arc::new(chaos);
        let store = Arc::new(Shaken { chaos: chaos.clone(), inner: shared.store.clone() });
        let table = Arc::new(Shaken { chaos: chaos.clone(), inner: shared.table.clone() });
        let clock = shared.process_clock();
        let cached = Arc::new(Cached::new(store.clone(), clock.clone(), &Arc::default()));
        let queue = Arc::new(Queue { chaos: chaos.clone(), queue: shared.deliveries.clone(), seen: None });
        let events = Arc::new(Queue { chaos: chaos.clone(), queue: shared.events.clone(), seen: None });
        let deps = Arc::new(fanout::Deps {
            queue: events,
            accounts: cached.clone(),
            listeners: cached,
            transitions: store.clone(),
            awaited_runs: store.clone(),
            events: table,
            deliveries: queue,
            // No event of the model is ever rejected.
            rejections: shared.store.clone(),
            // No account of the model is unregistered.
            unregistered: fanout::UnregisteredEvents::new(shared.store.clone(), Unregistered::Ignore),
            scopes: fanout::ScopeNotes::new(store.clone()),
            seals: fanout::Seals::new(store, shared.horizon()),
            clock: clock.clone(),
            entropy: shared.dice.clone(),
            retention: RETENTION,
            metrics: Arc::default(),
        });
        Self { chaos, deps, clock, budget: shared.budget, horizon: shared.horizon() }
    }

    pub async fn work(&self, batch: &[Message]) -> Ended {
        let event = event(&self.clock, self.budget, batch);
        invoke(&self.chaos, self.budget, fanout::handle(self.deps.clone(), event)).await
    }
}

pub struct Deliver {
    chaos: Arc<Chaos>,
    deps: Arc<deliver::Deps>,
    clock: Arc<ProcessClock>,
    real: Arc<SimClock>,
    budget: Duration,
    batch: Arc<Mutex<HashMap<DeliveryId, InHand>>>,
    witness: Arc<Witness>,
    receivers: Arc<Receivers>,
    pushed_twice: Arc<BTreeSet<String>>,
}

impl Deliver {
    pub fn start(shared: &Shared, chaos: Chaos) -> Self {
        let (chaos, batch) = (Arc::new(chaos), Arc::default());
        let store = Arc::new(Shaken { chaos: chaos.clone(), inner: shared.store.clone() });
        let table = Arc::new(Shaken { chaos: chaos.clone(), inner: shared.table.clone() });
        let clock = shared.process_clock();
        let witness = Arc::new(Witness::new(shared.table.clone()));
        let deps = Arc::new(deliver::Deps {
            accounts: store.clone(),
            destinations: Arc::new(Cached::new(table, clock.clone(), &Arc::default())),
            deliveries: Arc::new(Shaken { chaos: chaos.clone(), inner: witness.clone() }),
            vault: Arc::new(Shaken { chaos: chaos.clone(), inner: Arc::new(PlainVault) }),
            queue: Arc::new(Queue { chaos: chaos.clone(), queue: shared.deliveries.clone(), seen: None }),
            sender: Arc::new(Sender {
                chaos: chaos.clone(),
                receivers: shared.receivers.clone(),
                store: shared.store.clone(),
                requests: shared.table.judge.requests.clone(),
                clock: clock.clone(),
                batch: Arc::clone(&batch),
            }),
            clock: clock.clone(),
            entropy: shared.dice.clone(),
            rows: deliver::Rows::default(),
            paces: store.clone(),
            turns: deliver::Turns::default(),
            retries: RetryPolicy::default(),
            lease: MessageLease::default(),
            retention: RETENTION,
            metrics: Arc::default(),
        });
        let pushed_twice = shared.pushed_twice.clone();
        let (real, budget, receivers) = (shared.clock.clone(), shared.budget, shared.receivers.clone());
        Self { chaos, deps, clock, real, budget, batch, witness, receivers, pushed_twice }
    }

    pub async fn work(&self, batch: &[Message]) -> Ended {
        self.witness.forget();
        let received_at = self.real.real();
        let in_hand = batch.iter().map(|message| {
            let read: DeliveryMessage = serde_json::from_str(&message.body).expect("a message");
            let (purpose, receives, sent_at) = (read.purpose, message.receives, message.sent_at);
            // Operational events may be published again after a crash.
            let pushed_twice =
                self.pushed_twice.contains(read.delivery.event.as_str()) || read.delivery.event_type.is_operational();
            (
                read.delivery.id,
                InHand {
                    purpose,
                    with_probe: purpose == Purpose::Probe,
                    resent_at: (purpose == Purpose::Resend).then_some(sent_at),
                    receives,
                    pushed_twice,
                    sent_at,
                    received_at,
                    told: false,
                    delivered: false,
                },
            )
        });
        // If there are two messages of one delivery, the one that is attempted without reading the row counts,
        // otherwise the older one.
        let mut known = HashMap::new();
        let in_hand: Vec<_> = in_hand.collect();
        in_hand.iter().for_each(|(id, hand)| self.receivers.begin(id, hand));
        let ids: Vec<_> = in_hand.iter().map(|(id, _)| id.clone()).collect();
        for (id, hand) in in_hand {
            let keep = |before: &InHand| match (before.is_looked_up(&id), hand.is_looked_up(&id)) {
                (true, true) => before.receives == 1 && before.sent_at <= hand.sent_at,
                (before, _) => !before,
            };
            let with_probe = hand.with_probe || known.get(&id).is_some_and(|before: &InHand| before.with_probe);
            let stays = known.get(&id).copied().filter(keep).unwrap_or(hand);
            let resent_at = hand.resent_at.max(known.get(&id).and_then(|before| before.resent_at));
            known.insert(id, InHand { with_probe, resent_at, ..stays });
        }
        *self.batch.lock().unwrap_or_else(PoisonError::into_inner) = known;
        let event = event(&self.clock, self.budget, batch);
        let ended = invoke(&self.chaos, self.budget, deliver::handle(self.deps.clone(), event)).await;
        ids.iter().for_each(|id| self.receivers.end(id));
        ended
    }

    /// The deliveries of the last batch whose attempt ended before the process, and whether it was a success.
    pub fn attempted(&self) -> BTreeMap<DeliveryId, bool> {
        let batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        batch.iter().filter(|(_, in_hand)| in_hand.told).map(|(id, in_hand)| (id.clone(), in_hand.delivered)).collect()
    }

    /// What was last learned of a delivery's row while the last batch was handled.
    pub fn knows(&self, id: &DeliveryId) -> Option<Known> {
        self.witness.knows(id)
    }
}

pub struct Redrive {
    chaos: Arc<Chaos>,
    deps: Arc<redrive::Deps>,
    clock: Arc<ProcessClock>,
    budget: Duration,
}

/// Where an instance of `redrive` sends to, and what differs between a schedule and a load.
pub struct Outside {
    pub queue: Arc<dyn DeliveryQueue>,
    pub event_queue: Arc<dyn EventQueue>,
    pub awaited_runs: Arc<dyn AwaitedRuns>,
    pub subscriptions: Arc<dyn Subscriptions>,
    pub hand_out: Arc<dyn HandOut>,
    /// How many units of work it hands out at most.
    pub units: u16,
}

impl Redrive {
    pub fn start(shared: &Shared, chaos: Chaos) -> Self {
        let chaos = Arc::new(chaos);
        let queue = Arc::new(Queue { chaos: chaos.clone(), queue: shared.deliveries.clone(), seen: None });
        let outside = Outside {
            queue,
            event_queue: Arc::new(Queue { chaos: chaos.clone(), queue: shared.events.clone(), seen: None }),
            awaited_runs: shared.store.clone(),
            subscriptions: shared.store.clone(),
            // In a schedule, a run never has more to do than it has time for.
            hand_out: Arc::new(MemoryHandOut::default()),
            units: 0,
        };
        Self::with(outside, shared, chaos)
    }

    pub fn with(outside: Outside, shared: &Shared, chaos: Arc<Chaos>) -> Self {
        let store = Arc::new(Shaken { chaos: chaos.clone(), inner: shared.store.clone() });
        let table = Arc::new(Shaken { chaos: chaos.clone(), inner: shared.table.clone() });
        let clock = shared.process_clock();
        let deps = Arc::new(redrive::Deps {
            waiting: table.clone(),
            destinations: table.clone(),
            destination_list: store.clone(),
            deliveries: table.clone(),
            events: table.clone(),
            event_list: store.clone(),
            delivery_list: store.clone(),
            paces: store.clone(),
            awaited_runs: outside.awaited_runs,
            subscriptions: outside.subscriptions,
            transitions: store.clone(),
            audit: store.clone(),
            reckoning: store.clone(),
            roll_ups: store.clone(),
            queue: outside.queue,
            event_queue: outside.event_queue,
            alerts: Arc::new(Shaken { chaos: chaos.clone(), inner: Arc::new(MemoryAlerts::default()) }),
            alerted: redrive::Alerted::default(),
            audited: redrive::Audited::default(),
            jobs: store.clone(),
            accounts: store,
            purge: table,
            clock: clock.clone(),
            entropy: shared.dice.clone(),
            hand_out: outside.hand_out,
            units: outside.units,
            horizon: shared.horizon(),
            lease: MessageLease::default(),
            retention: RETENTION,
            metrics: Arc::default(),
        });
        Self { chaos, deps, clock, budget: shared.budget }
    }

    pub fn horizon(&self) -> Horizon {
        self.deps.horizon
    }

    /// The run that the schedule starts.
    pub async fn work(&self) -> Ended {
        self.work_on(serde_json::Value::Null).await
    }

    /// A run with this event.
    pub async fn work_on(&self, event: serde_json::Value) -> Ended {
        let event = LambdaEvent::new(event, context(&self.clock, self.budget));
        // A run that returns an error has logged it for the operator; its process continues.
        let run = async {
            let _ = redrive::handle(self.deps.clone(), event).await;
            Ok(SqsBatchResponse::default())
        };
        invoke(&self.chaos, self.budget, run).await
    }
}
