//! What accounts have spent of their budgets.

use async_trait::async_trait;
use domain::access::Spending;
use domain::destination::{Pace, Reserved, Wish};
use domain::value::AccountId;

use super::PortResult;

#[async_trait]
pub trait Budgets: Send + Sync {
    /// Takes the wished amount from a budget atomically, as [`Pace::reserve`] says. If nothing is stored, the default
    /// applies. `known` is the last state that the caller saw. If it is outdated, this only takes more work.
    async fn spend(&self, account: &AccountId, of: Spending, known: Pace, wish: &Wish) -> PortResult<Reserved>;
}
