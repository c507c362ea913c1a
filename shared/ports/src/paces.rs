//! The turns handed out at destinations with a rate limit.

use async_trait::async_trait;
use domain::destination::{Pace, Reserved, Wish};
use domain::value::{AccountId, DestinationId};

use super::PortResult;

#[async_trait]
pub trait Paces: Send + Sync {
    /// Hands out the wished turns atomically, as [`Pace::reserve`] says. If nothing is stored, the default applies.
    /// `known` is the last state that the caller saw. If it is outdated, this only takes more work.
    async fn reserve(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        known: Pace,
        wish: &Wish,
    ) -> PortResult<Reserved>;
    /// Empties the waiting lines. Turns that were handed out already are not taken back.
    async fn clear_lines(&self, account: &AccountId, destination: &DestinationId) -> PortResult<()>;
}
