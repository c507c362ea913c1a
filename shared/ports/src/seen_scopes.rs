//! The places that events were seen at.

use async_trait::async_trait;
use domain::event::{Scope, SeenScope};
use domain::value::AccountId;

use super::PortResult;

#[async_trait]
pub trait SeenScopes: Send + Sync {
    /// Notes what an event told, unless a later event told something already.
    async fn note_scope(&self, seen: &SeenScope) -> PortResult<()>;
    /// At most `limit` scopes in the order of their texts, after `after`. Fewer than `limit` are the last.
    async fn list_scopes(&self, account: &AccountId, after: Option<&Scope>, limit: usize)
    -> PortResult<Vec<SeenScope>>;
}
