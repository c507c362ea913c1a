//! Page sessions in memory.

use async_trait::async_trait;
use domain::access::{Opened, Session};
use domain::value::{AccountId, SessionId, Timestamp};
use ports::{CreatedKey, OpenedSession, Order, PortResult, Sessions};

use super::{MemoryStore, page};

#[async_trait]
impl Sessions for MemoryStore {
    async fn create_session(&self, session: &Session) -> PortResult<CreatedKey> {
        let mut rows = self.call("create_session")?;
        if !rows.is_active(&session.account) {
            return Ok(CreatedKey::NoAccount);
        }
        rows.sessions.insert((session.account.clone(), session.id.clone()), session.clone());
        Ok(CreatedKey::Created)
    }

    async fn find_session(&self, account: &AccountId, id: &SessionId) -> PortResult<Option<Session>> {
        Ok(self.call("find_session")?.sessions.get(&(account.clone(), id.clone())).cloned())
    }

    async fn open_session(&self, session: &Session) -> PortResult<OpenedSession> {
        let mut rows = self.call("open_session")?;
        match rows.sessions.get_mut(&(session.account.clone(), session.id.clone())) {
            Some(there) if there.opened.is_none() => {
                *there = session.clone();
                Ok(OpenedSession::Opened)
            }
            _ => Ok(OpenedSession::Not),
        }
    }

    async fn note_session_use(&self, account: &AccountId, id: &SessionId, now: Timestamp) -> PortResult<()> {
        let mut rows = self.call("note_session_use")?;
        let session = rows.sessions.get_mut(&(account.clone(), id.clone()));
        if let Some(opened) = session.and_then(|session| session.opened.as_mut()) {
            opened.last_used_at = opened.last_used_at.max(now);
        }
        Ok(())
    }

    async fn list_sessions(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&SessionId>,
        limit: usize,
    ) -> PortResult<Vec<Session>> {
        let rows = self.call("list_sessions")?;
        let mine = rows.sessions.values().filter(|session| session.account == *account);
        Ok(page(mine, |session| &session.id, order, after, limit))
    }

    async fn revoke_session(&self, account: &AccountId, id: &SessionId) -> PortResult<bool> {
        Ok(self.call("revoke_session")?.sessions.remove(&(account.clone(), id.clone())).is_some())
    }

    async fn end_session(&self, account: &AccountId, id: &SessionId) -> PortResult<()> {
        let mut rows = self.call("end_session")?;
        let session = rows.sessions.get_mut(&(account.clone(), id.clone()));
        if let Some(opened) = session.and_then(|session| session.opened.as_mut()) {
            opened.hash = Opened::NO_HASH;
        }
        Ok(())
    }
}
