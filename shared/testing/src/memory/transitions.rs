//! The past runs that are remembered at a place, in memory.

use async_trait::async_trait;
use domain::event::{EventType, Scope};
use domain::routing::History;
use domain::value::{AccountId, Timestamp};
use ports::{PortResult, Remembered, Transitions};

use super::MemoryStore;

#[async_trait]
impl Transitions for MemoryStore {
    async fn find_runs(&self, account: &AccountId, event_type: EventType, place: &Scope) -> PortResult<Remembered> {
        let key = (account.clone(), event_type, place.clone());
        Ok(self.call("find_runs")?.runs.get(&key).cloned().unwrap_or_default())
    }

    async fn store_runs(
        &self,
        account: &AccountId,
        event_type: EventType,
        place: &Scope,
        before: &Remembered,
        history: &History,
        _expires_at: Timestamp,
    ) -> PortResult<bool> {
        let mut rows = self.call("store_runs")?;
        let stored = rows.runs.entry((account.clone(), event_type, place.clone())).or_default();
        if stored.version != before.version {
            return Ok(false);
        }
        *stored = Remembered { history: history.clone(), version: before.version + 1 };
        Ok(true)
    }
}
