//! What accounts have spent of their budgets, in memory.

use async_trait::async_trait;
use domain::access::Spending;
use domain::destination::{Pace, Reserved, Wish};
use domain::value::AccountId;
use ports::{Budgets, PortResult};

use super::MemoryStore;

#[async_trait]
impl Budgets for MemoryStore {
    async fn spend(&self, account: &AccountId, of: Spending, _known: Pace, wish: &Wish) -> PortResult<Reserved> {
        let mut rows = self.call("spend")?;
        let stored = rows.budgets.entry((account.clone(), of)).or_default();
        let reserved = stored.reserve(wish);
        *stored = reserved.pace;
        Ok(reserved)
    }
}
