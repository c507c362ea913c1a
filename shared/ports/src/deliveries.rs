//! The rows of deliveries, one by one and in lists.
//!
//! A list comes in pages and has no filter except time: the caller filters, and decides when to stop.

use async_trait::async_trait;
use domain::delivery::DeliveryRecord;
use domain::value::{AccountId, DeliveryId, DestinationId, Span};

use super::{Order, PortResult};

/// The two ways of writing are the rules of [`domain::delivery::custody`].
#[async_trait]
pub trait Deliveries: Send + Sync {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>>;
    /// The rows of deliveries of any accounts, in any order, none of which may be named twice. Those that have no row are
    /// left out, and so are rows that cannot be read at all or not now: `find_delivery` tells which it is.
    async fn find_deliveries(&self, ids: &[(AccountId, DeliveryId)]) -> PortResult<Vec<DeliveryRecord>>;
    /// Writes the first row of a delivery, in one write; answers whether it had none.
    async fn create_delivery(&self, record: &DeliveryRecord) -> PortResult<bool>;
    /// Writes `after` if the row is still as in `before`: its state, its number of attempts, and when it is looked at.
    /// Answers whether it was.
    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool>;
}

#[async_trait]
pub trait ListDeliveries: Send + Sync {
    /// At most `limit` deliveries of one destination whose events occurred in the span, that follow `after` in this order.
    /// Fewer than `limit` are the last page. Pending deliveries have no row and are not listed.
    async fn list_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        span: Span,
        order: Order,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryRecord>>;
}
