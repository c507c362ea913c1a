//! What waits in the table for its time: deliveries that are due or set aside, and destinations to be looked at. One sparse
//! index answers all three; what is healthy and delivered is not in it.

use async_trait::async_trait;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};

use super::PortResult;

/// The due deliveries lie in so many parts of the index, because each part takes 1,000 writes a second.
pub const SHARDS: u8 = 8;

/// A delivery that was to be looked at at `look_at`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    pub look_at: Timestamp,
    pub account: AccountId,
    pub id: DeliveryId,
}

/// None of these lists reads consistently: what was written a moment ago may be missing, or still there.
#[async_trait]
pub trait Waiting: Send + Sync {
    /// The deliveries of a shard that are to be looked at at `until` or before, earliest first, at most `limit`.
    async fn due_deliveries(&self, shard: u8, until: Timestamp, limit: usize) -> PortResult<Vec<Due>>;
    /// What a destination is owed and was set aside, oldest event first, at most `limit`.
    async fn parked_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        limit: usize,
    ) -> PortResult<Vec<DeliveryId>>;
    /// The destinations to be looked at at `until` or before, earliest first, at most `limit`.
    async fn watched_destinations(&self, until: Timestamp, limit: usize)
    -> PortResult<Vec<(AccountId, DestinationId)>>;
}
