//! The functions' processes, as Lambda runs them: each handles one batch at a time, keeps its caches in between, has a
//! minute for each batch, and can crash at any moment.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use domain::attempt::RetryPolicy;
use domain::delivery::{DeliveryMessage, MessageLease, OutgoingDelivery, Purpose};
use domain::event::{Rejection, Unregistered};
use domain::value::{DeliveryId, Horizon};
use lambda_runtime::{Context, LambdaEvent};
use ports::{Clock, DeliveryQueue, EventQueue, PortResult, Postpone, RejectedEvents};
use runtime::cache::Cached;
use testing::{MemoryAlerts, MemoryHandOut, MemoryStore, PlainVault};

use crate::chaos::{Chaos, Dice, SimClock};
use crate::doubles::Shaken;
use crate::queue::{Message, SimQueue, record};
use crate::receivers::{InHand, Receivers, Sender};

const MINUTE: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(30 * 86_400);

/// What all processes share.
pub struct Shared {
    pub store: Arc<MemoryStore>,
    pub clock: Arc<SimClock>,
    pub dice: Arc<Dice>,
    pub events: Arc<SimQueue>,
    pub deliveries: Arc<SimQueue>,
    pub receivers: Arc<Receivers>,
    pub horizon: Horizon,
    /// Events that their producer pushes twice.
    pub pushed_twice: Arc<BTreeSet<String>>,
}

/// One process's way to a queue.
struct Queue {
    chaos: Arc<Chaos>,
    queue: Arc<SimQueue>,
}

