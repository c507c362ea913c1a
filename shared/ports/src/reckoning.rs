//! The ledger read in bulk, to be added up: what many events owe, and the states of many deliveries. Neither bodies nor
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
    /// It was owed and had no row when the audit visited its event, so the audit sent it again.
    pub recovered_by_audit: bool,
}

#[async_trait]
pub trait Reckoning: Send + Sync {
    /// The deliveries that each of the events owes, according to its rows, in any order. Unknown events are left out.
    /// No event may be named twice.
    async fn find_owed(&self, account: &AccountId, events: &[EventId]) -> PortResult<Vec<(EventId, Vec<DeliveryId>)>>;
    /// The states of those deliveries that have a row, in any order; the others are pending. No delivery may be named
    /// twice. What was recorded a moment ago may be missing.
    async fn find_standings(&self, account: &AccountId, ids: &[DeliveryId]) -> PortResult<Vec<DeliveryStanding>>;
}
