//! The ledger read in bulk, to be reckoned up: what many events owe, and where many deliveries stand. Neither bodies nor
//! attempts are read, so that an answer stays small however long those are.

use async_trait::async_trait;
use domain::delivery::DeliveryState;
use domain::value::{AccountId, DeliveryId, EventId};

use super::PortResult;

/// A delivery's row without its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryStanding {
    pub id: DeliveryId,
    pub state: DeliveryState,
    /// It was owed without a record when the audit came by, which sent it again.
    pub recovered_by_audit: bool,
}

#[async_trait]
pub trait Reckoning: Send + Sync {
    /// The deliveries that each of the events owes, as far as its rows tell. In any order; events that are not known are left
    /// out, and none may be named twice.
    async fn find_owed(&self, account: &AccountId, events: &[EventId]) -> PortResult<Vec<(EventId, Vec<DeliveryId>)>>;
    /// Where those of the deliveries stand that have a row: the others are pending. In any order; none may be named twice. What
    /// was recorded a moment ago may be missing.
    async fn find_standings(&self, account: &AccountId, ids: &[DeliveryId]) -> PortResult<Vec<DeliveryStanding>>;
}