#[async_trait]
impl DeliveryQueue for Queue {
    async fn send_deliveries(&self, messages: &[OutgoingDelivery<'_>]) -> PortResult<()> {
        for message in messages {
            let body = serde_json::to_string(message).expect("a message");
            // One call each, so that a failure leaves some of them sent.
            let send = async {
                self.queue.send(body, message.delay, Some(&self.chaos));
                Ok(())
            };
            self.chaos.around(send).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Postpone for Queue {
    async fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()> {
        self.chaos.around(async { self.queue.postpone(receipt, wait) }).await
    }
}

#[async_trait]
impl EventQueue for Queue {
    async fn send_event(&self, text: &str) -> PortResult<()> {
        let send = async {
            self.queue.send(text.to_owned(), Duration::ZERO, Some(&self.chaos));
            Ok(())
        };
        self.chaos.around(send).await
    }
}

#[async_trait]
impl RejectedEvents for Queue {
    async fn reject_event(&self, body: &str, rejection: &Rejection) -> PortResult<()> {
        unreachable!("{body} was rejected: {}", rejection.detail)
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

async fn invoke(chaos: &Chaos, work: impl Future<Output = Result<SqsBatchResponse, lambda_runtime::Error>>) -> Ended {
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
        () = tokio::time::sleep(MINUTE) => Ended::Lost,
    }
}

fn event(clock: &SimClock, batch: &[Message]) -> LambdaEvent<SqsEvent> {
    let mut event = SqsEvent::default();
    event.records = batch.iter().map(record).collect();
    LambdaEvent::new(event, context(clock))
}

fn context(clock: &SimClock) -> Context {
    let mut context = Context::default();
    context.deadline = clock.now().plus(MINUTE).unix_ms();
    context
}

pub struct Fanout {
    chaos: Arc<Chaos>,
    deps: Arc<fanout::Deps>,
    clock: Arc<SimClock>,
}

impl Fanout {
    pub fn start(shared: &Shared, chaos: Chaos) -> Self {
        let chaos = Arc::new(chaos);
        let store = Arc::new(Shaken { chaos: chaos.clone(), inner: shared.store.clone() });
        let cached = Arc::new(Cached::new(store.clone(), shared.clock.clone()));
        let queue = Arc::new(Queue { chaos: chaos.clone(), queue: shared.deliveries.clone() });
        let events = Arc::new(Queue { chaos: chaos.clone(), queue: shared.events.clone() });
        let deps = Arc::new(fanout::Deps {
            queue: events,
            accounts: cached.clone(),
            subscriptions: cached,
            transitions: store.clone(),
            awaited_runs: store.clone(),
            events: store.clone(),
            deliveries: queue.clone(),
            rejected: queue,
            // No event of the model is ever rejected.
            rejections: shared.store.clone(),
            // No account of the model is unregistered.
            unregistered: fanout::UnregisteredEvents::new(shared.store.clone(), Unregistered::Ignore),
            scopes: fanout::ScopeNotes::new(store.clone()),
            seals: fanout::Seals::new(store, shared.horizon),
            clock: shared.clock.clone(),
            entropy: shared.dice.clone(),
            retention: RETENTION,
        });
        Self { chaos, deps, clock: shared.clock.clone() }
    }

    pub async fn work(&self, batch: &[Message]) -> Ended {
        invoke(&self.chaos, fanout::handle(self.deps.clone(), event(&self.clock, batch))).await
    }
}

pub struct Deliver {
    chaos: Arc<Chaos>,
    deps: Arc<deliver::Deps>,
    clock: Arc<SimClock>,
    batch: Arc<Mutex<HashMap<DeliveryId, InHand>>>,
    pushed_twice: Arc<BTreeSet<String>>,
}

impl Deliver {
    pub fn start(shared: &Shared, chaos: Chaos) -> Self {
        let (chaos, batch) = (Arc::new(chaos), Arc::default());
        let store = Arc::new(Shaken { chaos: chaos.clone(), inner: shared.store.clone() });
        let deps = Arc::new(deliver::Deps {
            accounts: store.clone(),
            destinations: Arc::new(Cached::new(store.clone(), shared.clock.clone())),
            deliveries: store.clone(),
            vault: Arc::new(Shaken { chaos: chaos.clone(), inner: Arc::new(PlainVault) }),
            queue: Arc::new(Queue { chaos: chaos.clone(), queue: shared.deliveries.clone() }),
            sender: Arc::new(Sender {
                chaos: chaos.clone(),
                receivers: shared.receivers.clone(),
                store: shared.store.clone(),
                batch: Arc::clone(&batch),
            }),
            clock: shared.clock.clone(),
            entropy: shared.dice.clone(),
            rows: deliver::Rows::default(),
            paces: store.clone(),
            turns: deliver::Turns::default(),
            retries: RetryPolicy::default(),
            lease: MessageLease::default(),
            retention: RETENTION,
        });
        let pushed_twice = shared.pushed_twice.clone();
        Self { chaos, deps, clock: shared.clock.clone(), batch, pushed_twice }
    }

    pub async fn work(&self, batch: &[Message]) -> Ended {
        let received_at = self.clock.real();
        let in_hand = batch.iter().map(|message| {
            let read: DeliveryMessage = serde_json::from_str(&message.body).expect("a message");
            let (purpose, receives, sent_at) = (read.purpose, message.receives, message.sent_at);
            // Operational events may be published again after a crash.
            let pushed_twice =
                self.pushed_twice.contains(read.delivery.event.as_str()) || read.delivery.event_type.is_operational();
            (
                read.delivery.id,
                InHand { purpose, with_probe: purpose == Purpose::Probe, receives, pushed_twice, sent_at, received_at },
            )
        });
        // Of two messages of one delivery, the one with the older knowledge counts.
        let mut known = HashMap::new();
        for (id, hand) in in_hand {
            let keep = |before: &InHand| before.receives == 1 && before.sent_at <= hand.sent_at;
            let with_probe = hand.with_probe || known.get(&id).is_some_and(|before: &InHand| before.with_probe);
            let stays = known.get(&id).copied().filter(keep).unwrap_or(hand);
            known.insert(id, InHand { with_probe, ..stays });
        }
        *self.batch.lock().unwrap_or_else(PoisonError::into_inner) = known;
        invoke(&self.chaos, deliver::handle(self.deps.clone(), event(&self.clock, batch))).await
    }
}

pub struct Redrive {
    chaos: Arc<Chaos>,
    deps: Arc<redrive::Deps>,
    clock: Arc<SimClock>,
}

impl Redrive {
    pub fn start(shared: &Shared, chaos: Chaos) -> Self {
        let chaos = Arc::new(chaos);
        let store = Arc::new(Shaken { chaos: chaos.clone(), inner: shared.store.clone() });
        let deps = Arc::new(redrive::Deps {
            waiting: store.clone(),
            destinations: store.clone(),
            destination_list: shared.store.clone(),
            deliveries: store.clone(),
            events: store.clone(),
            event_list: store.clone(),
            delivery_list: shared.store.clone(),
            paces: store.clone(),
            awaited_runs: shared.store.clone(),
            subscriptions: shared.store.clone(),
            transitions: store.clone(),
            audit: store.clone(),
            reckoning: store.clone(),
            roll_ups: store.clone(),
            queue: Arc::new(Queue { chaos: chaos.clone(), queue: shared.deliveries.clone() }),
            event_queue: Arc::new(Queue { chaos: chaos.clone(), queue: shared.events.clone() }),
            alerts: Arc::new(Shaken { chaos: chaos.clone(), inner: Arc::new(MemoryAlerts::default()) }),
            alerted: redrive::Alerted::default(),
            audited: redrive::Audited::default(),
            jobs: store,
            accounts: shared.store.clone(),
            purge: shared.store.clone(),
            clock: shared.clock.clone(),
            entropy: shared.dice.clone(),
            // No run of the model has more to do than it has time for.
            hand_out: Arc::new(MemoryHandOut::default()),
            units: 0,
            horizon: shared.horizon,
            lease: MessageLease::default(),
            retention: RETENTION,
        });
        Self { chaos, deps, clock: shared.clock.clone() }
    }

    pub async fn work(&self) -> Ended {
        let event = LambdaEvent::new(serde_json::Value::Null, context(&self.clock));
        let run = async { redrive::handle(self.deps.clone(), event).await.map(|()| SqsBatchResponse::default()) };
        invoke(&self.chaos, run).await
    }
}
