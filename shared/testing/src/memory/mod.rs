//! The table in memory. It answers like the DynamoDB adapter, records calls, and fails on request.

mod accounts;
mod api_keys;
mod audit;
mod awaited_runs;
mod budgets;
mod deliveries;
mod delivery_rows;
mod destinations;
mod events;
mod health;
mod jobs;
mod kept_answers;
mod paces;
mod purge;
mod reckoning;
mod rejected_events;
mod roll_ups;
mod seen_scopes;
mod sessions;
mod subscriptions;
mod test_places;
mod transitions;
mod unregistered_accounts;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::access::{Account, ApiKey, Session, Spending};
use domain::delivery::{DeliveryRecord, Job, Lease, RollUp, Sending};
use domain::destination::{Destination, Health, Pace};
use domain::event::{EventType, RejectedEvent, Scope, SeenScope, UnregisteredAccount};
use domain::routing::{AwaitedRun, Subscription};
use domain::value::{
    AccountId, DeliveryId, DestinationId, EventId, JobId, KeyId, RejectedEventId, SessionId, SubscriptionId, Timestamp,
};
use ports::{
    AwaitedPlace, ByShard, KeyedRequest, ListedNote, Order, PortError, PortResult, Remembered, RequestKey, RolledUpTo,
    SealNote, SealedEvent,
};

use self::delivery_rows::DeliveryRows;

#[derive(Default)]
struct Rows {
    accounts: BTreeMap<AccountId, Account>,
    keys: BTreeMap<(AccountId, KeyId), ApiKey>,
    sessions: BTreeMap<(AccountId, SessionId), Session>,
    /// Without their health.
    destinations: BTreeMap<(AccountId, DestinationId), Destination>,
    /// The progress of the search for subscriptions that are deleted with a destination.
    searched: BTreeMap<(AccountId, DestinationId), SubscriptionId>,
    /// Each with the time at which the destination had to be looked at when this was stored.
    health: BTreeMap<(AccountId, DestinationId), (Health, Option<Timestamp>)>,
    subscriptions: BTreeMap<(AccountId, SubscriptionId), Subscription>,
    events: BTreeMap<(AccountId, EventId), SealedEvent>,
    /// The same events by time, including deleted ones.
    event_times: BTreeMap<AccountId, BTreeMap<Timestamp, BTreeSet<EventId>>>,
    /// How many deliveries of wide events were planned.
    plans: BTreeMap<(AccountId, EventId), usize>,
    sendings: BTreeMap<(AccountId, EventId), Sending>,
    deliveries: DeliveryRows,
    runs: BTreeMap<(AccountId, EventType, Scope), Remembered>,
    /// By the text of the scope, which is how the table sorts them.
    scopes: BTreeMap<(AccountId, String), SeenScope>,
    awaited: BTreeMap<AwaitedPlace, AwaitedRun>,
    paces: BTreeMap<(AccountId, DestinationId), Pace>,
    budgets: BTreeMap<(AccountId, Spending), Pace>,
    seal_notes: BTreeMap<SealNote, ListedNote>,
    audited_until: ByShard<Timestamp>,
    /// Each with the time at which it has to be looked at.
    roll_ups: BTreeMap<(AccountId, DestinationId), (RollUp, Option<Timestamp>)>,
    rolled_up_to: ByShard<RolledUpTo>,
    jobs: BTreeMap<JobId, (Job, Option<Lease>)>,
    /// The jobs that accounts started themselves, by time.
    started_jobs: BTreeSet<(AccountId, Timestamp, JobId)>,
    test_places: BTreeMap<(AccountId, u8), Timestamp>,
    /// Each with the answer, if there is one yet.
    keyed_requests: BTreeMap<RequestKey, (KeyedRequest, Option<Vec<u8>>)>,
    unregistered: BTreeMap<AccountId, UnregisteredAccount>,
    rejections: BTreeMap<RejectedEventId, (RejectedEvent, String)>,
    calls: Vec<&'static str>,
    failing: BTreeMap<&'static str, u32>,
    poisoned: BTreeSet<String>,
    down: bool,
}

impl Rows {
    /// An error if one of the rows cannot be read.
    fn readable<T: ToString>(&self, ids: impl IntoIterator<Item = T>) -> PortResult<()> {
        if !self.poisoned.is_empty() && ids.into_iter().any(|id| self.poisoned.contains(&id.to_string())) {
            return Err(PortError::permanent("reading a row", "it is poisoned"));
        }
        Ok(())
    }
}

