//! The turns at destinations with a rate limit, in memory.

use async_trait::async_trait;
use domain::destination::Pace;
use domain::value::{AccountId, DestinationId};
use ports::{Paces, PortResult};

use super::MemoryStore;

#[async_trait]
impl Paces for MemoryStore {
    async fn store_pace(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        before: Pace,
        after: Pace,
    ) -> PortResult<Option<Pace>> {
        let mut rows = self.call("store_pace")?;
        let stored = rows.paces.entry((account.clone(), destination.clone())).or_default();
        if *stored != before {
            return Ok(Some(*stored));
        }
        *stored = after;
        Ok(None)
    }
}
