//! The ledger in bulk, in memory.

use async_trait::async_trait;
use domain::delivery::DeliveryRecord;
use domain::value::{AccountId, DeliveryId, EventId};
use ports::{DeliveryStanding, OwedRow, PortResult, Reckoning, SealedEvent, read_units};

use super::MemoryStore;

/// How many deliveries are in a row of what an event owes.
const ROW: usize = 4_000;

/// The cost of a strongly consistent read of the row: with ten attempts it has up to 23 KiB, with all of them up to 60.
pub(super) fn units(row: &DeliveryRecord) -> f64 {
    (row.attempts.kept().len() / 2 + 1).min(16) as f64
}

/// One row of what an event owes. Reading it costs a unit for the row, and one for about 60 deliveries.
fn row(event: &SealedEvent, nth: usize) -> Option<OwedRow> {
    let rows = event.owed.len().div_ceil(ROW).max(1);
    let mut ids: Vec<_> = event.owed.iter().skip(nth * ROW).take(ROW).map(|owed| owed.id.clone()).collect();
    ids.sort_unstable();
    read_units::add(1.0 + (ids.len() / 60) as f64);
    (nth < rows).then_some(OwedRow { ids, rows })
}

#[async_trait]
impl Reckoning for MemoryStore {
    async fn find_owed(&self, account: &AccountId, events: &[EventId]) -> PortResult<Vec<(EventId, Vec<DeliveryId>)>> {
        let rows = self.call("find_owed")?;
        rows.readable(events)?;
        let known = events.iter().filter_map(|id| rows.events.get(&(account.clone(), id.clone())));
        Ok(known.map(|event| (event.id.clone(), event.owed.iter().map(|owed| owed.id.clone()).collect())).collect())
    }

    async fn find_first_owed(&self, account: &AccountId, events: &[EventId]) -> PortResult<Vec<(EventId, OwedRow)>> {
        let rows = self.call("find_first_owed")?;
        rows.readable(events)?;
        let known = events.iter().filter_map(|id| rows.events.get(&(account.clone(), id.clone())));
        Ok(known.filter_map(|event| Some((event.id.clone(), row(event, 0)?))).collect())
    }

    async fn find_further_owed(&self, account: &AccountId, event: &EventId, nth: usize) -> PortResult<Option<OwedRow>> {
        let rows = self.call("find_further_owed")?;
        rows.readable([event])?;
        let known = rows.events.get(&(account.clone(), event.clone()));
        Ok(known.filter(|_| nth > 0).and_then(|event| row(event, nth)))
    }

    async fn find_standings(&self, account: &AccountId, ids: &[DeliveryId]) -> PortResult<Vec<DeliveryStanding>> {
        let rows = self.call("find_standings")?;
        rows.readable(ids)?;
        let known = ids.iter().filter_map(|id| rows.deliveries.get(account, id));
        Ok(known.inspect(|row| read_units::add(units(row) / 2.0)).map(standing).collect())
    }

    async fn find_standings_in_ranges(
        &self,
        account: &AccountId,
        ids: &[DeliveryId],
    ) -> PortResult<Vec<DeliveryStanding>> {
        let rows = self.call("find_standings_in_ranges")?;
        rows.readable(ids)?;
        Ok(ids.iter().filter_map(|id| rows.deliveries.get(account, id)).map(standing).collect())
    }
}

fn standing(row: &DeliveryRecord) -> DeliveryStanding {
    DeliveryStanding { id: row.delivery.id.clone(), state: row.state(), recovered_by_audit: row.recovered_by_audit }
}
