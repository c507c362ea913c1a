//! Accounts.

use async_trait::async_trait;
use domain::access::Account;
use domain::delivery::Job;
use domain::value::{AccountId, JobId, Timestamp};

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
