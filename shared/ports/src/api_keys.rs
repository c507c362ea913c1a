//! API keys.

use async_trait::async_trait;
use domain::access::ApiKey;
use domain::value::{AccountId, Day, KeyId};

use super::{Order, PortResult};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedKey {
    Created,
    /// The account does not exist or is being deleted; nothing was created.
    NoAccount,
}

#[async_trait]
pub trait ApiKeys: Send + Sync {
    async fn create_key(&self, key: &ApiKey) -> PortResult<CreatedKey>;
    async fn find_key(&self, account: &AccountId, id: &KeyId) -> PortResult<Option<ApiKey>>;
    /// At most `limit` keys that follow `after` in this order.
    async fn list_keys(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&KeyId>,
        limit: usize,
    ) -> PortResult<Vec<ApiKey>>;
    /// Whether there was a key to delete.
    async fn delete_key(&self, account: &AccountId, id: &KeyId) -> PortResult<bool>;
    /// Records that the key was used on `day`. Does nothing if this day or a later one is recorded, or the key is gone.
    async fn note_key_use(&self, account: &AccountId, id: &KeyId, day: Day) -> PortResult<()>;
}
