//! The receivers, whose moods change, and the log of everything that arrived. They also check the rules about attempts:
//! a delivered delivery is not attempted again, and a destination that is down is not called.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::attempt::{Exchange, Outcome};
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, Purpose, SignedRequest};
use domain::destination::Admission;
use domain::value::{DeliveryId, DestinationId, Timestamp};
use ports::{Clock, HttpSender, PortResult};
use testing::MemoryStore;

use crate::chaos::{Chaos, ProcessClock, SimClock};
use crate::requests::Requests;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    Down,
    Hanging,
    /// Answers 429 and asks to wait.
    Busy,
    Flapping,
    /// Answers 200 or 500, at any time before it is too late.
    Slow,
    /// Accepts requests but answers 500.
    Lying,
    Gone,
}

pub const MOODS: [Mood; 8] =
    [Mood::Well, Mood::Down, Mood::Hanging, Mood::Busy, Mood::Flapping, Mood::Slow, Mood::Lying, Mood::Gone];

/// What a process has received about a delivery.
#[derive(Debug, Clone, Copy)]
pub struct InHand {
    pub purpose: Purpose,
    /// Whether a probe with this delivery was among the messages.
    pub with_probe: bool,
    /// When somebody last asked for it to be sent again, if such a message was among them.
    pub resent_at: Option<Timestamp>,
    pub receives: u32,
    /// Whether the producer pushed its event twice.
    pub pushed_twice: bool,
    pub sent_at: Timestamp,
    pub received_at: Timestamp,
    /// Whether an attempt ended, and the process learned its outcome.
    pub told: bool,
    /// Whether its receiver answered with a success, and the process learned that.
    pub delivered: bool,
}

/// The most that the clocks of functions may differ.
const WRONG: Duration = Duration::from_secs(130);

impl InHand {
    /// Whether the process certainly reads the delivery's row before it attempts it.
    pub fn is_looked_up(&self, id: &DeliveryId) -> bool {
        let old = self.received_at.since(id.occurred_at()) > Duration::from_secs(3_600) + WRONG;
        self.purpose != Purpose::New || self.receives > 1 || old
    }
}

/// A destination that must not be called, except by probes.
#[derive(Clone, Copy)]
struct Shut {
    since: Timestamp,
    why: Admission,
    /// If it is held: the end of the hold. A later hold is a different one.
    until: Option<Timestamp>,
}

#[derive(Default)]
struct State {
    moods: HashMap<DestinationId, Mood>,
    /// When each destination stopped accepting calls other than probes, and why.
    shut: HashMap<DestinationId, Shut>,
    delivered_at: HashMap<DeliveryId, Timestamp>,
    /// When each delivery ended without being delivered.
    given_up_at: HashMap<DeliveryId, Timestamp>,
    /// Deliveries that were given up and are attempted again.
    reopened: BTreeSet<DeliveryId>,
    taken: BTreeMap<DeliveryId, u32>,
    attempts: usize,
    /// How many messages of a delivery are held by processes.
    in_hand: HashMap<DeliveryId, u32>,
    /// How many messages of a delivery came while another was held, or without reading what others recorded.
    at_once: HashMap<DeliveryId, u32>,
    arrivals: Vec<Timestamp>,
    unwatched: bool,
    slack: Duration,
    broken: Vec<String>,
}

pub struct Receivers {
    state: Mutex<State>,
    clock: Arc<SimClock>,
}

impl Receivers {
    /// `slack` is how long a process may act on outdated knowledge: the age of a cached destination plus the time of a
    /// call.
    pub fn new(clock: Arc<SimClock>, slack: Duration) -> Self {
        Self { state: Mutex::new(State { slack, ..State::default() }), clock }
    }

    /// Receivers that do not check the rules, for very many deliveries.
    #[cfg(test)]
    pub fn unwatched(clock: Arc<SimClock>) -> Self {
        Self { state: Mutex::new(State { unwatched: true, ..State::default() }), clock }
    }

    /// The times at which deliveries were accepted, in order.
    #[cfg(test)]
    pub fn arrivals(&self) -> Vec<Timestamp> {
        self.lock().arrivals.clone()
    }

