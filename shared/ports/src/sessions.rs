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
    /// Notes that an opened session was used at `now`, unless a later use is noted or the session is gone.
    async fn note_session_use(&self, account: &AccountId, id: &SessionId, now: Timestamp) -> PortResult<()>;
    /// At most `limit` of those that are offered, open, or ended not long ago, that follow `after` in this order.
    async fn list_sessions(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&SessionId>,
        limit: usize,
    ) -> PortResult<Vec<Session>>;
    /// Forgets a session: neither its link nor its token is known any more. False if there is none.
    async fn revoke_session(&self, account: &AccountId, id: &SessionId) -> PortResult<bool>;
    /// Deletes the token of an opened session, so that it admits nobody any more. The link stays used.
    async fn end_session(&self, account: &AccountId, id: &SessionId) -> PortResult<()>;
}
