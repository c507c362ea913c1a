//! The rows of deliveries, with the same index of what waits as the table has. A list reads only what it returns, so
//! that a list from a million rows is as fast as one from ten.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use domain::delivery::{DeliveryRecord, Held};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{Due, SHARDS};

type Key = (AccountId, DeliveryId);

#[derive(Default)]
pub(super) struct DeliveryRows {
    rows: BTreeMap<Key, DeliveryRecord>,
    waiting: BTreeMap<u8, BTreeSet<Due>>,
    /// The destination of a parked delivery is the beginning of its id.
    parked: BTreeSet<Key>,
    /// Those that were written since the last call that asked for them.
    written: BTreeSet<Key>,
}

/// The same as in the table, so that both list the same deliveries in a shard.
fn shard(id: &DeliveryId) -> u8 {
    id.as_str().bytes().last().unwrap_or_default() % SHARDS
}

/// The entry of the index for a row that has to be looked at.
fn entry(record: &DeliveryRecord) -> Option<Due> {
    let (account, id) = (&record.delivery.account, &record.delivery.id);
    Some(Due { look_at: record.look_at()?, account: account.clone(), id: id.clone() })
}

impl DeliveryRows {
    pub(super) fn get(&self, account: &AccountId, id: &DeliveryId) -> Option<&DeliveryRecord> {
        self.rows.get(&(account.clone(), id.clone()))
    }

    pub(super) fn insert(&mut self, record: DeliveryRecord) {
        let key = (record.delivery.account.clone(), record.delivery.id.clone());
        self.remove(&key);
        if record.held == Held::ByDestination {
            self.parked.insert(key.clone());
        } else if let Some(due) = entry(&record) {
            self.waiting.entry(shard(&due.id)).or_default().insert(due);
        }
        self.written.insert(key.clone());
        self.rows.insert(key, record);
    }

    fn remove(&mut self, key: &Key) {
        let Some(before) = self.rows.remove(key) else { return };
        self.parked.remove(key);
        if let Some(due) = entry(&before) {
            self.waiting.entry(shard(&due.id)).or_default().remove(&due);
        }
    }

    pub(super) fn take_written(&mut self) -> Vec<DeliveryRecord> {
        let written = std::mem::take(&mut self.written);
        written.iter().filter_map(|key| self.rows.get(key)).cloned().collect()
    }

    /// Removes up to `limit` rows of an account; returns how many.
    pub(super) fn remove_of(&mut self, account: &AccountId, limit: usize) -> usize {
        let mine = self.rows.keys().filter(|(owner, _)| owner == account);
        let found: Vec<Key> = mine.take(limit).cloned().collect();
        found.iter().for_each(|key| self.remove(key));
        found.len()
    }

    /// Sorted by account and id.
    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &DeliveryRecord> {
        self.rows.values()
    }

    /// Those of one destination, sorted by time.
    pub(super) fn of<'a>(
        &'a self,
        account: &AccountId,
        destination: &'a DestinationId,
    ) -> impl DoubleEndedIterator<Item = &'a DeliveryRecord> + use<'a> {
        self.rows.range(bounds(account, destination)).map(|(_, record)| record)
    }

    pub(super) fn next_look(&self) -> Option<Timestamp> {
        self.waiting.values().filter_map(|shard| shard.first()).map(|due| due.look_at).min()
    }

    pub(super) fn due(&self, shard: u8, until: Timestamp, after: Option<&Due>, limit: usize) -> Vec<Due> {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone()));
        let of_shard = self.waiting.get(&shard).into_iter();
        let further = of_shard.flat_map(|dues| dues.range((from.clone(), Bound::Unbounded)));
        further.take_while(|due| due.look_at <= until).take(limit).cloned().collect()
    }

    pub(super) fn parked(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> Vec<DeliveryId> {
        let (first, last) = bounds(account, destination);
        let first = after.map_or(first, |after| Bound::Excluded((account.clone(), after.clone())));
        self.parked.range((first, last)).take(limit).map(|(_, id)| id.clone()).collect()
    }
}

/// The keys of all deliveries of one destination are between these two.
#[expect(clippy::expect_used, reason = "an id that is made of an id's parts is one")]
fn bounds(account: &AccountId, destination: &DestinationId) -> (Bound<Key>, Bound<Key>) {
    let id = |time, digest: &str| {
        let text = format!("{}{}", DeliveryId::first_possible(destination, time), digest.repeat(24));
        text.parse().expect("a delivery's id")
    };
    let (first, last) = (Timestamp::from_unix_ms(0), Timestamp::from_unix_ms((1 << 48) - 1));
    let bound = |id| Bound::Included((account.clone(), id));
    (bound(id(first, "0")), bound(id(last, "v")))
}
