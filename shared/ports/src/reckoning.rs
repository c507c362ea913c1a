//! Reads the ledger in bulk, to add it up: what many events owe, and the states of many deliveries. Bodies and attempts
//! are not read, so that an answer stays small however long they are.

use async_trait::async_trait;
use domain::delivery::DeliveryState;
use domain::value::{AccountId, DeliveryId, EventId};

use super::PortResult;

/// A delivery's row without its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryStanding {
    pub id: DeliveryId,
    pub state: DeliveryState,
    /// It was owed but had no row when the audit visited its event, so the audit sent it again.
    pub recovered_by_audit: bool,
}

/// A part of what an event owes. For most events, one row has everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedRow {
    /// Sorted.
    pub ids: Vec<DeliveryId>,
    /// How many rows the event has.
    pub rows: usize,
}

#[async_trait]
pub trait Reckoning: Send + Sync {
    /// The deliveries that each of the events owes, according to its rows, in any order. Unknown events are left out.
    /// No event may be named twice. Deliveries that were added in the last moments may be missing.
    async fn find_owed(&self, account: &AccountId, events: &[EventId]) -> PortResult<Vec<(EventId, Vec<DeliveryId>)>>;
    /// The first row of what each of the events owes, in any order. It may be empty even if the event has further rows.
    /// Unknown events are left out. No event may be named twice.
    async fn find_first_owed(&self, account: &AccountId, events: &[EventId]) -> PortResult<Vec<(EventId, OwedRow)>>;
    /// Row number `nth`, counted from 1, of an event that owes very much. A row never changes.
    async fn find_further_owed(&self, account: &AccountId, event: &EventId, nth: usize) -> PortResult<Option<OwedRow>>;
    /// The states of those deliveries that have a row, in any order; the others are pending. No delivery may be named
    /// twice. The latest writes may be missing.
    async fn find_standings(&self, account: &AccountId, ids: &[DeliveryId]) -> PortResult<Vec<DeliveryStanding>>;
    /// The same, for deliveries of events that follow each other: where several are for one destination, its rows are
    /// read as a range, which is cheaper if few other deliveries are between them.
    async fn find_standings_in_ranges(
        &self,
        account: &AccountId,
        ids: &[DeliveryId],
    ) -> PortResult<Vec<DeliveryStanding>>;
}
