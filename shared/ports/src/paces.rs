//! The turns handed out at destinations that have a rate limit.

use async_trait::async_trait;
use domain::destination::Pace;
use domain::value::{AccountId, DestinationId};

use super::PortResult;

#[async_trait]
pub trait Paces: Send + Sync {
    /// Stores `after` where `before` is what is stored (nothing is the default), and answers nothing; otherwise answers what is.
    async fn store_pace(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        before: Pace,
        after: Pace,
    ) -> PortResult<Option<Pace>>;
}
