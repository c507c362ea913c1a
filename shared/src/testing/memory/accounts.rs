//! Accounts and API keys in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::api_key::ApiKey;
use crate::domain::id::{AccountId, KeyId};
use crate::domain::timestamp::Timestamp;
use crate::ports::{Accounts, ApiKeys, Created, FindAccount, PortResult};

#[async_trait]
impl FindAccount for MemoryStore {
    async fn find_account(&self, account: &AccountId) -> PortResult<Option<Timestamp>> {
        Ok(self.call("find_account")?.accounts.get(account).copied())
    }
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn create_account(&self, account: &AccountId, now: Timestamp) -> PortResult<Created> {
        let mut rows = self.call("create_account")?;
        if rows.accounts.contains_key(account) {
            return Ok(Created::Exists);
        }
        rows.accounts.insert(account.clone(), now);
        Ok(Created::Created)
    }
}

#[async_trait]
impl ApiKeys for MemoryStore {
    async fn store_key(&self, key: &ApiKey) -> PortResult<()> {
        self.call("store_key")?.keys.insert((key.account.clone(), key.id.clone()), key.clone());
        Ok(())
    }

    async fn find_key(&self, account: &AccountId, id: &KeyId) -> PortResult<Option<ApiKey>> {
        Ok(self.call("find_key")?.keys.get(&(account.clone(), id.clone())).cloned())
    }
}
