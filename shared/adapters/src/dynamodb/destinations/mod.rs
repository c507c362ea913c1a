//! Destinations, and the names they have taken.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem, Update};
use domain::attempt::{RetryChoice, SealedSecret};
use domain::destination::{
    CustomHeaders, Destination, DestinationSecret, DestinationSettings, DestinationUrl, Health, RateLimit,
    TimeoutSeconds,
};
use domain::value::{AccountId, Description, DestinationId, Label, Timestamp};
use ports::{
    CreatedDestination, DeletedDestination, DestinationHealth, Destinations, FindAccount, FindDestination, PortError,
    PortResult, UpdatedDestination,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::super::aws::{build_error, port_error};
use super::keys::Key;
use super::rows::to_item;
use super::transactions::{Counted, NameRow};
use super::{DynamoStore, Item, as_item, keys};

/// Attributes that a row may lack.
const OPTIONAL: [&str; 3] = ["rate_limit", "gsi2pk", "gsi2sk"];

#[derive(Serialize, Deserialize)]
struct SecretRow {
    data_key: String,
    sealed: ByteBuf,
    fingerprint: String,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct DestinationRow {
    id: DestinationId,
    account: AccountId,
    name: Label,
    url: DestinationUrl,
    description: Description,
    headers: CustomHeaders,
    enabled: bool,
    timeout_seconds: TimeoutSeconds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate_limit: Option<RateLimit>,
    /// Rows of before there was a choice have none.
    #[serde(default)]
    retry_policy: RetryChoice,
    secrets: Vec<SecretRow>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
    /// Missing from rows written before destinations had it.
    #[serde(default)]
    health: Health,
    /// Its place in the index of what waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi2pk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi2sk: Option<String>,
    /// How many subscriptions send here; while there are any, the destination cannot be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subscriptions: Option<u32>,
}

impl From<&Destination> for DestinationRow {
    fn from(destination: &Destination) -> Self {
        let secret = |s: &DestinationSecret| SecretRow {
            data_key: s.sealed.key_id.clone(),
            sealed: ByteBuf::from(s.sealed.sealed.clone()),
            fingerprint: s.fingerprint.clone(),
            created_at: s.created_at,
            expires_at: s.expires_at,
        };
        let (settings, look_at) = (destination.settings.clone(), destination.look_at());
        Self {
            id: destination.id.clone(),
            account: destination.account.clone(),
            name: settings.name,
            url: settings.url,
            description: settings.description,
            headers: settings.headers,
            enabled: settings.enabled,
            timeout_seconds: settings.timeout_seconds,
            rate_limit: settings.rate_limit,
            retry_policy: settings.retry_policy,
            secrets: destination.secrets.iter().map(secret).collect(),
            created_at: destination.created_at,
            updated_at: destination.updated_at,
            version: destination.version,
            health: destination.health.clone(),
            gsi2pk: look_at.map(|_| keys::watch_pk()),
            gsi2sk: look_at.map(keys::look_at),
            subscriptions: None,
        }
    }
}

impl From<DestinationRow> for Destination {
    fn from(row: DestinationRow) -> Self {
        let secret = |s: SecretRow| DestinationSecret {
            sealed: SealedSecret { key_id: s.data_key, sealed: s.sealed.into_vec() },
            fingerprint: s.fingerprint,
            created_at: s.created_at,
            expires_at: s.expires_at,
        };
        Self {
            id: row.id,
            account: row.account,
            settings: DestinationSettings {
                name: row.name,
                url: row.url,
                description: row.description,
                headers: row.headers,
                enabled: row.enabled,
                timeout_seconds: row.timeout_seconds,
                rate_limit: row.rate_limit,
                retry_policy: row.retry_policy,
            },
            secrets: row.secrets.into_iter().map(secret).collect(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
            health: row.health,
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
    async fn create_destination(&self, destination: &Destination, most: u32) -> PortResult<CreatedDestination> {
        let (account, id) = (&destination.account, &destination.id);
        let row = DestinationRow { subscriptions: Some(0), ..destination.into() };
        let parts = vec![
            self.count_up_part(account, Counted::Destinations, most)?,
            self.take_name_part(keys::destination_name(account, &destination.settings.name), id.as_str())?,
            self.put_part(to_item(keys::destination(account, id), &row)?)?,
        ];
        match self.transact(parts).await?.as_slice() {
            [] => Ok(CreatedDestination::Created),
            [0, ..] => self.limit_reached(account).await.map(|()| CreatedDestination::LimitReached),
            [1, ..] => Ok(CreatedDestination::NameTaken),
            _ => Err(PortError::transient("creating a destination", "its random id is taken")),
        }
    }

    async fn update_destination(&self, before: &Destination, after: &Destination) -> PortResult<UpdatedDestination> {
        let (account, id) = (&before.account, &before.id);
        let mut parts = vec![self.replace_destination_part(before, after)?];
        if before.settings.name != after.settings.name {
            parts.push(self.take_name_part(keys::destination_name(account, &after.settings.name), id.as_str())?);
            parts.push(self.delete_part(keys::destination_name(account, &before.settings.name), false)?);
        }
        match self.transact(parts).await?.as_slice() {
            [] => Ok(UpdatedDestination::Updated),
            [0, ..] => Ok(UpdatedDestination::Changed),
            _ => Ok(UpdatedDestination::NameTaken),
        }
    }

    async fn find_destination_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<DestinationId>> {
        let row: Option<NameRow> = self.get(keys::destination_name(account, name)).await?;
        let id = row.map(|row| row.id.parse()).transpose();
        id.map_err(|error| PortError::permanent("reading a name's row", error))
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
        let Some(found) = self.find_destination(account, id).await? else { return Ok(DeletedDestination::NotFound) };
        let parts = vec![
            self.delete_unused_part(&found)?,
            self.delete_part(keys::destination_name(account, &found.settings.name), false)?,
            self.count_down_part(account, Counted::Destinations)?,
            self.delete_part(keys::roll_up(account, id), false)?,
        ];
        if self.transact(parts).await?.is_empty() {
            return Ok(DeletedDestination::Deleted);
        }
        match self.find_destination(account, id).await? {
            None => Ok(DeletedDestination::NotFound),
            Some(now) if now.version == found.version => Ok(DeletedDestination::InUse),
            Some(_) => Err(PortError::transient("deleting a destination", "it was changed meanwhile")),
        }
    }
}

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

/// An update of a destination's row from one version, of settings and health, to another.
struct Change {
    key: Key,
    update: String,
    condition: &'static str,
    names: HashMap<String, String>,
    values: Item,
}

impl Change {
    /// Of every field but the count of subscriptions, which others count.
    fn of(before: &Destination, after: &Destination) -> PortResult<Self> {
        let key = keys::destination(&before.account, &before.id);
        let item = to_item(key.clone(), &DestinationRow::from(after))?;
        let (mut names, mut values, mut sets, mut removes) = (HashMap::new(), Item::new(), Vec::new(), Vec::new());
        for (n, name) in OPTIONAL.into_iter().filter(|name| !item.contains_key(*name)).enumerate() {
            removes.push(format!("#r{n}"));
            names.insert(format!("#r{n}"), name.to_owned());
        }
        for (n, (name, value)) in item.into_iter().filter(|(name, _)| !matches!(name.as_str(), "pk" | "sk")).enumerate()
        {
            sets.push(format!("#f{n} = :f{n}"));
            names.insert(format!("#f{n}"), name);
            values.insert(format!(":f{n}"), value);
        }
        let remove = if removes.is_empty() { String::new() } else { format!(" REMOVE {}", removes.join(", ")) };
        values.insert(":before".into(), AttributeValue::N(before.version.to_string()));
        values.insert(":health".into(), AttributeValue::N(before.health.version.to_string()));
        names.insert("#health".into(), "health".into());
        names.insert("#version".into(), "version".into());
        let condition = if before.health.version == 0 {
            "#version = :before AND (attribute_not_exists(#health) OR #health.#version = :health)"
        } else {
            "#version = :before AND #health.#version = :health"
        };
        Ok(Self { key, update: format!("SET {}{remove}", sets.join(", ")), condition, names, values })
    }
}

impl DynamoStore {
    /// Writes every field of `after` but the count of subscriptions, where the row is still `before`'s.
    fn replace_destination_part(&self, before: &Destination, after: &Destination) -> PortResult<TransactWriteItem> {
        let change = Change::of(before, after)?;
        let update = Update::builder().table_name(&self.table).set_key(Some(as_item(change.key)));
        let update = update.update_expression(change.update).condition_expression(change.condition);
        let update = update.set_expression_attribute_names(Some(change.names));
        let update = update.set_expression_attribute_values(Some(change.values)).build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Deletes the row when no subscription sends there, and it still has the name that is given up with it.
    fn delete_unused_part(&self, found: &Destination) -> PortResult<TransactWriteItem> {
        let key = keys::destination(&found.account, &found.id);
        let delete = Delete::builder().table_name(&self.table).set_key(Some(as_item(key)));
        let delete = delete.condition_expression("subscriptions = :none AND version = :found");
        let delete = delete.expression_attribute_values(":none", AttributeValue::N("0".into()));
        let delete = delete.expression_attribute_values(":found", AttributeValue::N(found.version.to_string()));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(build_error)?).build())
    }

    /// After the account's count was refused: fine when the account is there, for then it has as many as it may.
    pub(super) async fn limit_reached(&self, account: &AccountId) -> PortResult<()> {
        match self.find_account(account).await? {
            Some(_) => Ok(()),
            None => Err(PortError::permanent("counting in an account", "the account is not registered")),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use serde_json::{Value, json};
    use testing::{account, destination};

    use super::*;
    use crate::dynamodb::rows::from_item;

    #[track_caller]
    fn check(setting: Value, written: AttributeValue) {
        let mut expected = destination(&account("acme"), 1, "https://example.com/");
        expected.settings.retry_policy = serde_json::from_value(setting).expect("a setting");
        let key = keys::destination(&expected.account, &expected.id);
        let item = to_item(key, &DestinationRow::from(&expected)).expect("an item");
        assert_eq!(item.get("retry_policy"), Some(&written));
        let read: DestinationRow = from_item(item).expect("a row");
        assert_eq!(Destination::from(read), expected);
    }

    #[test]
    fn a_retry_policy_is_read_back_as_it_was_written() {
        check(json!("standard"), AttributeValue::S("standard".into()));
        check(json!("short"), AttributeValue::S("short".into()));
        check(json!("none"), AttributeValue::S("none".into()));
        let numbers = ["10", "604800"].map(|wait| AttributeValue::N(wait.into()));
        check(json!([10, 604_800]), AttributeValue::L(numbers.into()));
    }

    #[test]
    fn a_row_without_a_retry_policy_has_the_standard_one() {
        let expected = destination(&account("acme"), 1, "https://example.com/");
        let key = keys::destination(&expected.account, &expected.id);
        let mut item = to_item(key, &DestinationRow::from(&expected)).expect("an item");
        assert!(item.remove("retry_policy").is_some());
        assert_eq!(Destination::from(from_item::<DestinationRow>(item).expect("a row")), expected);
    }
}
