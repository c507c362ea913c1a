//! The places that events have named: a row each, written when a container of `fanout` first sees the place, and then
//! hourly.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::event::{Scope, SeenPlace, SeenScope};
use domain::value::{AccountId, Timestamp};
use ports::{PortError, PortResult, SeenScopes};
use serde::{Deserialize, Serialize};

use super::rows::to_item;
use super::{DynamoStore, Reads, Written, keys, written};

#[derive(Serialize, Deserialize)]
struct ScopeRow {
    account: AccountId,
    scope: Scope,
    connection_name: String,
    service: String,
    name: String,
    /// The name of a table in the database; insights have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    last_event_at: Timestamp,
    expires_at: u64,
}

impl From<&SeenScope> for ScopeRow {
    fn from(seen: &SeenScope) -> Self {
        let (name, table) = match &seen.place {
            SeenPlace::Endpoint { name, table, .. } => (name.clone(), Some(table.clone())),
            SeenPlace::Insight { name, .. } => (name.clone(), None),
        };
        Self {
            account: seen.account.clone(),
            scope: seen.scope.clone(),
            connection_name: seen.connection_name.clone(),
            service: seen.service.clone(),
            name,
            table,
            last_event_at: seen.last_event_at,
            expires_at: seen.expires_at.unix_seconds(),
        }
    }
}

impl TryFrom<ScopeRow> for SeenScope {
    type Error = PortError;

    fn try_from(row: ScopeRow) -> PortResult<Self> {
        let (connection, place) = match (row.scope.clone(), row.name, row.table) {
            (Scope::Endpoint { connection, endpoint }, name, table) => {
                (connection, SeenPlace::Endpoint { id: endpoint, name, table: table.unwrap_or_default() })
            }
            (Scope::Insight { connection, insight }, name, _) => (connection, SeenPlace::Insight { id: insight, name }),
            (other, ..) => return Err(PortError::permanent("reading a row", format!("events are not at {other}"))),
        };
        Ok(Self {
            account: row.account,
            scope: row.scope,
            connection,
            connection_name: row.connection_name,
            service: row.service,
            place,
            last_event_at: row.last_event_at,
            expires_at: Timestamp::from_unix_ms(row.expires_at * 1000),
        })
    }
}

#[async_trait]
impl SeenScopes for DynamoStore {
    async fn note_scope(&self, seen: &SeenScope) -> PortResult<()> {
        let item = to_item(keys::seen_scope(&seen.account, &seen.scope), &ScopeRow::from(seen))?;
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item));
        // Times are texts of the same length, so they sort by time.
        let call = call.condition_expression("attribute_not_exists(pk) OR last_event_at <= :at");
        let call = call.expression_attribute_values(":at", AttributeValue::S(seen.last_event_at.to_string()));
        match written(call.send().await.map(|_| ()))? {
            Written::Written | Written::Refused(_) => Ok(()),
        }
    }

    async fn list_scopes(
        &self,
        account: &AccountId,
        within: &Scope,
        after: Option<&Scope>,
        limit: usize,
    ) -> PortResult<Vec<SeenScope>> {
        // A table's key begins those of others, such as `invoices` that of `invoices2`, and comes before them.
        let limit = if matches!(within, Scope::Endpoint { .. } | Scope::Insight { .. }) { limit.min(1) } else { limit };
        let after = after.map(|scope| keys::seen_scope(account, scope));
        let (pk, prefix) = (keys::account_pk(account), keys::scopes_within(within));
        let mut found: Vec<SeenScope> =
            self.query::<ScopeRow, _>(Reads::Cheaply, pk, &prefix, after, Some(limit)).await?;
        found.retain(|seen| within.contains(&seen.scope));
        Ok(found)
    }
}
