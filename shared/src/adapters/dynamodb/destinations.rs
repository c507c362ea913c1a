//! Destinations.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::super::aws::port_error;
use super::rows::to_item;
use super::{DynamoStore, Written, as_item, keys};
use crate::domain::destination::{Destination, DestinationUrl, Label};
use crate::domain::id::{AccountId, DestinationId};
use crate::domain::secret::SealedSecret;
use crate::domain::timestamp::Timestamp;
use crate::ports::{DeletedDestination, Destinations, FindDestination, PortError, PortResult};

#[derive(Serialize, Deserialize)]
struct SecretRow {
    data_key: String,
    sealed: ByteBuf,
}

#[derive(Serialize, Deserialize)]
struct DestinationRow {
    id: DestinationId,
    account: AccountId,
    name: Label,
    url: DestinationUrl,
    secrets: Vec<SecretRow>,
    created_at: Timestamp,
    /// How many subscriptions send here; while there are any, the destination cannot be deleted.
    subscriptions: u32,
}

impl From<&Destination> for DestinationRow {
    fn from(destination: &Destination) -> Self {
        let secret =
            |s: &SealedSecret| SecretRow { data_key: s.key_id.clone(), sealed: ByteBuf::from(s.sealed.clone()) };
        Self {
            id: destination.id.clone(),
            account: destination.account.clone(),
            name: destination.name.clone(),
            url: destination.url.clone(),
            secrets: destination.secrets.iter().map(secret).collect(),
            created_at: destination.created_at,
            subscriptions: 0,
        }
    }
}

impl From<DestinationRow> for Destination {
    fn from(row: DestinationRow) -> Self {
        let secret = |s: SecretRow| SealedSecret { key_id: s.data_key, sealed: s.sealed.into_vec() };
        Self {
            id: row.id,
            account: row.account,
            name: row.name,
            url: row.url,
            secrets: row.secrets.into_iter().map(secret).collect(),
            created_at: row.created_at,
        }
    }
}

#[async_trait]
impl FindDestination for DynamoStore {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        Ok(self.get::<DestinationRow>(keys::destination(account, id)).await?.map(Destination::from))
    }
}

#[async_trait]
impl Destinations for DynamoStore {
    async fn create_destination(&self, destination: &Destination) -> PortResult<()> {
        let key = keys::destination(&destination.account, &destination.id);
        match self.put_new(to_item(key, &DestinationRow::from(destination))?).await? {
            Written::Written => Ok(()),
            Written::Refused(_) => Err(PortError::transient("creating a destination", "its random id is taken")),
        }
    }

    async fn list_destinations(
        &self,
        account: &AccountId,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>> {
        let after = after.map(|id| keys::destination(account, id));
        let rows = self.query(keys::account_pk(account), keys::DESTINATIONS, after, Some(limit)).await?;
        Ok(rows.into_iter().map(|row: DestinationRow| row.into()).collect())
    }

    async fn delete_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<DeletedDestination> {
        use aws_sdk_dynamodb::operation::delete_item::DeleteItemError::ConditionalCheckFailedException;
        let call = self.client.delete_item().table_name(&self.table);
        let call = call.set_key(Some(as_item(keys::destination(account, id))));
        let call = call.condition_expression("subscriptions = :none");
        let call = call.expression_attribute_values(":none", AttributeValue::N("0".into()));
        let Err(error) = call.send().await else { return Ok(DeletedDestination::Deleted) };
        match error.as_service_error() {
            Some(ConditionalCheckFailedException(_)) if self.find_destination(account, id).await?.is_some() => {
                Ok(DeletedDestination::InUse)
            }
            Some(ConditionalCheckFailedException(_)) => Ok(DeletedDestination::NotFound),
            _ => Err(port_error("deleting a destination", error)),
        }
    }
}
