//! API keys.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::access::{ApiKey, Role};
use domain::value::{AccountId, Day, KeyId, Label, Timestamp};
use ports::{ApiKeys, CreatedKey, Order, PortError, PortResult};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::rows::{digest, to_item};
use super::{DynamoStore, as_item, keys};
use crate::aws::port_error;

#[derive(Serialize, Deserialize)]
struct ApiKeyRow {
    id: KeyId,
    account: AccountId,
    #[serde(deserialize_with = "Label::from_row")]
    name: Label,
    role: Role,
    hash: ByteBuf,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Day>,
}

impl From<&ApiKey> for ApiKeyRow {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.clone(),
            account: key.account.clone(),
            name: key.name.clone(),
            role: key.role,
            hash: ByteBuf::from(key.hash),
            created_at: key.created_at,
            last_used_at: key.last_used_at,
        }
    }
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = PortError;
    fn try_from(row: ApiKeyRow) -> PortResult<Self> {
        Ok(Self {
            hash: digest(&row.hash)?,
            id: row.id,
            account: row.account,
            name: row.name,
            role: row.role,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
        })
    }
}

#[async_trait]
impl ApiKeys for DynamoStore {
    async fn create_key(&self, key: &ApiKey) -> PortResult<CreatedKey> {
        let item = to_item(keys::api_key(&key.account, &key.id), &ApiKeyRow::from(key))?;
        let refused = self.transact(vec![self.account_part(&key.account)?, self.put_part(item)?]).await?;
        match refused.as_slice() {
            [] => Ok(CreatedKey::Created),
            [0, ..] => Ok(CreatedKey::NoAccount),
            _ => Err(PortError::transient("creating a key", "its random id is taken")),
        }
    }

    async fn find_key(&self, account: &AccountId, id: &KeyId) -> PortResult<Option<ApiKey>> {
        self.get::<ApiKeyRow, _>(keys::api_key(account, id)).await
    }

    async fn list_keys(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&KeyId>,
        limit: usize,
    ) -> PortResult<Vec<ApiKey>> {
        let after = after.map(|id| keys::api_key(account, id));
        self.query_account::<ApiKeyRow, _>(account, keys::API_KEYS, order, after, limit).await
    }

    async fn delete_key(&self, account: &AccountId, id: &KeyId) -> PortResult<bool> {
        let call = self.client.delete_item().table_name(&self.table);
        let call = call.set_key(Some(as_item(keys::api_key(account, id)))).return_values(ReturnValue::AllOld);
        let answer = call.send().await.map_err(|error| port_error("deleting a key", error))?;
        Ok(answer.attributes.is_some())
    }

    async fn note_key_use(&self, account: &AccountId, id: &KeyId, day: Day) -> PortResult<()> {
        let call = self.client.update_item().table_name(&self.table);
        let call = call.set_key(Some(as_item(keys::api_key(account, id)))).update_expression("SET last_used_at = :day");
        let later = "attribute_exists(pk) AND (attribute_not_exists(last_used_at) OR last_used_at < :day)";
        let call = call.condition_expression(later);
        let call = call.expression_attribute_values(":day", AttributeValue::S(day.to_string()));
        match call.send().await {
            Err(error) if !matches!(error.as_service_error(), Some(ConditionalCheckFailedException(_))) => {
                Err(port_error("noting a key's use", error))
            }
            _ => Ok(()),
        }
    }
}
