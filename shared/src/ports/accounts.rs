//! Who exists and who may come in: accounts and their API keys.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::api_key::ApiKey;
use crate::domain::id::{AccountId, KeyId};
use crate::domain::timestamp::Timestamp;

/// Whether something new came to be, or an older one of that id stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    Created,
    Exists,
}

#[async_trait]
pub trait FindAccount: Send + Sync {
    /// When the account was registered, if it was.
    async fn find_account(&self, account: &AccountId) -> PortResult<Option<Timestamp>>;
}

#[async_trait]
pub trait Accounts: FindAccount {
    async fn create_account(&self, account: &AccountId, now: Timestamp) -> PortResult<Created>;
}

#[async_trait]
pub trait ApiKeys: Send + Sync {
    async fn store_key(&self, key: &ApiKey) -> PortResult<()>;
    async fn find_key(&self, account: &AccountId, id: &KeyId) -> PortResult<Option<ApiKey>>;
}
