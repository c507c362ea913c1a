//! What waits in the table: deliveries that are due, deliveries that are parked, and destinations to be looked at. One
//! sparse index has all three. Healthy destinations and delivered deliveries are not in it.

use async_trait::async_trait;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};

use super::PortResult;

/// The due deliveries are spread over this many parts of the index, because each part takes only 1,000 writes a second.
pub const SHARDS: u8 = 8;

/// A delivery that has to be looked at at `look_at`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    pub look_at: Timestamp,
    pub account: AccountId,
    pub id: DeliveryId,
}

/// A destination that has to be looked at at `look_at`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watched {
    pub look_at: Timestamp,
    pub account: AccountId,
    pub id: DestinationId,
}

/// All these lists are eventually consistent: they may not show the latest writes yet. Each list begins after `after`,
/// even if that entry is gone. So a caller that cannot handle an entry can continue after it.
#[async_trait]
pub trait Waiting: Send + Sync {
    /// At most `limit` deliveries of a shard that have to be looked at by `until`, earliest first.
    async fn due_deliveries(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<&Due>,
        limit: usize,
    ) -> PortResult<Vec<Due>>;
    /// At most `limit` parked deliveries of a destination, oldest event first.
    async fn parked_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryId>>;
    /// At most `limit` destinations that have to be looked at by `until`, earliest first. The index changes only when
    /// their health is stored: a destination that was paused or deleted since then is still listed.
    async fn watched_destinations(
        &self,
        until: Timestamp,
        after: Option<&Watched>,
        limit: usize,
    ) -> PortResult<Vec<Watched>>;
}
