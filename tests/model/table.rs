//! The table of a schedule: the table in memory, with an index that lags behind. Single rows may be impossible to read
//! and write until somebody corrects them, and a partition can be throttled for a while. It checks every change of a
//! delivery's row against the rules of custody.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, Job, Lease, Sending};
use domain::destination::{Destination, Health};
use domain::value::{AccountId, DeliveryId, DestinationId, EventId, Timestamp};
use ports::{
    AccountPurge, Deliveries, DestinationHealth, Due, Events, FindDestination, Held, OweMore, PortError, PortResult,
    Purged, SHARDS, Seal, Sealed, SealedEvent, Waiting, Watched, WideEvents,
};
use testing::MemoryStore;

use crate::chaos::{Dice, SimClock};
use crate::custody::Judge;
use crate::lag::Late;

/// The rows that are throttled together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partition {
    /// All rows of an account.
    Account(AccountId),
    /// A shard of the index, and with it the writes of all rows that are in it.
    Shard(u8),
}

pub fn shard(id: &DeliveryId) -> u8 {
    id.as_str().bytes().last().unwrap_or_default() % SHARDS
}

/// A row's entry in the index.
#[derive(Clone, PartialEq, Eq)]
enum Entry {
    Waiting(Due),
    Parked(DeliveryId),
}

fn entry(record: &DeliveryRecord) -> Option<Entry> {
    let (account, id) = (record.delivery.account.clone(), record.delivery.id.clone());
    match (record.state(), record.look_at()) {
        (DeliveryState::Parked, _) => Some(Entry::Parked(id)),
        (_, Some(look_at)) => Some(Entry::Waiting(Due { look_at, account, id })),
        _ => None,
    }
}

struct State {
    deliveries: Late<(AccountId, DeliveryId), Entry>,
    destinations: Late<(AccountId, DestinationId), Watched>,
    unreadable: BTreeSet<String>,
    unwritable: BTreeSet<String>,
    throttled: Option<(Partition, Timestamp)>,
}

pub struct Table {
    pub rows: Arc<MemoryStore>,
    pub judge: Judge,
    clock: Arc<SimClock>,
    dice: Arc<Dice>,
    calm: Arc<AtomicBool>,
    /// The index lags by less than this many milliseconds; not at all if it is zero.
    lag_ms: u64,
    state: Mutex<State>,
}

impl Table {
    pub fn new(
        rows: Arc<MemoryStore>,
        clock: Arc<SimClock>,
        dice: Arc<Dice>,
        calm: Arc<AtomicBool>,
        lag_ms: u64,
    ) -> Self {
        let (deliveries, destinations) = (Late::default(), Late::default());
        let (unreadable, unwritable) = (BTreeSet::new(), BTreeSet::new());
        let state = Mutex::new(State { deliveries, destinations, unreadable, unwritable, throttled: None });
        Self { rows, judge: Judge::default(), clock, dice, calm, lag_ms, state }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn poison_reads(&self, id: &str) {
        self.rows.poison(id);
        self.lock().unreadable.insert(id.to_owned());
    }

    pub fn poison_writes(&self, id: &str) {
        self.lock().unwritable.insert(id.to_owned());
    }

    pub fn throttle(&self, partition: Partition, duration: Duration) {
        let until = self.clock.real().plus(duration);
        self.lock().throttled = Some((partition, until));
    }

    /// As an operator does it.
    pub fn mend(&self) {
        let mut state = self.lock();
        state.throttled = None;
        state.unwritable.clear();
        std::mem::take(&mut state.unreadable).iter().for_each(|id| self.rows.mend(id));
    }

    fn throttled(&self, hit: impl FnOnce(&Partition) -> bool) -> PortResult<()> {
        let state = self.lock();
        let now = self.clock.real();
        match &state.throttled {
            Some((partition, until)) if *until > now && hit(partition) => {
                Err(PortError::transient("a call of the table", "the partition is throttled"))
            }
            _ => Ok(()),
        }
    }

    fn reads(&self, account: &AccountId) -> PortResult<()> {
        self.throttled(|partition| *partition == Partition::Account(account.clone()))
    }

    fn writes(&self, account: &AccountId, id: &str) -> PortResult<()> {
        if self.lock().unwritable.contains(id) {
            return Err(PortError::permanent("writing a row", "it is poisoned"));
        }
        self.reads(account)
    }

    fn writes_delivery(&self, delivery: &Delivery) -> PortResult<()> {
        self.throttled(|partition| *partition == Partition::Shard(shard(&delivery.id)))?;
        self.writes(&delivery.account, delivery.id.as_str())
    }

    /// When the index shows a change that is made now; `None` if it does so at once.
    fn shown_at(&self) -> Option<Timestamp> {
        let lags = self.lag_ms > 0 && !self.calm.load(Ordering::SeqCst);
        lags.then(|| self.clock.real().plus(Duration::from_millis(self.dice.below(self.lag_ms))))
    }

    /// How many deliveries the index shows in an old state.
    fn late(&self) -> usize {
        self.lock().deliveries.len()
    }

    fn entry_of(&self, delivery: &Delivery) -> Option<Entry> {
        self.rows.delivery(&delivery.account, &delivery.id).as_ref().and_then(entry)
    }

    fn changed(&self, delivery: &Delivery, before: Option<Entry>) {
        if before != self.entry_of(delivery)
            && let Some(until) = self.shown_at()
        {
            self.lock().deliveries.note((delivery.account.clone(), delivery.id.clone()), before, until);
        }
    }
}

#[async_trait]
impl Deliveries for Table {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
        self.reads(account)?;
        self.rows.find_delivery(account, id).await
    }

