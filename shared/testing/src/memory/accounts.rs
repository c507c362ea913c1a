//! Accounts and API keys in memory.

use async_trait::async_trait;
use domain::access::{Account, ApiKey};
use domain::delivery::Job;
use domain::value::{AccountId, Day, JobId, KeyId, Timestamp};
use ports::{Accounts, ApiKeys, CreatedAccount, CreatedKey, FindAccount, PortResult};

use super::{MemoryStore, Rows};

impl Rows {
    /// Whether the account exists and is not being deleted.
    pub(super) fn is_active(&self, account: &AccountId) -> bool {
        self.accounts.get(account).is_some_and(|account| account.deletion.is_none())
    }
}

#[async_trait]
impl FindAccount for MemoryStore {
    async fn find_account(&self, account: &AccountId) -> PortResult<Option<Timestamp>> {
        let rows = self.call("find_account")?;
        Ok(rows.accounts.get(account).filter(|a| a.deletion.is_none()).map(|a| a.created_at))
    }
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn create_account(&self, account: &AccountId, now: Timestamp) -> PortResult<CreatedAccount> {
        let mut rows = self.call("create_account")?;
        if let Some(there) = rows.accounts.get(account) {
            let deleted = there.deletion.is_some();
            return Ok(if deleted { CreatedAccount::BeingDeleted } else { CreatedAccount::Exists });
        }
        rows.accounts.insert(account.clone(), Account { id: account.clone(), created_at: now, deletion: None });
        Ok(CreatedAccount::Created)
    }

    async fn read_account(&self, account: &AccountId) -> PortResult<Option<Account>> {
        Ok(self.call("read_account")?.accounts.get(account).cloned())
    }

    async fn list_accounts(&self, after: Option<&AccountId>, limit: usize) -> PortResult<Vec<Account>> {
        let rows = self.call("list_accounts")?;
        Ok(rows.accounts.values().filter(|a| after.is_none_or(|after| a.id > *after)).take(limit).cloned().collect())
    }

    async fn start_deletion(&self, account: &AccountId, job: &Job, replacing: Option<&JobId>) -> PortResult<bool> {
        let mut rows = self.call("start_deletion")?;
        let Some(marked) = rows.accounts.get_mut(account).filter(|a| a.deletion.as_ref() == replacing) else {
            return Ok(false);
        };
        marked.deletion = Some(job.id.clone());
        rows.jobs.insert(job.id.clone(), (job.clone(), None));
        Ok(true)
    }
}

#[async_trait]
impl ApiKeys for MemoryStore {
    async fn create_key(&self, key: &ApiKey) -> PortResult<CreatedKey> {
        let mut rows = self.call("create_key")?;
        if !rows.is_active(&key.account) {
            return Ok(CreatedKey::NoAccount);
        }
        rows.keys.insert((key.account.clone(), key.id.clone()), key.clone());
        Ok(CreatedKey::Created)
    }

    async fn find_key(&self, account: &AccountId, id: &KeyId) -> PortResult<Option<ApiKey>> {
        Ok(self.call("find_key")?.keys.get(&(account.clone(), id.clone())).cloned())
    }

    async fn list_keys(&self, account: &AccountId, after: Option<&KeyId>, limit: usize) -> PortResult<Vec<ApiKey>> {
        let rows = self.call("list_keys")?;
        let mine = rows.keys.values().filter(|k| k.account == *account && after.is_none_or(|a| k.id > *a));
        Ok(mine.take(limit).cloned().collect())
    }

    async fn delete_key(&self, account: &AccountId, id: &KeyId) -> PortResult<bool> {
        Ok(self.call("delete_key")?.keys.remove(&(account.clone(), id.clone())).is_some())
    }

    async fn note_key_use(&self, account: &AccountId, id: &KeyId, day: Day) -> PortResult<()> {
        let mut rows = self.call("note_key_use")?;
        if let Some(key) = rows.keys.get_mut(&(account.clone(), id.clone())) {
            key.last_used_at = key.last_used_at.max(Some(day));
        }
        Ok(())
    }
}
