//! The roll-ups of destinations: their input, their rows, and how far they are.

use async_trait::async_trait;
use domain::delivery::{DeliveryResult, RollUp};
use domain::value::{AccountId, DestinationId, Slot, Timestamp};

use super::PortResult;
use super::audit::SealNote;
use super::deliveries::OlderThan;

/// How far roll-ups have got with what was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledUpTo {
    /// The slot that is processed next.
    pub slot: Slot,
    /// The last processed note of that slot; none if the slot was not begun.
    pub after: Option<SealNote>,
    /// Whether the next account has failed once.
    pub failed: bool,
}

#[async_trait]
pub trait FindRollUp: Send + Sync {
    async fn find_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<Option<RollUp>>;
}

#[async_trait]
pub trait RollUps: FindRollUp {
    /// Stores `after` in one write, if the stored roll-up was computed at `before` (or none is stored); answers whether
    /// that was so. [`RollUps::due_roll_ups`] lists it from `look_at` on.
    async fn store_roll_up(
        &self,
        before: Option<Timestamp>,
        after: &RollUp,
        look_at: Option<Timestamp>,
    ) -> PortResult<bool>;
    /// Deletes the roll-up of a destination that is gone. It is no error if there is none.
    async fn forget_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<()>;
    /// The destinations whose roll-ups have to be looked at by `until`, earliest first, at most `limit`. The list is
    /// not consistent: what was written a moment ago may be missing, or may still be there.
    async fn due_roll_ups(&self, until: Timestamp, limit: usize) -> PortResult<Vec<(AccountId, DestinationId)>>;
    /// Like [`super::ListDeliveries::list_deliveries`], with only the part of each delivery that is added up.
    async fn list_results(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> PortResult<Vec<DeliveryResult>>;
    /// At most `limit` notes of a slot, sorted by account, beginning after `after`. Notes that the audit has processed
    /// are gone.
    async fn notes_after(&self, sealed: Slot, after: Option<&SealNote>, limit: usize) -> PortResult<Vec<SealNote>>;
    /// None before the first roll-up.
    async fn rolled_up_to(&self) -> PortResult<Option<RolledUpTo>>;
    async fn set_rolled_up_to(&self, to: &RolledUpTo) -> PortResult<()>;
}