    async fn find_deliveries(&self, ids: &[(AccountId, DeliveryId)]) -> PortResult<Vec<DeliveryRecord>> {
        let ids: Vec<_> = ids.iter().filter(|(account, _)| self.reads(account).is_ok()).cloned().collect();
        self.rows.find_deliveries(&ids).await
    }

    async fn create_delivery(&self, record: &DeliveryRecord) -> PortResult<bool> {
        self.writes_delivery(&record.delivery)?;
        let late = self.judge.is_late(None, record);
        let before = self.entry_of(&record.delivery);
        let created = self.rows.create_delivery(record).await?;
        self.judge.recorded(created && late);
        self.changed(&record.delivery, before);
        Ok(created)
    }

    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool> {
        self.writes_delivery(&before.delivery)?;
        let late = self.judge.is_late(Some(before), after);
        let shown = self.entry_of(&before.delivery);
        let replaced = self.rows.replace_delivery(before, after).await?;
        self.judge.recorded(replaced && late);
        self.changed(&before.delivery, shown);
        Ok(replaced)
    }
}

#[async_trait]
impl Waiting for Table {
    async fn due_deliveries(
        &self,
        wanted: u8,
        until: Timestamp,
        after: Option<&Due>,
        limit: usize,
    ) -> PortResult<Vec<Due>> {
        self.throttled(|partition| *partition == Partition::Shard(wanted))?;
        // Asks for more, because some of the entries found may be in an old state and are left out.
        let further = limit.saturating_add(self.late());
        let mut found = self.rows.due_deliveries(wanted, until, after, further).await?;
        for ((account, id), shown) in self.lock().deliveries.shown(self.clock.real()) {
            found.retain(|due| (&due.account, &due.id) != (account, id));
            if let Some(Entry::Waiting(due)) = shown
                && shard(id) == wanted
                && due.look_at <= until
                && after.is_none_or(|after| due > after)
            {
                found.push(due.clone());
            }
        }
        found.sort();
        found.truncate(limit);
        Ok(found)
    }

    async fn parked_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryId>> {
        self.reads(account)?;
        let further = limit.saturating_add(self.late());
        let mut found = self.rows.parked_deliveries(account, destination, after, further).await?;
        for ((owner, id), shown) in self.lock().deliveries.shown(self.clock.real()) {
            if owner != account || id.destination() != *destination {
                continue;
            }
            found.retain(|other| other != id);
            if let Some(Entry::Parked(id)) = shown
                && after.is_none_or(|after| id > after)
            {
                found.push(id.clone());
            }
        }
        found.sort();
        found.truncate(limit);
        Ok(found)
    }

