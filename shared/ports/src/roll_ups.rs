//! The roll-ups of destinations: their input, their rows, and how far they are.

use async_trait::async_trait;
use domain::delivery::{DeliveryResult, RollUp};
use domain::value::{AccountId, DeliveryId, DestinationId, Span, Timestamp};

use super::PortResult;
use super::audit::{ByShard, SealNote};

/// How far the roll-ups of a shard have got with what was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledUpTo {
    /// What was sealed in stretches that had ended by then is done.
    pub until: Timestamp,
    /// The last processed note of what follows; none if that was not begun.
    pub after: Option<SealNote>,
    /// Whether the next account has failed once.
    pub failed: bool,
}

/// A roll-up that has to be looked at at `look_at`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueRollUp {
    pub look_at: Timestamp,
    pub account: AccountId,
    pub destination: DestinationId,
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
    /// The destinations whose roll-ups have to be looked at by `until`, earliest first, at most `limit`, beginning after
    /// `after`. The list is not consistent: what was written a moment ago may be missing, or may still be there.
    async fn due_roll_ups(
        &self,
        until: Timestamp,
        after: Option<&DueRollUp>,
        limit: usize,
    ) -> PortResult<Vec<DueRollUp>>;
    /// Like [`super::ListDeliveries::list_deliveries`], newest first, with only the part of each delivery that is added up.
    async fn list_results(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        span: Span,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryResult>>;
    /// How far each shard is; shards that were never rolled up are left out.
    async fn rolled_up_to(&self) -> PortResult<ByShard<RolledUpTo>>;
    /// Stores this for some shards, in one write.
    async fn set_rolled_up_to(&self, shards: &ByShard<RolledUpTo>) -> PortResult<()>;
}
