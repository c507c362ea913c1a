//! What waits in the table: deliveries that are due or parked, and destinations to be looked at. One sparse index
//! answers all three questions; what is healthy or delivered is not in it.

use async_trait::async_trait;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};

use super::PortResult;

/// The due deliveries are spread over this many parts of the index, because each part takes 1,000 writes a second.
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

/// None of these lists is consistent: what was written a moment ago may be missing, or may still be there. Each list
/// begins after `after`, whether or not that is still listed. So who cannot handle an entry can go on behind it.
#[async_trait]
pub trait Waiting: Send + Sync {
    /// The deliveries of a shard that have to be looked at by `until`, earliest first, at most `limit`.
    async fn due_deliveries(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<&Due>,
        limit: usize,
    ) -> PortResult<Vec<Due>>;
    /// The parked deliveries of a destination, oldest event first, at most `limit`.
    async fn parked_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryId>>;
    /// The destinations that have to be looked at by `until`, earliest first, at most `limit`. This is as it was when their
    /// health was stored last: one that has been paused or deleted since then is still listed.
    async fn watched_destinations(
        &self,
        until: Timestamp,
        after: Option<&Watched>,
        limit: usize,
    ) -> PortResult<Vec<Watched>>;
}
