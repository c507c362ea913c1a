//! Accounts in memory.

use async_trait::async_trait;
use domain::access::Account;
use domain::delivery::Job;
use domain::value::{AccountId, JobId, Timestamp};
use ports::{Accounts, CreatedAccount, FindAccount, PortResult};

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
