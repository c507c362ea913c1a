//! The turns handed out at destinations with a rate limit.

use async_trait::async_trait;
use domain::destination::{Pace, Reserved, Wish};
use domain::value::{AccountId, DestinationId};

use super::PortResult;

#[async_trait]
pub trait Paces: Send + Sync {
    /// Hands out what is wished, as [`Pace::reserve`] says, in one step. Nothing stored counts as the default. `known` is
    /// what the caller was told last; whether it is still right changes only how much work this is.
    async fn reserve(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        known: Pace,
        wish: &Wish,
    ) -> PortResult<Reserved>;
    /// Lets nobody wait in line any more. Turns that were handed out stay so.
    async fn clear_lines(&self, account: &AccountId, destination: &DestinationId) -> PortResult<()>;
}
