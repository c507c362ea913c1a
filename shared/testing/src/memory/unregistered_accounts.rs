//! Accounts that events named but nobody registered, in memory.

use async_trait::async_trait;
use domain::event::UnregisteredAccount;
use domain::value::AccountId;
use ports::{PortResult, UnregisteredAccounts};

use super::MemoryStore;

#[async_trait]
impl UnregisteredAccounts for MemoryStore {
    async fn note_unregistered(&self, noted: &UnregisteredAccount) -> PortResult<()> {
        let mut rows = self.call("note_unregistered")?;
        let before = rows.unregistered.get(&noted.account);
        let (first_at, events) = before.map_or((noted.first_at, 0), |before| (before.first_at, before.events));
        let row = UnregisteredAccount { first_at, events: events + noted.events, ..noted.clone() };
        rows.unregistered.insert(noted.account.clone(), row);
        Ok(())
    }

    async fn list_unregistered(&self, after: Option<&AccountId>, limit: usize) -> PortResult<Vec<UnregisteredAccount>> {
        let rows = self.call("list_unregistered")?;
        let within = rows.unregistered.values().filter(|noted| after.is_none_or(|after| noted.account > *after));
        Ok(within.take(limit).cloned().collect())
    }

    async fn forget_unregistered(&self, account: &AccountId) -> PortResult<()> {
        self.call("forget_unregistered")?.unregistered.remove(account);
        Ok(())
    }
}
