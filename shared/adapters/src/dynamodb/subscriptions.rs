//! Subscriptions: each has a row in its account's list, and a copy in every bucket that it is filed under.
//!
//! Settings are read tolerantly ([`SettingsRow`]): unknown ones are ignored. A subscription that cannot be read at all,
//! because a newer release gave it an event type, an operator or a transition that this one does not know, is left out
//! of its buckets, and the operator is told by each look into one of them. It is not worth more: if it failed its
//! events instead, every other subscription of the account would miss them as well, until all of them are in the
//! dead-letter queue. What it missed is known from the log (which subscription, from when until when), the events are
//! kept, and `POST /v1/events/{id}/replay` sends what they did not owe. It can be deleted as it is ([`Leads`]).
//!
//! Invariant: a subscription that cannot be read keeps no event from the account's others (tests:
//! `a_subscription_that_cannot_be_read_keeps_no_event_from_the_others`).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use domain::destination::DeliveryPath;
use domain::event::{EventType, Scope};
use domain::routing::{AwaitedTransition, Bucket, EventTypes, Grace, Pattern, Subscription, SubscriptionSettings};
use domain::value::{AccountId, DestinationId, Label, SubscriptionId, Timestamp};
use ports::{
    CreatedSubscription, DeletedSubscription, FindSubscriptions, PortError, PortResult, Subscriptions,
    UpdatedSubscription,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys::Key;
use super::rows::to_item;
use super::transactions::{Counted, NameRow};
use super::{DynamoStore, Reads, as_item, keys};
use crate::aws::build_error;

/// The row has the same fields in the account's list and in every bucket.
#[derive(Serialize, Deserialize)]
pub(super) struct SubscriptionRow {
    id: SubscriptionId,
    account: AccountId,
    /// The settings as JSON, so that numbers in conditions are read back as they were written.
    settings: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

/// Settings as they are read from a row. Their fields are those of [`SubscriptionSettings`], which is also what owners
/// write, and therefore refuses fields that it does not know.
#[derive(Deserialize)]
struct SettingsRow {
    #[serde(deserialize_with = "Label::from_row")]
    name: Label,
    destination_id: DestinationId,
    event_types: EventTypes,
    scope: Scope,
    condition: Option<Pattern>,
    transition: Option<AwaitedTransition>,
    path: Option<DeliveryPath>,
    #[serde(default)]
    grace_seconds: Grace,
    #[serde(default = "enabled")]
    enabled: bool,
}

fn enabled() -> bool {
    true
}

impl From<SettingsRow> for SubscriptionSettings {
    fn from(row: SettingsRow) -> Self {
        let SettingsRow { name, destination_id, event_types, scope, condition, transition, path, enabled, .. } = row;
        let grace = row.grace_seconds;
        Self { name, destination_id, event_types, scope, condition, transition, path, grace, enabled }
    }
}

fn read_settings(text: &str) -> Result<SubscriptionSettings, serde_json::Error> {
    serde_json::from_str::<SettingsRow>(text).map(SubscriptionSettings::from)
}

impl SubscriptionRow {
    pub(super) fn of(subscription: &Subscription) -> PortResult<Self> {
        let settings = serde_json::to_string(&subscription.settings);
        Ok(Self {
            id: subscription.id.clone(),
            account: subscription.account.clone(),
            settings: settings.map_err(|error| PortError::permanent("writing a subscription", error))?,
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
            version: subscription.version,
        })
    }
}

impl TryFrom<SubscriptionRow> for Subscription {
    type Error = serde_json::Error;

    fn try_from(row: SubscriptionRow) -> Result<Self, serde_json::Error> {
        Ok(Self {
            settings: read_settings(&row.settings)?,
            id: row.id,
            account: row.account,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

/// What a subscription's settings lead to: what must be known to delete it, and no more.
#[derive(Debug, PartialEq)]
pub(super) struct Leads {
    name: Option<String>,
    destination: Option<DestinationId>,
    /// The keys of its copies.
    pub(super) copies: Vec<Key>,
}

impl Leads {
    /// `sk` is the sort key of the subscription's row, which its copies have too.
    pub(super) fn of(account: &AccountId, sk: &str, settings: &str) -> Self {
        let copy = |bucket: &dyn fmt::Display| Key { pk: keys::bucket_pk(account, &bucket), sk: sk.to_owned() };
        match read_settings(settings) {
            Ok(settings) => Self {
                copies: settings.buckets().iter().map(|bucket| copy(bucket)).collect(),
                name: Some(settings.name.into()),
                destination: Some(settings.destination_id),
            },
            Err(_) => Self::of_unknown(settings, copy),
        }
    }

    /// Of settings that are not understood, the texts are taken as they are. The subscription may be filed under every
    /// type that it names, and under a type whose absence one of those reports: all known types are tried.
    fn of_unknown(settings: &str, copy: impl Fn(&dyn fmt::Display) -> Key) -> Self {
        let settings: Value = serde_json::from_str(settings).unwrap_or_default();
        let text = |field: &str| settings[field].as_str().map(str::to_owned);
        let named = settings["event_types"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let types: BTreeSet<_> = named.map(str::to_owned).chain(EventType::all().map(String::from)).collect();
        let filed = |scope: String| types.iter().map(|one| copy(&format!("{one}#{scope}"))).collect();
        Self {
            name: text("name"),
            destination: text("destination_id").and_then(|id| id.parse().ok()),
            copies: text("scope").map(filed).unwrap_or_default(),
        }
    }
}

/// The part of a row that is needed to delete it.
#[derive(Deserialize)]
struct LeadingRow {
    settings: String,
    version: u64,
}

#[async_trait]
impl FindSubscriptions for DynamoStore {
    async fn find_subscriptions(&self, account: &AccountId, buckets: &[Bucket]) -> PortResult<Vec<Arc<Subscription>>> {
        let look = buckets.iter().map(|bucket| {
            self.query::<SubscriptionRow, Subscription>(
                Reads::Cheaply,
                keys::bucket_pk(account, bucket),
                keys::SUBSCRIPTIONS,
                None,
                None,
            )
        });
        Ok(futures_util::future::try_join_all(look).await?.into_iter().flatten().map(Arc::new).collect())
    }
}

#[async_trait]
impl Subscriptions for DynamoStore {
    async fn create_subscription(&self, subscription: &Subscription, most: u32) -> PortResult<CreatedSubscription> {
        let (account, id) = (&subscription.account, &subscription.id);
        let settings = &subscription.settings;
        let row = SubscriptionRow::of(subscription)?;
        let mut parts = vec![
            self.count_up_part(account, Counted::Subscriptions, most)?,
            self.count_user_part(account, &settings.destination_id, 1)?,
            self.take_name_part(keys::subscription_name(account, settings.name.as_str()), id.as_str())?,
            self.put_part(to_item(keys::subscription(account, id), &row)?)?,
        ];
        for bucket in subscription.buckets() {
            parts.push(self.put_part(to_item(keys::filed_subscription(account, &bucket, id), &row)?)?);
        }
        match self.transact(parts).await?.as_slice() {
            [] => Ok(CreatedSubscription::Created),
            [0, ..] => self.limit_reached(account).await.map(|()| CreatedSubscription::LimitReached),
            [1, ..] => Ok(CreatedSubscription::NoDestination),
            [2, ..] => Ok(CreatedSubscription::NameTaken),
            _ => Err(PortError::transient("creating a subscription", "its random id is taken")),
        }
    }

    async fn update_subscription(
        &self,
        before: &Subscription,
        after: &Subscription,
    ) -> PortResult<UpdatedSubscription> {
        let (account, id) = (&before.account, &before.id);
        let row = SubscriptionRow::of(after)?;
        let mut parts = vec![self.replace_subscription_part(before, &row)?];
        let mut names = None;
        if before.settings.name != after.settings.name {
            names = Some(parts.len());
            let [before, after] =
                [before, after].map(|one| keys::subscription_name(account, one.settings.name.as_str()));
            parts.push(self.take_name_part(after, id.as_str())?);
            parts.push(self.delete_part(before, false)?);
        }
        if before.settings.destination_id != after.settings.destination_id {
            parts.push(self.count_user_part(account, &after.settings.destination_id, 1)?);
            parts.push(self.count_user_part(account, &before.settings.destination_id, -1)?);
        }
        let now: BTreeSet<_> = after.buckets().into_iter().collect();
        for bucket in before.buckets().iter().filter(|bucket| !now.contains(*bucket)) {
            parts.push(self.delete_part(keys::filed_subscription(account, bucket, id), false)?);
        }
        for bucket in &now {
            parts.push(self.overwrite_part(to_item(keys::filed_subscription(account, bucket, id), &row)?)?);
        }
        match self.transact(parts).await?.as_slice() {
            [] => Ok(UpdatedSubscription::Updated),
            [0, ..] => Ok(UpdatedSubscription::Changed),
            [place, ..] if Some(*place) == names => Ok(UpdatedSubscription::NameTaken),
            _ => Ok(UpdatedSubscription::NoDestination),
        }
    }

    async fn find_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<Option<Subscription>> {
        self.get::<SubscriptionRow, _>(keys::subscription(account, id)).await
    }

    async fn find_subscription_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<SubscriptionId>> {
        let row = self.get::<NameRow, NameRow>(keys::subscription_name(account, name.as_str())).await?;
        let id = row.map(|row| row.id.parse()).transpose();
        id.map_err(|error| PortError::permanent("reading a name's row", error))
    }

    async fn list_subscriptions(
        &self,
        account: &AccountId,
        after: Option<&SubscriptionId>,
        limit: usize,
    ) -> PortResult<Vec<Subscription>> {
        let after = after.map(|id| keys::subscription(account, id));
        self.query::<SubscriptionRow, _>(
            Reads::Consistently,
            keys::account_pk(account),
            keys::SUBSCRIPTIONS,
            after,
            Some(limit),
        )
        .await
    }

    async fn delete_subscription(
        &self,
        account: &AccountId,
        id: &SubscriptionId,
        version: Option<u64>,
    ) -> PortResult<DeletedSubscription> {
        let key = keys::subscription(account, id);
        let find = || self.get::<LeadingRow, LeadingRow>(key.clone());
        let Some(found) = find().await? else { return Ok(DeletedSubscription::NotFound) };
        if version.is_some_and(|version| version != found.version) {
            return Ok(DeletedSubscription::Changed);
        }
        let leads = Leads::of(account, &key.sk, &found.settings);
        let mut parts = vec![self.delete_found_part(key.clone(), found.version)?];
        if let Some(destination) = leads.destination {
            parts.push(self.count_user_part(account, &destination, -1)?);
        }
        if let Some(name) = leads.name {
            parts.push(self.delete_part(keys::subscription_name(account, &name), false)?);
        }
        parts.push(self.count_down_part(account, Counted::Subscriptions)?);
        for copy in leads.copies {
            parts.push(self.delete_part(copy, false)?);
        }
        match self.transact(parts).await?.as_slice() {
            [] => Ok(DeletedSubscription::Deleted),
            [0, ..] if find().await?.is_none() => Ok(DeletedSubscription::NotFound),
            [0, ..] if version.is_some() => Ok(DeletedSubscription::Changed),
            [0, ..] => Err(PortError::transient("deleting a subscription", "it was changed meanwhile")),
            _ => Err(PortError::permanent("deleting a subscription", "its destination or account is missing")),
        }
    }
}

impl DynamoStore {
    /// Changes the number of subscriptions of a destination, which must exist, by `by`.
    fn count_user_part(&self, account: &AccountId, id: &DestinationId, by: i8) -> PortResult<TransactWriteItem> {
        let update = Update::builder().table_name(&self.table).set_key(Some(as_item(keys::destination(account, id))));
        let update = update.update_expression("ADD subscriptions :by").condition_expression("attribute_exists(pk)");
        let update = update.expression_attribute_values(":by", AttributeValue::N(by.to_string()));
        Ok(TransactWriteItem::builder().update(update.build().map_err(build_error)?).build())
    }

    fn replace_subscription_part(&self, before: &Subscription, row: &SubscriptionRow) -> PortResult<TransactWriteItem> {
        let item = to_item(keys::subscription(&before.account, &before.id), row)?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).condition_expression("version = :before");
        let put = put.expression_attribute_values(":before", AttributeValue::N(before.version.to_string()));
        Ok(TransactWriteItem::builder().put(put.build().map_err(build_error)?).build())
    }

    /// Deletes the row if it is still the version that was read, whose name and buckets are deleted with it.
    fn delete_found_part(&self, key: Key, version: u64) -> PortResult<TransactWriteItem> {
        let delete = aws_sdk_dynamodb::types::Delete::builder().table_name(&self.table).set_key(Some(as_item(key)));
        let delete = delete.condition_expression("version = :found");
        let delete = delete.expression_attribute_values(":found", AttributeValue::N(version.to_string()));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(build_error)?).build())
    }
}
