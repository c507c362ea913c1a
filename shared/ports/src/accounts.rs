//! Accounts.

use async_trait::async_trait;
use domain::access::Account;
use domain::delivery::Job;
use domain::value::{AccountId, JobId, Timestamp};

use super::PortResult;

/// The result of registering an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedAccount {
    Created,
    /// An account with that id exists.
    Exists,
    /// An account with that id exists until its deletion has ended.
    BeingDeleted,
}

#[async_trait]
pub trait FindAccount: Send + Sync {
    /// When the account was registered; `None` if it is unknown or is being deleted.
    async fn find_account(&self, account: &AccountId) -> PortResult<Option<Timestamp>>;
}

#[async_trait]
pub trait Accounts: FindAccount {
    async fn create_account(&self, account: &AccountId, now: Timestamp) -> PortResult<CreatedAccount>;
    /// The account, even while it is being deleted.
    async fn read_account(&self, account: &AccountId) -> PortResult<Option<Account>>;
    /// At most `limit` accounts after `after`, sorted by id.
    async fn list_accounts(&self, after: Option<&AccountId>, limit: usize) -> PortResult<Vec<Account>>;
    /// Marks the account as being deleted by `job`, and stores the job as pending, in one transaction. Does nothing and
    /// answers `false` unless the account exists and its current deletion is `replacing`.
    async fn start_deletion(&self, account: &AccountId, job: &Job, replacing: Option<&JobId>) -> PortResult<bool>;
}
