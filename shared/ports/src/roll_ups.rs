//! The roll-ups of destinations: their input, their rows, and their progress.

use async_trait::async_trait;
use domain::delivery::{DeliveryResult, RollUp};
use domain::value::{AccountId, DeliveryId, DestinationId, Span, Timestamp};

use super::PortResult;
use super::audit::{ByShard, SealNote};

/// How far the sealed events of a shard are rolled up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledUpTo {
    /// Everything that was sealed in stretches which ended by then is done.
    pub until: Timestamp,
    /// The last processed note after that time; `None` if no such note was processed.
    pub after: Option<SealNote>,
    /// Whether the next account has failed once.
    pub failed: bool,
}

/// A roll-up that has to be computed again at `look_at`.
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
    /// Stores `after` in one write if the stored roll-up was computed at `before` (`None`: if none is stored). Returns
    /// whether that was so. [`RollUps::due_roll_ups`] lists it from `look_at` on.
    async fn store_roll_up(
        &self,
        before: Option<Timestamp>,
        after: &RollUp,
        look_at: Option<Timestamp>,
    ) -> PortResult<bool>;
    /// Deletes the roll-up of a destination that is gone. It is no error if there is none.
    async fn forget_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<()>;
    /// At most `limit` roll-ups after `after` that have to be computed again by `until`, earliest first. The list is
    /// eventually consistent: it may not show the latest writes yet.
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
    /// The progress of each shard; shards that were never rolled up are left out.
    async fn rolled_up_to(&self) -> PortResult<ByShard<RolledUpTo>>;
    /// Stores the progress of some shards, in one write.
    async fn set_rolled_up_to(&self, shards: &ByShard<RolledUpTo>) -> PortResult<()>;
}
