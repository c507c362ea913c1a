//! What waits for its time, in memory.

use async_trait::async_trait;
use domain::delivery::Held;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{Due, PortResult, SHARDS, Waiting, Watched};

use super::MemoryStore;

/// The same as in the table, so that both list the same deliveries.
fn shard(id: &DeliveryId) -> u8 {
    id.as_str().bytes().last().unwrap_or_default() % SHARDS
}

#[async_trait]
impl Waiting for MemoryStore {
    async fn due_deliveries(
        &self,
        wanted: u8,
        until: Timestamp,
        after: Option<&Due>,
        limit: usize,
    ) -> PortResult<Vec<Due>> {
        let rows = self.call("due_deliveries")?;
        let waiting = rows.deliveries.values().filter(|record| record.held != Held::ByDestination);
        let due = waiting.filter_map(|record| {
            let look_at = record.look_at().filter(|look_at| *look_at <= until)?;
            Some(Due { look_at, account: record.delivery.account.clone(), id: record.delivery.id.clone() })
        });
        let mut due: Vec<_> =
            due.filter(|due| shard(&due.id) == wanted && after.is_none_or(|after| due > after)).collect();
        due.sort();
        due.truncate(limit);
        Ok(due)
    }

    async fn parked_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryId>> {
        let rows = self.call("parked_deliveries")?;
        let parked = rows.deliveries.values().filter(|record| record.held == Held::ByDestination);
        let mine = parked.map(|r| &r.delivery).filter(|d| d.account == *account && d.destination == *destination);
        let further = mine.map(|delivery| &delivery.id).filter(|id| after.is_none_or(|after| *id > after));
        Ok(further.take(limit).cloned().collect())
    }

    async fn watched_destinations(
        &self,
        until: Timestamp,
        after: Option<&Watched>,
        limit: usize,
    ) -> PortResult<Vec<Watched>> {
        let rows = self.call("watched_destinations")?;
        let watched = rows.health.iter().filter_map(|((account, id), (_, look_at))| {
            Some(Watched { look_at: (*look_at)?, account: account.clone(), id: id.clone() })
        });
        let mut due: Vec<_> =
            watched.filter(|one| one.look_at <= until && after.is_none_or(|after| one > after)).collect();
        due.sort();
        due.truncate(limit);
        Ok(due)
    }
}
