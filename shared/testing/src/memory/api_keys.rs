//! API keys in memory.

use async_trait::async_trait;
use domain::access::ApiKey;
use domain::value::{AccountId, Day, KeyId};
use ports::{ApiKeys, CreatedKey, Order, PortResult};

use super::{MemoryStore, page};

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

    async fn list_keys(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&KeyId>,
        limit: usize,
    ) -> PortResult<Vec<ApiKey>> {
        let rows = self.call("list_keys")?;
        let mine = rows.keys.values().filter(|key| key.account == *account);
        Ok(page(mine, |key| &key.id, order, after, limit))
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