/// The cost of reading rows of these sizes together with strong consistency, in read units: at least one. An eventually
/// consistent read costs half of it.
fn blocks(bytes: impl IntoIterator<Item = usize>) -> f64 {
    bytes.into_iter().sum::<usize>().div_ceil(4_096).max(1) as f64
}

/// Implements every port that the table implements.
#[derive(Default)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
}

impl MemoryStore {
    fn call(&self, name: &'static str) -> PortResult<MutexGuard<'_, Rows>> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.calls.push(name);
        if rows.down {
            return Err(PortError::transient(name, "the table is down"));
        }
        match rows.failing.get_mut(name) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(PortError::transient(name, "a failure was asked for"))
            }
            _ => Ok(rows),
        }
    }

    fn look(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next `times` calls of the named method fail.
    pub fn fail(&self, method: &'static str, times: u32) {
        self.look().failing.insert(method, times);
    }

    /// Lets every call fail, or none any more.
    pub fn break_down(&self, down: bool) {
        self.look().down = down;
    }

    /// From now on the delivery, event or destination with this id cannot be read. Lists of keys still have it.
    pub fn poison(&self, id: impl ToString) {
        self.look().poisoned.insert(id.to_string());
    }

    /// From now on it can be read again.
    pub fn mend(&self, id: impl ToString) {
        self.look().poisoned.remove(&id.to_string());
    }

    /// The names of the methods called since the last call of this one, in order.
    pub fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.look().calls)
    }

    /// Stores a subscription without checking names and limits, for tests that need very many.
    pub fn put_subscription(&self, subscription: Subscription) {
        let key = (subscription.account.clone(), subscription.id.clone());
        self.look().subscriptions.insert(key, subscription);
    }

    pub fn delivery(&self, account: &AccountId, id: &DeliveryId) -> Option<DeliveryRecord> {
        self.look().deliveries.get(account, id).cloned()
    }

    pub fn has_account(&self, account: &AccountId) -> bool {
        self.look().accounts.contains_key(account)
    }

    /// Whether a job has not ended.
    pub fn has_pending_job(&self) -> bool {
        self.look().jobs.values().any(|(job, _)| !job.has_ended())
    }

    pub fn destinations(&self) -> Vec<Destination> {
        let rows = self.look();
        rows.destinations.values().map(|stored| rows.with_health(stored)).collect()
    }

    /// The earliest time at which a delivery or destination has to be looked at.
    pub fn next_look(&self) -> Option<Timestamp> {
        let rows = self.look();
        let deliveries = rows.deliveries.next_look().into_iter();
        deliveries.chain(rows.health.values().filter_map(|(_, look_at)| *look_at)).min()
    }

    /// The notes that the audit has not processed.
    pub fn seal_notes_left(&self) -> Vec<SealNote> {
        self.look().seal_notes.keys().cloned().collect()
    }

    pub fn events(&self) -> Vec<SealedEvent> {
        self.look().events.values().cloned().collect()
    }

    /// The notes of rejected events with the kept part of their texts, sorted by when they were sent.
    pub fn rejections(&self) -> Vec<(RejectedEvent, String)> {
        self.look().rejections.values().cloned().collect()
    }

    /// The deliveries that were written since the last call.
    pub fn take_written_deliveries(&self) -> Vec<DeliveryRecord> {
        self.look().deliveries.take_written()
    }

    pub fn deliveries(&self) -> Vec<DeliveryRecord> {
        self.look().deliveries.values().cloned().collect()
    }
}

/// A page of rows that are stored oldest first, by their keys.
fn page<'a, Row: Clone + 'a, Key: Ord>(
    rows: impl DoubleEndedIterator<Item = &'a Row>,
    key: impl Fn(&Row) -> &Key,
    order: Order,
    after: Option<&Key>,
    limit: usize,
) -> Vec<Row> {
    match order {
        Order::OldestFirst => {
            rows.filter(|row| after.is_none_or(|after| key(row) > after)).take(limit).cloned().collect()
        }
        Order::NewestFirst => {
            rows.rev().filter(|row| after.is_none_or(|after| key(row) < after)).take(limit).cloned().collect()
        }
    }
}
