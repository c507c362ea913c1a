//! What waits for its time, in memory.

use async_trait::async_trait;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{Due, PortResult, Waiting, Watched};

use super::MemoryStore;

#[async_trait]
impl Waiting for MemoryStore {
    async fn due_deliveries(
        &self,
        wanted: u8,
        until: Timestamp,
        after: Option<&Due>,
        limit: usize,
    ) -> PortResult<Vec<Due>> {
        Ok(self.call("due_deliveries")?.deliveries.due(wanted, until, after, limit))
    }

    async fn parked_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryId>> {
        Ok(self.call("parked_deliveries")?.deliveries.parked(account, destination, after, limit))
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
