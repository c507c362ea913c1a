//! The rows of deliveries, one by one and in lists.
//!
//! A list comes in pages, and can be limited only by time: the caller filters, and decides when to stop.

use async_trait::async_trait;
use domain::delivery::DeliveryRecord;
use domain::value::{AccountId, DeliveryId, DestinationId, Span};

use super::{Order, PortResult};

/// [`domain::delivery::custody`] explains the two ways of writing.
#[async_trait]
pub trait Deliveries: Send + Sync {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>>;
    /// The rows of deliveries of any accounts, in any order. No delivery may be named twice. Deliveries without a row
    /// are left out, and also rows that could not be read; `find_delivery` tells which of the two it is.
    async fn find_deliveries(&self, ids: &[(AccountId, DeliveryId)]) -> PortResult<Vec<DeliveryRecord>>;
    /// Writes the first row of a delivery, in one write; returns whether it had none.
    async fn create_delivery(&self, record: &DeliveryRecord) -> PortResult<bool>;
    /// Writes `after` if the row still has the state, the number of attempts and the look-at time of `before`. Returns
    /// whether it had.
    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool>;
}

#[async_trait]
pub trait ListDeliveries: Send + Sync {
    /// At most `limit` deliveries of one destination after `after`, in this order, whose events occurred in the span.
    /// Fewer than `limit` mean the last page. Pending deliveries have no row and are not listed.
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
