//! The places that events have named, in memory.

use async_trait::async_trait;
use domain::event::{Scope, SeenScope};
use domain::value::AccountId;
use ports::{PortResult, SeenScopes, read_units};

use super::{MemoryStore, blocks};

#[async_trait]
impl SeenScopes for MemoryStore {
    async fn note_scope(&self, seen: &SeenScope) -> PortResult<()> {
        let mut rows = self.call("note_scope")?;
        let key = (seen.account.clone(), seen.scope.to_string());
        if rows.scopes.get(&key).is_none_or(|before| before.last_event_at <= seen.last_event_at) {
            rows.scopes.insert(key, seen.clone());
        }
        Ok(())
    }

    async fn list_scopes(
        &self,
        account: &AccountId,
        within: &Scope,
        after: Option<&Scope>,
        limit: usize,
    ) -> PortResult<Vec<SeenScope>> {
        let rows = self.call("list_scopes")?;
        let after = after.map(Scope::to_string).unwrap_or_default();
        let listed = rows.scopes.iter().filter(|((owner, scope), _)| owner == account && *scope > after);
        let listed = listed.filter(|(_, seen)| within.contains(&seen.scope));
        let found: Vec<_> = listed.map(|(_, seen)| seen.clone()).take(limit).collect();
        read_units::add(blocks(found.iter().map(|seen| format!("{seen:?}").len())) / 2.0);
        Ok(found)
    }
}
