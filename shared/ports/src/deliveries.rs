//! The rows of deliveries, one by one and in lists, newest first.
//!
//! A list is asked for in pages and knows no filter but time: whoever asks filters, and decides when to stop.

use async_trait::async_trait;
use domain::delivery::DeliveryRecord;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};

use super::PortResult;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    Recorded,
    /// The row already tells of as many attempts or of an end, so it stays as it is.
    Superseded,
}

#[async_trait]
pub trait Deliveries: Send + Sync {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>>;
    /// Writes what is known of a delivery, in one write, unless the row there stands by [`DeliveryRecord::supersedes`].
    async fn record_delivery(&self, record: &DeliveryRecord) -> PortResult<Recorded>;
    /// Writes `after` where the state, the number of attempts and `look_at` of `before` are still what is stored; answers whether
    /// they were. For changes that no attempt brings about.
    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool>;
}

/// What the deliveries on a page are older than.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OlderThan {
    Time(Timestamp),
    /// Those of the same millisecond stand by their ids.
    Delivery(DeliveryId),
}

#[async_trait]
pub trait ListDeliveries: Send + Sync {
    /// At most `limit` deliveries of one destination, newest first, whose events occurred at `since` or later. Fewer than
    /// `limit` are the last. Those that are pending have no row and are not among them.
    async fn list_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> PortResult<Vec<DeliveryRecord>>;
}
