//! The places that events have named.

use async_trait::async_trait;
use domain::event::{Scope, SeenScope};
use domain::value::AccountId;

use super::PortResult;

#[async_trait]
pub trait SeenScopes: Send + Sync {
    /// Records what an event said about its place, unless a later event is recorded already.
    async fn note_scope(&self, seen: &SeenScope) -> PortResult<()>;
    /// At most `limit` scopes at `within` or below it, after `after`, sorted as text. `after` must have been one of
    /// them. Fewer than `limit` mean the last page.
    async fn list_scopes(
        &self,
        account: &AccountId,
        within: &Scope,
        after: Option<&Scope>,
        limit: usize,
    ) -> PortResult<Vec<SeenScope>>;
}
