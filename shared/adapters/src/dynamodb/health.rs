//! The health of destinations: each destination that has ever failed has a small row, in a partition of its own. A
//! destination without such a row is healthy. The row itself is in [`super::stored_health`].
//!
//! Invariant: a health that cannot be read stops nothing (tests:
//! `a_health_that_cannot_be_read_counts_as_failing_and_the_next_change_replaces_it`).

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use domain::destination::{Destination, Health};
use domain::value::{AccountId, DestinationId};
use ports::{DestinationHealth, FindDestination, PortResult};

use super::bulk::Fields;
use super::rows::key_of;
use super::stored_health::{FORMER, HealthRow, health_in};
use super::{DynamoStore, Item, as_item, keys};
use crate::aws::{build_error, port_error};

/// Lists may show it as it was a moment ago.
const LISTED: Fields = Fields { expression: Some("pk, sk, health"), state: None, consistent: false };

/// Nothing is stored, or nothing with a version.
const NO_VERSION: &str = "(attribute_not_exists(health.#version) OR NOT attribute_type(health.#version, :number))";
const SAME_VERSION: &str = "health.#version = :before";

/// The names and values of a condition that the stored version is the one of `before`.
fn versions(before: &Health) -> (HashMap<String, String>, Item) {
    let value = match before.version {
        0 => (":number".to_owned(), AttributeValue::S("N".to_owned())),
        version => (":before".to_owned(), AttributeValue::N(version.to_string())),
    };
    (HashMap::from([("#version".to_owned(), "version".to_owned())]), Item::from([value]))
}

#[async_trait]
impl DestinationHealth for DynamoStore {
    async fn find_destination_anew(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        self.find_destination(account, id).await
    }

    async fn update_health(&self, before: &Destination, health: &Health) -> PortResult<bool> {
        let after = before.with_health(health.clone());
        let (names, values) = versions(&before.health);
        let call = self.client.put_item().table_name(&self.table).set_item(Some(HealthRow::item(&after)?));
        let call = call.condition_expression(if before.health.version == 0 { NO_VERSION } else { SAME_VERSION });
        let call = call.set_expression_attribute_names(Some(names)).set_expression_attribute_values(Some(values));
        let call = call.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(ConditionalCheckFailedException(refused)) if refused.item().is_some() => Ok(false),
                Some(ConditionalCheckFailedException(_)) => self.move_health(before, &after).await,
                _ => Err(port_error("recording a destination's health", error)),
            },
        }
    }

    async fn forget_health(&self, account: &AccountId, id: &DestinationId) -> PortResult<()> {
        let key = as_item(keys::health(account, id));
        let call = self.client.delete_item().table_name(&self.table).set_key(Some(key));
        call.send().await.map(|_| ()).map_err(|error| port_error("deleting a destination's health", error))
    }
}

impl DynamoStore {
    /// The health of those destinations of an account that have a row for it, by the partition of that row.
    pub(super) async fn healths(
        &self,
        account: &AccountId,
        ids: impl Iterator<Item = &DestinationId>,
    ) -> PortResult<HashMap<String, Health>> {
        let rows: Vec<_> = ids.map(|id| keys::health(account, id)).collect();
        let found = self.get_items(&rows, LISTED).await?;
        Ok(found.into_iter().map(|item| (key_of(&item).pk, health_in(item))).collect())
    }

    /// Writes the health of `after` if the one of `before` is stored, in its own row or in the destination's row. In
    /// the latter case, the update beside this part removes it there.
    pub(super) fn replace_health_part(
        &self,
        before: &Destination,
        after: &Destination,
    ) -> PortResult<TransactWriteItem> {
        let (names, values) = versions(&before.health);
        let condition = match before.health.version {
            0 => NO_VERSION.to_owned(),
            _ => format!("attribute_not_exists(pk) OR {SAME_VERSION}"),
        };
        let put = Put::builder().table_name(&self.table).set_item(Some(HealthRow::item(after)?));
        let put = put.condition_expression(condition).set_expression_attribute_names(Some(names));
        let put = put.set_expression_attribute_values(Some(values)).build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Writes the health of `after`, which has no row yet, if the one of `before` is in the destination's own row, and
    /// removes it there.
    async fn move_health(&self, before: &Destination, after: &Destination) -> PortResult<bool> {
        let (mut names, values) = versions(&before.health);
        names.extend((0..).zip(FORMER).map(|(n, name)| (format!("#f{n}"), name.to_owned())));
        let update = Update::builder().table_name(&self.table);
        let update = update.set_key(Some(as_item(keys::destination(&before.account, &before.id))));
        let update = update.update_expression("REMOVE #f0, #f1, #f2").condition_expression(SAME_VERSION);
        let update = update.set_expression_attribute_names(Some(names));
        let update = update.set_expression_attribute_values(Some(values)).build().map_err(build_error)?;
        let update = TransactWriteItem::builder().update(update).build();
        let moved = self.transact(vec![self.put_part(HealthRow::item(after)?)?, update]).await?;
        Ok(moved.is_empty())
    }
}
