//! Accounts that events named but nobody registered, for the operator.

use async_trait::async_trait;
use domain::event::UnregisteredAccount;
use domain::value::AccountId;

use super::PortResult;

#[async_trait]
pub trait UnregisteredAccounts: Send + Sync {
    /// Adds to the note of the account: the numbers of events are added up, and the first event stays.
    async fn note_unregistered(&self, noted: &UnregisteredAccount) -> PortResult<()>;
    /// At most `limit` accounts after `after`, sorted by id. Fewer than `limit` mean the last page.
    async fn list_unregistered(&self, after: Option<&AccountId>, limit: usize) -> PortResult<Vec<UnregisteredAccount>>;
    /// Deletes the note of the account, if there is one.
    async fn forget_unregistered(&self, account: &AccountId) -> PortResult<()>;
}
