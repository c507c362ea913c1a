//! The rows of deliveries, one by one and in lists, newest first.
//!
//! A list comes in pages and has no filter except time: the caller filters, and decides when to stop.

use async_trait::async_trait;
use domain::delivery::DeliveryRecord;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};

use super::PortResult;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    Recorded,
    /// The row already has as many attempts or has ended, so it was left as it is.
    Superseded,
}

#[async_trait]
pub trait Deliveries: Send + Sync {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>>;
    /// Writes the record, in one write, unless the stored row wins by [`DeliveryRecord::supersedes`].
    async fn record_delivery(&self, record: &DeliveryRecord) -> PortResult<Recorded>;
    /// Writes `after` if the state, the number of attempts and `look_at` of `before` are still stored; answers whether
    /// they were. It is for changes that are not made by an attempt.
    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool>;
}

/// The upper bound of a page of deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OlderThan {
    Time(Timestamp),
    /// Deliveries of the same millisecond are sorted by id.
    Delivery(DeliveryId),
}

#[async_trait]
pub trait ListDeliveries: Send + Sync {
    /// At most `limit` deliveries of one destination, newest first, whose events occurred at `since` or later. Fewer
    /// than `limit` are the last page. Pending deliveries have no row and are not listed.
    async fn list_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> PortResult<Vec<DeliveryRecord>>;
}