    /// Adds to the slack, because a cached value seems fresh for longer when a clock is set back.
    pub fn allow(&self, more: Duration) {
        self.lock().slack += more;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_mood(&self, destination: &DestinationId, mood: Mood) {
        self.lock().moods.insert(destination.clone(), mood);
    }

    pub fn took(&self, id: &DeliveryId) -> bool {
        self.lock().taken.contains_key(id)
    }

    pub fn attempts(&self) -> usize {
        self.lock().attempts
    }

    pub fn broken(&self) -> Vec<String> {
        self.lock().broken.clone()
    }

    /// Records the current state of the table, by which later attempts are judged.
    pub fn look_at(&self, store: &MemoryStore) {
        let (now, mut state) = (self.clock.real(), self.lock());
        if state.unwatched {
            return;
        }
        for DeliveryRecord { delivery: Delivery { id, .. }, held, .. } in store.take_written_deliveries() {
            match held.state() {
                DeliveryState::Delivered => {
                    // An attempt that was under way when it was given up may have delivered it.
                    state.given_up_at.remove(&id);
                    state.delivered_at.entry(id).or_insert(now);
                }
                DeliveryState::Exhausted | DeliveryState::Cancelled => {
                    state.given_up_at.entry(id).or_insert(now);
                }
                _ => {
                    if state.given_up_at.remove(&id).is_some() {
                        state.reopened.insert(id);
                    }
                }
            }
        }
        // A process's clock may be ahead, so a hold may end earlier there.
        let soon = now.plus(state.slack);
        for destination in store.destinations() {
            match destination.admission(soon) {
                Admission::Everything => drop(state.shut.remove(&destination.id)),
                admission => {
                    let until = destination.health.held_until.filter(|_| destination.health.is_held(now));
                    let goes_on = |shut: &&Shut| shut.why == admission && shut.until.is_none_or(|until| until >= now);
                    let since = state.shut.get(&destination.id).filter(goes_on).map_or(now, |shut| shut.since);
                    state.shut.insert(destination.id, Shut { since, why: admission, until });
                }
            }
        }
    }

    /// A process begins to handle a message of this delivery.
    pub fn begin(&self, id: &DeliveryId, hand: &InHand) {
        let mut state = self.lock();
        let before = state.in_hand.get(id).copied();
        if before.is_some_and(|before| before > 0 || !hand.is_looked_up(id)) {
            *state.at_once.entry(id.clone()).or_default() += 1;
        }
        *state.in_hand.entry(id.clone()).or_default() += 1;
    }

    pub fn end(&self, id: &DeliveryId) {
        self.lock().in_hand.entry(id.clone()).and_modify(|count| *count -= 1);
    }

    pub fn is_in_hand(&self, id: &DeliveryId) -> bool {
        self.lock().in_hand.get(id).is_some_and(|count| *count > 0)
    }

    pub fn was_reopened(&self, id: &DeliveryId) -> bool {
        self.lock().reopened.contains(id)
    }

    /// How many attempts of this delivery may have been made and recorded beside another one.
    pub fn attempted_at_once(&self, id: &DeliveryId) -> u32 {
        self.lock().at_once.get(id).copied().unwrap_or_default()
    }

    fn judge(&self, id: &DeliveryId, in_hand: &InHand) {
        let (now, mut state) = (self.clock.real(), self.lock());
        state.attempts += 1;
        let looked_up = in_hand.is_looked_up(id);
        // A message may repeat a recorded delivery if it was sent by an invocation that was still running then, or for
        // an event that was pushed twice.
        let known_by = match (looked_up, in_hand.pushed_twice) {
            (true, _) => Some(in_hand.received_at),
            (false, false) => Some(Timestamp::from_unix_ms(in_hand.sent_at.unix_ms().saturating_sub(60_000))),
            (false, true) => None,
        };
        // Somebody asked for one more attempt of a delivery that was delivered by then.
        let delivered_at = state.delivered_at.get(id).copied();
        let asked_for = in_hand.resent_at.is_some_and(|resent| delivered_at.is_some_and(|at| at <= resent));
        let known_by = known_by.filter(|_| !asked_for);
        if let Some(at) = state.given_up_at.get(id).copied().filter(|at| looked_up && *at < in_hand.received_at) {
            state.broken.push(format!("{id} was attempted at {now} though it was given up at {at}: {in_hand:?}"));
        }
        if let Some(at) = state.delivered_at.get(id).copied().filter(|at| known_by.is_some_and(|by| *at < by)) {
            state.broken.push(format!("{id} was attempted at {now} though it was delivered at {at}: {in_hand:?}"));
        }
        if let Some(Shut { since, why, until }) = state.shut.get(&id.destination()).copied() {
            // By a clock that is ahead, a hold ends earlier.
            let over = until.is_some_and(|until| until.since(now) <= state.slack);
            let allowed = over || (in_hand.with_probe && why == Admission::Probes);
            if !allowed && now.since(since) > state.slack {
                let shut = format!("{why:?} since {since}, until {until:?}");
                state.broken.push(format!("{id} was attempted at {now}; {shut}: {in_hand:?}"));
            }
        }
    }

    fn mood(&self, id: &DeliveryId) -> Mood {
        self.lock().moods.get(&id.destination()).copied().unwrap_or(Mood::Well)
    }

    fn take(&self, id: &DeliveryId) {
        let mut state = self.lock();
        *state.taken.entry(id.clone()).or_default() += 1;
        state.arrivals.push(self.clock.real());
    }
}

/// Sends the requests of one process to the receivers.
pub struct Sender {
    pub chaos: Arc<Chaos>,
    pub receivers: Arc<Receivers>,
    pub store: Arc<MemoryStore>,
    pub requests: Arc<Requests>,
    pub clock: Arc<ProcessClock>,
    /// The deliveries of the process's current batch.
    pub batch: Arc<Mutex<HashMap<DeliveryId, InHand>>>,
}

#[async_trait]
impl HttpSender for Sender {
    async fn exchange(&self, request: &SignedRequest) -> PortResult<Exchange> {
        let header = |wanted| request.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let id: DeliveryId = header("webhook-id").and_then(|id| id.parse().ok()).expect("a delivery's id");
        let number = header("webhook-attempt").and_then(|number| number.parse().ok()).expect("an attempt's number");
        self.requests.note(&id, self.clock.now(), number);
        self.receivers.look_at(&self.store);
        let in_hand = self.batch.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied();
        self.receivers.judge(&id, &in_hand.expect("what is sent was received"));
        let refused = |status, retry_after| Outcome::from_answer(status, retry_after, String::new());
        let dice = &self.chaos.dice;
        let answer = async {
            tokio::time::sleep(Duration::from_millis(5 + dice.below(100))).await;
            Ok(match self.receivers.mood(&id) {
                Mood::Well => refused(200, None),
                Mood::Flapping if dice.once_in(2) => refused(204, None),
                Mood::Down | Mood::Flapping => Outcome::Unreachable { reason: "refused".into() },
                Mood::Hanging => {
                    tokio::time::sleep(request.timeout).await;
                    Outcome::TimedOut
                }
                Mood::Slow => {
                    tokio::time::sleep(request.timeout.mul_f64(dice.below(1_000) as f64 / 1_000.0)).await;
                    refused(dice.pick(&[200, 500]), None)
                }
                Mood::Busy => refused(429, Some(Duration::from_secs(dice.below(600)))),
                Mood::Lying => {
                    self.receivers.take(&id);
                    refused(500, None)
                }
                Mood::Gone => refused(410, None),
            })
        };
        // A failure on our side after the receiver has answered also loses the answer.
        let outcome = self.chaos.around(async {
            let outcome = answer.await?;
            if outcome.is_delivered() {
                self.receivers.take(&id);
            }
            Ok(outcome)
        });
        let outcome = outcome.await?;
        if let Some(in_hand) = self.batch.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&id) {
            in_hand.told = true;
            in_hand.delivered |= outcome.is_delivered();
        }
        Ok(Exchange { outcome, answer: None })
    }
}
