//! The ledger in bulk. Only the needed part of each row is transferred, although the whole row is paid for. A row that
//! cannot be read is left out and logged for the operator: its event then seems to owe nothing, its delivery seems
//! pending.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use domain::value::{AccountId, DeliveryId, EventId};
use ports::{DeliveryStanding, Order, OwedRow, PortResult, Reckoning};
use serde::Deserialize;

use super::bulk::Fields;
use super::keys::Key;
use super::plain_state::PlainState;
use super::rows::{key_of, read};
use super::stretch::Stretch;
use super::{DynamoStore, Reads, keys};

/// Read consistently: the event was in the index, so its row must be found.
const OWED: Fields = Fields { expression: Some("pk, sk, owed, owed_rows, owed_seal"), state: None, consistent: true };
/// For half the price. A row that was written in the last moments may be missing.
const OWED_CHEAPLY: Fields = Fields { consistent: false, ..OWED };
const STANDING: Fields = Fields {
    expression: Some("pk, sk, id, #state, due_at, recovered_by_audit"),
    state: Some("state"),
    consistent: false,
};
const STANDING_NAMES: &[&str] = &["pk", "sk", "id", "state", "due_at", "recovered_by_audit"];
/// With fewer deliveries of a destination, a range would not be cheaper: ten rows of usual length cost half a read unit
/// as a range, and five read units one by one, but a range takes a call of its own.
const RANGE: usize = 4;

/// What a row of an event says that it owes. The row is either the event's own, or a further row, which refers to no
/// others.
#[derive(Deserialize)]
struct OwedPart {
    pk: String,
    owed: Vec<OwedId>,
    #[serde(default)]
    owed_rows: usize,
    #[serde(default)]
    owed_seal: Option<String>,
}

impl OwedPart {
    fn sorted(self) -> Vec<DeliveryId> {
        let mut ids: Vec<_> = self.owed.into_iter().map(|one| one.id).collect();
        ids.sort_unstable();
        ids
    }
}

#[derive(Deserialize)]
struct OwedId {
    id: DeliveryId,
}

#[derive(Deserialize)]
struct StandingRow {
    id: DeliveryId,
    #[serde(default)]
    recovered_by_audit: bool,
    state: PlainState,
    #[serde(default)]
    due_at: Option<String>,
}

impl TryFrom<StandingRow> for DeliveryStanding {
    type Error = &'static str;

    fn try_from(row: StandingRow) -> Result<Self, Self::Error> {
        Ok(Self { id: row.id, state: row.state.of(row.due_at)?, recovered_by_audit: row.recovered_by_audit })
    }
}

#[async_trait]
impl Reckoning for DynamoStore {
    async fn find_owed(&self, account: &AccountId, events: &[EventId]) -> PortResult<Vec<(EventId, Vec<DeliveryId>)>> {
        let parts = self.owed_parts(events.iter().map(|id| keys::event(account, id)).collect()).await?;
        let part_of: HashMap<&str, &OwedPart> = parts.iter().map(|part| (part.pk.as_str(), part)).collect();
        let further = events.iter().flat_map(|id| {
            let part = part_of.get(keys::event_pk(account, id).as_str()).copied();
            let seal = part.and_then(|part| part.owed_seal.as_deref());
            (0..part.map_or(0, |part| part.owed_rows)).map(move |n| keys::owed(account, id, seal, n))
        });
        let further = self.owed_parts(further.collect()).await?;
        let mut owed: HashMap<String, Vec<DeliveryId>> = HashMap::new();
        for part in parts.into_iter().chain(further) {
            owed.entry(part.pk).or_default().extend(part.owed.into_iter().map(|one| one.id));
        }
        let of_event = |id: &EventId| Some((id.clone(), owed.remove(&keys::event_pk(account, id))?));
        Ok(events.iter().filter_map(of_event).collect())
    }

