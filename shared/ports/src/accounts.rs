//! Who exists and who may come in: accounts and their API keys.

use async_trait::async_trait;
use domain::access::{Account, ApiKey};
use domain::delivery::Job;
use domain::value::{AccountId, Day, JobId, KeyId, Timestamp};

use super::PortResult;

/// What became of a request to register an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedAccount {
    Created,
    /// An account of that id stands.
    Exists,
    /// An account of that id stands until its deletion has ended.
    BeingDeleted,
}

#[async_trait]
pub trait FindAccount: Send + Sync {
    /// When the account was registered, if it was and is not being deleted.
    async fn find_account(&self, account: &AccountId) -> PortResult<Option<Timestamp>>;
}

#[async_trait]
pub trait Accounts: FindAccount {
    async fn create_account(&self, account: &AccountId, now: Timestamp) -> PortResult<CreatedAccount>;
    /// The account, also while it is being deleted.
    async fn read_account(&self, account: &AccountId) -> PortResult<Option<Account>>;
    /// In the order of their ids, from the one after `after`, at most `limit`.
    async fn list_accounts(&self, after: Option<&AccountId>, limit: usize) -> PortResult<Vec<Account>>;
    /// Marks the account as being deleted by `job` and stores the job as pending, together. Nothing happens, and the answer
    /// is `false`, unless the account exists and its deletion is `replacing`.
    async fn start_deletion(&self, account: &AccountId, job: &Job, replacing: Option<&JobId>) -> PortResult<bool>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedKey {
    Created,
    /// Its account does not exist or is being deleted; nothing was created.
    NoAccount,
}

#[async_trait]
pub trait ApiKeys: Send + Sync {
    async fn create_key(&self, key: &ApiKey) -> PortResult<CreatedKey>;
    async fn find_key(&self, account: &AccountId, id: &KeyId) -> PortResult<Option<ApiKey>>;
    /// In the order of their ids, from the one after `after`, at most `limit`.
    async fn list_keys(&self, account: &AccountId, after: Option<&KeyId>, limit: usize) -> PortResult<Vec<ApiKey>>;
    /// Whether there was one to delete.
    async fn delete_key(&self, account: &AccountId, id: &KeyId) -> PortResult<bool>;
    /// Notes that the key was used on `day`, unless it is noted already, for a later day, or the key is gone.
    async fn note_key_use(&self, account: &AccountId, id: &KeyId, day: Day) -> PortResult<()>;
}
