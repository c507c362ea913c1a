//! What accounts have spent of their budgets.

use async_trait::async_trait;
use domain::access::Spending;
use domain::destination::{Pace, Reserved, Wish};
use domain::value::AccountId;

use super::PortResult;

#[async_trait]
pub trait Budgets: Send + Sync {
    /// Takes what is wished from a budget, as [`Pace::reserve`] says, in one step. Nothing stored counts as the default.
    /// `known` is what the caller was told last; whether it is still right changes only how much work this is.
    async fn spend(&self, account: &AccountId, of: Spending, known: Pace, wish: &Wish) -> PortResult<Reserved>;
}