    async fn find_first_owed(&self, account: &AccountId, events: &[EventId]) -> PortResult<Vec<(EventId, OwedRow)>> {
        let rows = events.iter().map(|id| keys::event(account, id)).collect();
        let parts = self.get_all::<OwedPart, OwedPart>(rows, OWED).await?.into_iter();
        let mut row_of: HashMap<_, _> = parts.map(|part| (part.pk.clone(), part)).collect();
        let of_event = |id: &EventId| {
            let part = row_of.remove(&keys::event_pk(account, id))?;
            Some((id.clone(), OwedRow { rows: part.owed_rows + 1, ids: part.sorted() }))
        };
        Ok(events.iter().filter_map(of_event).collect())
    }

    async fn find_further_owed(&self, account: &AccountId, event: &EventId, nth: usize) -> PortResult<Option<OwedRow>> {
        let own = self.get_all::<OwedPart, OwedPart>(vec![keys::event(account, event)], OWED).await?.pop();
        let Some(own) = own.filter(|own| (1..=own.owed_rows).contains(&nth)) else { return Ok(None) };
        let key = keys::owed(account, event, own.owed_seal.as_deref(), nth - 1);
        let part = self.get_all::<OwedPart, OwedPart>(vec![key], OWED).await?.pop();
        Ok(part.map(|part| OwedRow { ids: part.sorted(), rows: own.owed_rows + 1 }))
    }

    async fn find_standings(&self, account: &AccountId, ids: &[DeliveryId]) -> PortResult<Vec<DeliveryStanding>> {
        let rows = ids.iter().map(|id| keys::delivery(account, id)).collect();
        self.get_all::<StandingRow, _>(rows, STANDING).await
    }

    async fn find_standings_in_ranges(
        &self,
        account: &AccountId,
        ids: &[DeliveryId],
    ) -> PortResult<Vec<DeliveryStanding>> {
        let mut sorted: Vec<&DeliveryId> = ids.iter().collect();
        sorted.sort_unstable();
        let (mut found, mut alone) = (Vec::new(), Vec::new());
        for of_one in sorted.chunk_by(|one, next| one.destination() == next.destination()) {
            let beyond = match of_one {
                [first, .., last] if of_one.len() >= RANGE => {
                    let (rows, to) = self.standings_between(account, first, last, 2 * of_one.len()).await?;
                    let wanted = rows.into_iter().filter(|row| of_one.binary_search(&&row.id).is_ok());
                    found.extend(wanted);
                    of_one.iter().filter(|id| to.as_ref().is_some_and(|to| **id > to)).collect()
                }
                few => few.iter().collect::<Vec<_>>(),
            };
            alone.extend(beyond.into_iter().map(|id| keys::delivery(account, id)));
        }
        found.extend(self.get_all::<StandingRow, DeliveryStanding>(alone, STANDING).await?);
        Ok(found)
    }
}

impl DynamoStore {
    /// Parts of what events owe, at half the price. What is missing is read again, consistently, because a part that is
    /// left out would look like nothing owed. For the same reason a part that cannot be read is an error.
    async fn owed_parts(&self, rows: Vec<Key>) -> PortResult<Vec<OwedPart>> {
        let found = self.get_items(&rows, OWED_CHEAPLY).await?;
        let known: HashSet<Key> = found.iter().map(key_of).collect();
        let missing: Vec<Key> = rows.into_iter().filter(|key| !known.contains(key)).collect();
        let again = self.get_items(&missing, OWED).await?;
        found.into_iter().chain(again).map(read::<OwedPart, OwedPart>).collect()
    }

    /// The deliveries of one destination from `first` to `last`, but no more than `limit` rows, and which one is the
    /// last of them if there may be more.
    async fn standings_between(
        &self,
        account: &AccountId,
        first: &DeliveryId,
        last: &DeliveryId,
        limit: usize,
    ) -> PortResult<(Vec<DeliveryStanding>, Option<DeliveryId>)> {
        let [from, to] = [first, last].map(|id| keys::delivery(account, id));
        let range = Stretch::of_rows(Reads::Cheaply, from.pk, [from.sk, to.sk], Order::OldestFirst, limit);
        let rows = self.query_stretch::<StandingRow, DeliveryStanding>(Stretch { only: STANDING_NAMES, ..range });
        let rows = rows.await?;
        let to = rows.last().filter(|_| rows.len() >= limit).map(|row| row.id.clone());
        Ok((rows, to))
    }
}
