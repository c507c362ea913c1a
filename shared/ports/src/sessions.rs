//! Page sessions.

use async_trait::async_trait;
use domain::access::Session;
use domain::value::{AccountId, SessionId, Timestamp};

use super::{CreatedKey, Order, PortResult};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenedSession {
    Opened,
    /// Somebody else opened it first, or the session is gone; nothing was written.
    Not,
}

#[async_trait]
pub trait Sessions: Send + Sync {
    /// Like a key, a session is created only in an account that exists and is not being deleted.
    async fn create_session(&self, session: &Session) -> PortResult<CreatedKey>;
    async fn find_session(&self, account: &AccountId, id: &SessionId) -> PortResult<Option<Session>>;
    /// Stores the session as opened, unless it was opened before.
    async fn open_session(&self, session: &Session) -> PortResult<OpenedSession>;
    /// Records that an opened session was used at `now`. Does nothing if a later use is recorded or the session is
    /// gone.
    async fn note_session_use(&self, account: &AccountId, id: &SessionId, now: Timestamp) -> PortResult<()>;
    /// At most `limit` sessions after `after`, in this order, that are offered, open, or ended recently.
    async fn list_sessions(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&SessionId>,
        limit: usize,
    ) -> PortResult<Vec<Session>>;
    /// Deletes a session, so that neither its link nor its token works any more. `false` if there is none.
    async fn revoke_session(&self, account: &AccountId, id: &SessionId) -> PortResult<bool>;
    /// Deletes the token of an opened session, so that it no longer works. The link stays used.
    async fn end_session(&self, account: &AccountId, id: &SessionId) -> PortResult<()>;
}
