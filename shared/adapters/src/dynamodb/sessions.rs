//! Page sessions.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::access::{Opened, Role, Session};
use domain::event::Scope;
use domain::value::{AccountId, Label, SessionId, Timestamp};
use ports::{CreatedKey, OpenedSession, Order, PortError, PortResult, Sessions};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::rows::{digest, to_item};
use super::{DynamoStore, Written, as_item, keys, written};
use crate::aws::port_error;

#[derive(Serialize, Deserialize)]
struct SessionRow {
    id: SessionId,
    account: AccountId,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Label>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    created_at: Timestamp,
    link_hash: ByteBuf,
    link_expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened: Option<OpenedRow>,
    expires_at: u64,
}

#[derive(Serialize, Deserialize)]
struct OpenedRow {
    hash: ByteBuf,
    at: Timestamp,
    /// In milliseconds since 1970.
    last_used_ms: u64,
}

impl From<&Session> for SessionRow {
    fn from(session: &Session) -> Self {
        let opened = session.opened.as_ref().map(|opened| OpenedRow {
            hash: ByteBuf::from(opened.hash),
            at: opened.at,
            last_used_ms: opened.last_used_at.unix_ms(),
        });
        Self {
            id: session.id.clone(),
            account: session.account.clone(),
            role: session.role,
            subject: session.subject.clone(),
            scope: session.scope.clone(),
            created_at: session.created_at,
            link_hash: ByteBuf::from(session.link_hash),
            link_expires_at: session.link_expires_at,
            opened,
            expires_at: session.ends_at().unix_seconds(),
        }
    }
}

impl TryFrom<SessionRow> for Session {
    type Error = PortError;
    fn try_from(row: SessionRow) -> PortResult<Self> {
        let opened = |row: OpenedRow| {
            let last_used_at = Timestamp::from_unix_ms(row.last_used_ms);
            Ok::<_, PortError>(Opened { hash: digest(&row.hash)?, at: row.at, last_used_at })
        };
        Ok(Self {
            link_hash: digest(&row.link_hash)?,
            opened: row.opened.map(opened).transpose()?,
            id: row.id,
            account: row.account,
            role: row.role,
            subject: row.subject,
            scope: row.scope,
            created_at: row.created_at,
            link_expires_at: row.link_expires_at,
        })
    }
}

#[async_trait]
impl Sessions for DynamoStore {
    async fn create_session(&self, session: &Session) -> PortResult<CreatedKey> {
        let item = to_item(keys::session(&session.account, &session.id), &SessionRow::from(session))?;
        let refused = self.transact(vec![self.account_part(&session.account)?, self.put_part(item)?]).await?;
        match refused.as_slice() {
            [] => Ok(CreatedKey::Created),
            [0, ..] => Ok(CreatedKey::NoAccount),
            _ => Err(PortError::transient("creating a session", "its random id is taken")),
        }
    }

    async fn find_session(&self, account: &AccountId, id: &SessionId) -> PortResult<Option<Session>> {
        self.get::<SessionRow, _>(keys::session(account, id)).await
    }

    async fn open_session(&self, session: &Session) -> PortResult<OpenedSession> {
        let item = to_item(keys::session(&session.account, &session.id), &SessionRow::from(session))?;
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let call = call.condition_expression("attribute_exists(pk) AND attribute_not_exists(opened)");
        Ok(match written(call.send().await.map(|_| ()))? {
            Written::Written => OpenedSession::Opened,
            Written::Refused(_) => OpenedSession::Not,
        })
    }

    async fn note_session_use(&self, account: &AccountId, id: &SessionId, now: Timestamp) -> PortResult<()> {
        let call = self.client.update_item().table_name(&self.table);
        let call =
            call.set_key(Some(as_item(keys::session(account, id)))).update_expression("SET opened.last_used_ms = :now");
        let call = call.condition_expression("opened.last_used_ms < :now");
        let call = call.expression_attribute_values(":now", AttributeValue::N(now.unix_ms().to_string()));
        match call.send().await {
            Err(error) if !matches!(error.as_service_error(), Some(ConditionalCheckFailedException(_))) => {
                Err(port_error("noting a session's use", error))
            }
            _ => Ok(()),
        }
    }

    async fn list_sessions(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&SessionId>,
        limit: usize,
    ) -> PortResult<Vec<Session>> {
        let after = after.map(|id| keys::session(account, id));
        self.query_account::<SessionRow, _>(account, keys::SESSIONS, order, after, limit).await
    }

    async fn revoke_session(&self, account: &AccountId, id: &SessionId) -> PortResult<bool> {
        let call = self.client.delete_item().table_name(&self.table);
        let call = call.set_key(Some(as_item(keys::session(account, id)))).return_values(ReturnValue::AllOld);
        let answer = call.send().await.map_err(|error| port_error("revoking a session", error))?;
        Ok(answer.attributes.is_some())
    }

    async fn end_session(&self, account: &AccountId, id: &SessionId) -> PortResult<()> {
        let call = self.client.update_item().table_name(&self.table).set_key(Some(as_item(keys::session(account, id))));
        let call = call.update_expression("SET opened.#hash = :none").condition_expression("attribute_exists(opened)");
        let call = call.expression_attribute_names("#hash", "hash");
        let none = AttributeValue::B(Blob::new(Opened::NO_HASH));
        match call.expression_attribute_values(":none", none).send().await {
            Err(error) if !matches!(error.as_service_error(), Some(ConditionalCheckFailedException(_))) => {
                Err(port_error("ending a session", error))
            }
            _ => Ok(()),
        }
    }
}
