//! What waits for its time, read from the index `waiting`, which contains only the keys of rows. The rows themselves
//! are not read. A key of another form is left out and logged for the operator.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{Due, PortResult, Waiting, Watched};

use super::keys::Key;
use super::rows::{Unreadable, key_of};
use super::{DynamoStore, Item, as_item, keys, page_size};
use crate::aws::port_error;

/// The keys of an entry.
pub(super) struct Entry {
    pub(super) pk: String,
    pub(super) sk: String,
    pub(super) gsi2sk: String,
}

impl Entry {
    fn read<T>(item: &Item, read: impl Fn(Entry) -> Option<T>) -> Option<T> {
        let key = key_of(item);
        let gsi2sk = item.get(keys::WAITING_KEYS[1]).and_then(|value| value.as_s().ok());
        let found = gsi2sk.cloned().and_then(|gsi2sk| read(Entry { pk: key.pk.clone(), sk: key.sk.clone(), gsi2sk }));
        if found.is_none() {
            Unreadable::new(&key, "it is not of what waits").tell();
        }
        found
    }
}

/// An entry's position in its partition of the index: its sort key there, and the key of its row.
pub(super) struct Position {
    pub(super) sk: String,
    pub(super) row: Key,
}

impl Position {
    fn start(self, pk: &str) -> Item {
        let [pk_name, sk_name] = keys::WAITING_KEYS;
        let mut start = as_item(self.row);
        start.insert(pk_name.to_owned(), AttributeValue::S(pk.to_owned()));
        start.insert(sk_name.to_owned(), AttributeValue::S(self.sk));
        start
    }
}

impl DynamoStore {
    /// At most `limit` entries of a partition of the index, converted by `read`, in order, after `after` and up to the
    /// sort key `until`, if these are given.
    pub(super) async fn waiting<T>(
        &self,
        pk: String,
        until: Option<String>,
        after: Option<Position>,
        limit: usize,
        read: impl Fn(Entry) -> Option<T>,
    ) -> PortResult<Vec<T>> {
        let (mut found, mut start) = (Vec::new(), after.map(|after| after.start(&pk)));
        loop {
            let size = page_size(limit, found.len());
            let call = self.client.query().table_name(&self.table).index_name(keys::WAITING);
            let call = call.limit(size).set_exclusive_start_key(start);
            let [pk_name, sk_name] = keys::WAITING_KEYS;
            let call = call.expression_attribute_names("#pk", pk_name);
            let call = call.expression_attribute_values(":pk", AttributeValue::S(pk.clone()));
            let call = match &until {
                None => call.key_condition_expression("#pk = :pk"),
                Some(until) => call
                    .key_condition_expression("#pk = :pk AND #sk <= :until")
                    .expression_attribute_names("#sk", sk_name)
                    .expression_attribute_values(":until", AttributeValue::S(until.clone())),
            };
            let page = call.send().await.map_err(|error| port_error("listing what waits", error))?;
            found.extend(page.items.unwrap_or_default().iter().filter_map(|item| Entry::read(item, &read)));
            start = page.last_evaluated_key;
            if start.is_none() || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }
}

#[async_trait]
impl Waiting for DynamoStore {
    async fn due_deliveries(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<&Due>,
        limit: usize,
    ) -> PortResult<Vec<Due>> {
        let after =
            after.map(|due| Position { sk: keys::look_at(due.look_at), row: keys::delivery(&due.account, &due.id) });
        let due = |entry: Entry| {
            let (account, id) = keys::delivery_of(&entry.pk, &entry.sk)?;
            Some(Due { look_at: keys::looked_at(&entry.gsi2sk)?, account, id })
        };
        self.waiting(keys::due_pk(shard), Some(keys::look_at(until)), after, limit, due).await
    }

    async fn parked_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryId>> {
        let after = after.map(|id| Position { sk: id.to_string(), row: keys::delivery(account, id) });
        let id = |entry: Entry| entry.gsi2sk.parse().ok();
        self.waiting(keys::parked_pk(account, destination), None, after, limit, id).await
    }

    async fn watched_destinations(
        &self,
        until: Timestamp,
        after: Option<&Watched>,
        limit: usize,
    ) -> PortResult<Vec<Watched>> {
        let after =
            after.map(|one| Position { sk: keys::look_at(one.look_at), row: keys::health(&one.account, &one.id) });
        let watched = |entry: Entry| {
            let (account, id) = keys::watched_of(&entry.pk, &entry.sk)?;
            Some(Watched { look_at: keys::looked_at(&entry.gsi2sk)?, account, id })
        };
        self.waiting(keys::watch_pk(), Some(keys::look_at(until)), after, limit, watched).await
    }
}