    async fn watched_destinations(
        &self,
        until: Timestamp,
        after: Option<&Watched>,
        limit: usize,
    ) -> PortResult<Vec<Watched>> {
        let mut found = self.rows.watched_destinations(until, after, usize::MAX).await?;
        for ((account, id), shown) in self.lock().destinations.shown(self.clock.real()) {
            found.retain(|one| (&one.account, &one.id) != (account, id));
            found.extend(shown.filter(|one| one.look_at <= until && after.is_none_or(|after| *one > after)).cloned());
        }
        found.sort();
        found.truncate(limit);
        Ok(found)
    }
}

#[async_trait]
impl FindDestination for Table {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        self.reads(account)?;
        self.rows.find_destination(account, id).await
    }
}

#[async_trait]
impl DestinationHealth for Table {
    async fn find_destination_anew(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        self.reads(account)?;
        self.rows.find_destination_anew(account, id).await
    }

    async fn update_health(&self, before: &Destination, health: &Health) -> PortResult<bool> {
        self.writes(&before.account, before.id.as_str())?;
        let updated = self.rows.update_health(before, health).await?;
        if updated && let Some(until) = self.shown_at() {
            let (account, id) = (before.account.clone(), before.id.clone());
            let watched = |look_at| Watched { look_at, account: account.clone(), id: id.clone() };
            let shown = before.look_at().map(watched);
            self.lock().destinations.note((account, id), shown, until);
        }
        Ok(updated)
    }

    async fn forget_health(&self, account: &AccountId, id: &DestinationId) -> PortResult<()> {
        self.writes(account, id.as_str())?;
        self.rows.forget_health(account, id).await
    }
}

#[async_trait]
impl Events for Table {
    async fn find_event(&self, account: &AccountId, id: &EventId) -> PortResult<Option<SealedEvent>> {
        self.reads(account)?;
        self.rows.find_event(account, id).await
    }

    async fn find_event_with(
        &self,
        account: &AccountId,
        id: &EventId,
        most: usize,
    ) -> PortResult<Option<(SealedEvent, usize)>> {
        self.reads(account)?;
        self.rows.find_event_with(account, id, most).await
    }

    async fn find_body(&self, account: &AccountId, id: &EventId) -> PortResult<Option<String>> {
        self.reads(account)?;
        self.rows.find_body(account, id).await
    }

    async fn seal_event(&self, event: &SealedEvent) -> PortResult<Sealed> {
        self.writes(&event.account, event.id.as_str())?;
        self.rows.seal_event(event).await
    }
}

#[async_trait]
impl WideEvents for Table {
    async fn find_seal(&self, account: &AccountId, id: &EventId) -> PortResult<Option<Seal>> {
        self.reads(account)?;
        self.rows.find_seal(account, id).await
    }

    async fn seal_plan(&self, event: &SealedEvent) -> PortResult<Sealed> {
        self.writes(&event.account, event.id.as_str())?;
        self.rows.seal_plan(event).await
    }

    async fn find_sending(&self, account: &AccountId, id: &EventId) -> PortResult<Option<Sending>> {
        self.reads(account)?;
        self.rows.find_sending(account, id).await
    }

    async fn note_sending(
        &self,
        account: &AccountId,
        id: &EventId,
        before: Option<&Sending>,
        after: &Sending,
        expires_at: Timestamp,
    ) -> PortResult<bool> {
        self.writes(account, id.as_str())?;
        self.rows.note_sending(account, id, before, after, expires_at).await
    }
}

#[async_trait]
impl OweMore for Table {
    async fn add_owed(&self, known: &SealedEvent, more: &[Delivery], now: Timestamp) -> PortResult<bool> {
        self.writes(&known.account, known.id.as_str())?;
        self.rows.add_owed(known, more, now).await
    }
}

#[async_trait]
impl AccountPurge for Table {
    async fn close_destinations(&self, account: &AccountId) -> PortResult<u64> {
        self.rows.close_destinations(account).await
    }

    async fn purge_account(&self, account: &AccountId, limit: usize) -> PortResult<Purged> {
        let mut before = self.rows.deliveries();
        before.retain(|record| record.delivery.account == *account);
        let purged = self.rows.purge_account(account, limit).await?;
        for record in before {
            self.changed(&record.delivery, entry(&record));
        }
        Ok(purged)
    }

    async fn end_deletion(&self, account: &AccountId, job: &Job, lease: &Lease) -> PortResult<Held> {
        self.rows.end_deletion(account, job, lease).await
    }
}
