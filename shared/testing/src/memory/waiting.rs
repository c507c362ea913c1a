//! What waits for its time, in memory.

use async_trait::async_trait;
use domain::delivery::DeliveryState;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{Due, PortResult, SHARDS, Waiting};

use super::MemoryStore;

/// The same as in the table, so that both list the same deliveries.
fn shard(id: &DeliveryId) -> u8 {
    id.as_str().bytes().last().unwrap_or_default() % SHARDS
}

#[async_trait]
impl Waiting for MemoryStore {
    async fn due_deliveries(&self, wanted: u8, until: Timestamp, limit: usize) -> PortResult<Vec<Due>> {
        let rows = self.call("due_deliveries")?;
        let waiting = rows.deliveries.values().filter(|record| record.state != DeliveryState::Parked);
        let due = waiting.filter_map(|record| {
            let look_at = record.look_at.filter(|look_at| *look_at <= until)?;
            Some(Due { look_at, account: record.delivery.account.clone(), id: record.delivery.id.clone() })
        });
        let mut due: Vec<_> = due.filter(|due| shard(&due.id) == wanted).collect();
        due.sort();
        due.truncate(limit);
        Ok(due)
    }

    async fn parked_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        limit: usize,
    ) -> PortResult<Vec<DeliveryId>> {
        let rows = self.call("parked_deliveries")?;
        let parked = rows.deliveries.values().filter(|record| record.state == DeliveryState::Parked);
        let mine = parked.map(|r| &r.delivery).filter(|d| d.account == *account && d.destination == *destination);
        Ok(mine.map(|delivery| delivery.id.clone()).take(limit).collect())
    }

    async fn watched_destinations(
        &self,
        until: Timestamp,
        limit: usize,
    ) -> PortResult<Vec<(AccountId, DestinationId)>> {
        let rows = self.call("watched_destinations")?;
        let watched = rows.destinations.values().filter_map(|destination| Some((destination.look_at()?, destination)));
        let mut due: Vec<_> = watched.filter(|(look_at, _)| *look_at <= until).collect();
        due.sort_by_key(|(look_at, destination)| (*look_at, destination.id.clone()));
        Ok(due.into_iter().take(limit).map(|(_, d)| (d.account.clone(), d.id.clone())).collect())
    }
}
