//! The turns handed out at destinations with a rate limit.

use async_trait::async_trait;
use domain::destination::Pace;
use domain::value::{AccountId, DestinationId};

use super::PortResult;

#[async_trait]
pub trait Paces: Send + Sync {
    /// Stores `after` if `before` is stored, and answers `None`; otherwise answers what is stored. Nothing stored
    /// counts as the default.
    async fn store_pace(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        before: Pace,
        after: Pace,
    ) -> PortResult<Option<Pace>>;
}
