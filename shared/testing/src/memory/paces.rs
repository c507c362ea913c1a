//! The turns at destinations with a rate limit, in memory.

use async_trait::async_trait;
use domain::destination::{Pace, Reserved, Wish};
use domain::value::{AccountId, DestinationId};
use ports::{Paces, PortResult};

use super::MemoryStore;

#[async_trait]
impl Paces for MemoryStore {
    async fn reserve(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        _known: Pace,
        wish: &Wish,
    ) -> PortResult<Reserved> {
        let mut rows = self.call("reserve")?;
        let stored = rows.paces.entry((account.clone(), destination.clone())).or_default();
        let reserved = stored.reserve(wish);
        *stored = reserved.pace;
        Ok(reserved)
    }

    async fn clear_lines(&self, account: &AccountId, destination: &DestinationId) -> PortResult<()> {
        let mut rows = self.call("clear_lines")?;
        if let Some(stored) = rows.paces.get_mut(&(account.clone(), destination.clone())) {
            (stored.called_until, stored.line_until) = (0, 0);
        }
        Ok(())
    }
}
