//! The roll-ups of destinations: what they are made of, where they are kept, and how far they are.

use async_trait::async_trait;
use domain::delivery::{DeliveryResult, RollUp};
use domain::value::{AccountId, DestinationId, Slot, Timestamp};

use super::PortResult;
use super::audit::SealNote;
use super::deliveries::OlderThan;

/// How far roll-ups are with what was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledUpTo {
    /// The slot that is gone through next.
    pub slot: Slot,
    /// The note of it that was gone through last, if it was begun.
    pub after: Option<SealNote>,
    /// Whether what comes then has failed once.
    pub failed: bool,
}

#[async_trait]
pub trait FindRollUp: Send + Sync {
    async fn find_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<Option<RollUp>>;
}

#[async_trait]
pub trait RollUps: FindRollUp {
    /// Stores it, in one write, where what is stored was computed at `before`, or nothing is; answers whether that was so. It is
    /// listed by [`RollUps::due_roll_ups`] from `look_at` on.
    async fn store_roll_up(
        &self,
        before: Option<Timestamp>,
        after: &RollUp,
        look_at: Option<Timestamp>,
    ) -> PortResult<bool>;
    /// Of a destination that is gone. That there is none is no mistake.
    async fn forget_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<()>;
    /// The destinations whose roll-ups are to be looked at at `until` or before, earliest first, at most `limit`. It does not read
    /// consistently: what was written a moment ago may be missing, or still there.
    async fn due_roll_ups(&self, until: Timestamp, limit: usize) -> PortResult<Vec<(AccountId, DestinationId)>>;
    /// As [`super::ListDeliveries::list_deliveries`], with no more of each delivery than is added up.
    async fn list_results(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> PortResult<Vec<DeliveryResult>>;
    /// At most `limit` notes of a slot in the order of their accounts, from the one after `after`. Those that the audit has been
    /// through are gone.
    async fn notes_after(&self, sealed: Slot, after: Option<&SealNote>, limit: usize) -> PortResult<Vec<SealNote>>;
    /// None before the first roll-up.
    async fn rolled_up_to(&self) -> PortResult<Option<RolledUpTo>>;
    async fn set_rolled_up_to(&self, to: &RolledUpTo) -> PortResult<()>;
}
