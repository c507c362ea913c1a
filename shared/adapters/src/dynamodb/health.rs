//! The health of destinations, which is part of their rows.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException;
use domain::destination::{Destination, Health};
use domain::value::{AccountId, DestinationId};
use ports::{DestinationHealth, FindDestination, PortResult};

use super::destinations::Change;
use super::{DynamoStore, as_item};
use crate::aws::port_error;

#[async_trait]
impl DestinationHealth for DynamoStore {
    async fn find_destination_anew(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        self.find_destination(account, id).await
    }

    async fn update_health(&self, before: &Destination, health: &Health) -> PortResult<bool> {
        let change = Change::of(before, &before.with_health(health.clone()))?;
        let call = self.client.update_item().table_name(&self.table).set_key(Some(as_item(change.key)));
        let call = call.update_expression(change.update).condition_expression(change.condition);
        let call = call.set_expression_attribute_names(Some(change.names));
        let call = call.set_expression_attribute_values(Some(change.values));
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.as_service_error(), Some(ConditionalCheckFailedException(_))) => Ok(false),
            Err(error) => Err(port_error("recording how a destination does", error)),
        }
    }
}
