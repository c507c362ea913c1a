//! Accounts that events named and nobody registered, for the operator.

use async_trait::async_trait;
use domain::event::UnregisteredAccount;
use domain::value::AccountId;

use super::PortResult;

#[async_trait]
pub trait UnregisteredAccounts: Send + Sync {
    /// Adds to what is noted of the account: its events are added up, and its first one stays.
    async fn note_unregistered(&self, noted: &UnregisteredAccount) -> PortResult<()>;
    /// At most `limit` accounts, sorted by their ids, beginning after `after`. Fewer than `limit` are the last page.
    async fn list_unregistered(&self, after: Option<&AccountId>, limit: usize) -> PortResult<Vec<UnregisteredAccount>>;
    /// Forgets the account, if it is noted.
    async fn forget_unregistered(&self, account: &AccountId) -> PortResult<()>;
}
