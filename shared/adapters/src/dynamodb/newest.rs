//! The ledger in lists: events by the index `events-by-account`, deliveries by the sort key of their own rows. Neither reads
//! consistently, and no list has an index on deliveries.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::DeliveryRecord;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{EventPlace, ListDeliveries, ListEvents, ListedEvent, OlderThan, PortError, PortResult, Span};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::keys;
use super::ledger_rows::{DeliveryRow, unmatched};
use super::rows::from_item;
use super::{DynamoStore, Item, as_item};
use crate::aws::port_error;

/// Part of a partition, to be read from its end: sort keys from `from` to `to`, both included, without that of `after`.
pub(super) struct Newest {
    pub(super) index: Option<&'static str>,
    pub(super) names: [&'static str; 2],
    pub(super) pk: String,
    pub(super) from: String,
    pub(super) to: String,
    /// The primary and the index key of the row that was read last. Its sort key is `to`.
    pub(super) after: Option<Item>,
    pub(super) limit: usize,
    /// The attributes that are wanted, where not all are. It costs the same, and less has to be carried.
    pub(super) only: &'static [&'static str],
}

impl Newest {
    /// Deliveries of one destination.
    pub(super) fn deliveries(
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> Self {
        let sk = |id: &str| format!("{}{id}", keys::DELIVERIES);
        let (to, after) = match older {
            OlderThan::Time(time) => (sk(&DeliveryId::first_possible(destination, *time)), None),
            OlderThan::Delivery(id) => (sk(id.as_str()), Some(as_item(keys::delivery(account, id)))),
        };
        let (pk, from) =
            (keys::deliveries_pk(account, destination), sk(&DeliveryId::first_possible(destination, since)));
        Self { index: None, names: ["pk", "sk"], pk, from, to, after, limit, only: &[] }
    }
}

impl DynamoStore {
    pub(super) async fn query_newest<T: DeserializeOwned>(&self, what: Newest) -> PortResult<Vec<T>> {
        // The service refuses a range that is the wrong way round; it holds nothing.
        if what.from > what.to {
            return Ok(Vec::new());
        }
        let (mut found, mut start) = (Vec::new(), what.after);
        loop {
            let left = i32::try_from(what.limit - found.len()).unwrap_or(i32::MAX);
            let call = self.client.query().table_name(&self.table).set_index_name(what.index.map(str::to_owned));
            let call = call.scan_index_forward(false).limit(left).set_exclusive_start_key(start);
            let call = call.key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to");
            let call = call.expression_attribute_names("#pk", what.names[0]);
            let call = call.expression_attribute_names("#sk", what.names[1]);
            let call = call.expression_attribute_values(":pk", AttributeValue::S(what.pk.clone()));
            let call = call.expression_attribute_values(":from", AttributeValue::S(what.from.clone()));
            let call = call.expression_attribute_values(":to", AttributeValue::S(what.to.clone()));
            let placeholders: Vec<_> = (0..what.only.len()).map(|n| format!("#f{n}")).collect();
            let call = call.set_projection_expression((!what.only.is_empty()).then(|| placeholders.join(", ")));
            let named = placeholders.into_iter().zip(what.only);
            let call =
                named.fold(call, |call, (placeholder, name)| call.expression_attribute_names(placeholder, *name));
            let page = call.send().await.map_err(|error| port_error("listing rows", error))?;
            for item in page.items.unwrap_or_default() {
                found.push(from_item(item)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() || found.len() >= what.limit {
                return Ok(found);
            }
        }
    }
}

/// What the index keeps of an event. Id and time are in its sort key.
#[derive(Deserialize)]
struct EventEntry {
    gsi1sk: String,
    event_type: EventType,
    scope: Scope,
    sealed_at: Timestamp,
    owed_count: usize,
    #[serde(default)]
    unmatched: Option<String>,
    expires_at: u64,
}

impl TryFrom<EventEntry> for ListedEvent {
    type Error = PortError;

    fn try_from(entry: EventEntry) -> PortResult<Self> {
        let place = keys::listed_event_place(&entry.gsi1sk);
        Ok(Self {
            place: place.ok_or_else(|| PortError::permanent("reading a row", "no place in the index"))?,
            event_type: entry.event_type,
            scope: entry.scope,
            sealed_at: entry.sealed_at,
            owed_count: entry.owed_count,
            unmatched: unmatched(entry.unmatched.as_deref())?,
            expires_at: Timestamp::from_unix_ms(entry.expires_at * 1000),
        })
    }
}

#[async_trait]
impl ListEvents for DynamoStore {
    async fn list_events(
        &self,
        account: &AccountId,
        span: Span,
        after: Option<&EventPlace>,
        limit: usize,
    ) -> PortResult<Vec<ListedEvent>> {
        let pk = keys::listed_events_pk(account);
        let until = keys::listed_events_from(span.until);
        let after = after.map(|place| (keys::listed_event_sk(place), keys::event(account, &place.id)));
        let (to, after) = match after {
            Some((sk, row)) if sk < until => {
                let mut key = as_item(row);
                for (name, value) in keys::INDEX_KEYS.into_iter().zip([pk.clone(), sk.clone()]) {
                    key.insert(name.to_owned(), AttributeValue::S(value));
                }
                (sk, Some(key))
            }
            _ => (until, None),
        };
        let from = keys::listed_events_from(span.since);
        let (index, names) = (Some(keys::EVENTS_BY_ACCOUNT), keys::INDEX_KEYS);
        let entries: Vec<EventEntry> =
            self.query_newest(Newest { index, names, pk, from, to, after, limit, only: &[] }).await?;
        entries.into_iter().map(ListedEvent::try_from).collect()
    }
}

#[async_trait]
impl ListDeliveries for DynamoStore {
    async fn list_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> PortResult<Vec<DeliveryRecord>> {
        let what = Newest::deliveries(account, destination, since, older, limit);
        let rows: Vec<DeliveryRow> = self.query_newest(what).await?;
        Ok(rows.into_iter().map(DeliveryRecord::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use ports::{SealedEvent, UnmatchedReason};

    use super::*;
    use crate::dynamodb::ledger_rows::EventRow;
    use crate::dynamodb::rows::to_item;

    /// What the template projects beside the keys.
    const PROJECTED: [&str; 6] = ["event_type", "scope", "sealed_at", "owed_count", "unmatched", "expires_at"];

    fn bytes(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len(),
            // At most: two digits a byte, and one more.
            AttributeValue::N(digits) => digits.len() / 2 + 2,
            _ => 0,
        }
    }

    #[test]
    fn an_entry_of_the_index_stays_below_a_kilobyte_however_long_its_names_are() {
        let (name, at) = ("n".repeat(128), Timestamp::from_unix_ms(u64::MAX));
        let event = SealedEvent {
            account: "a".repeat(64).parse().expect("an account"),
            id: name.parse().expect("an id"),
            event_type: "insight_population.completed".parse().expect("a type"),
            scope: format!("connection/{name}/endpoint/{name}").parse().expect("a scope"),
            occurred_at: at,
            sealed_at: at,
            digest: [0; 32],
            body: String::new(),
            owed: Vec::new(),
            unmatched: Some(UnmatchedReason::NoSubscription),
            expires_at: at,
        };
        let item = to_item(keys::event(&event.account, &event.id), &EventRow::split(&event).0).expect("an item");
        let keys = ["pk", "sk"].into_iter().chain(keys::INDEX_KEYS);
        let size = |name: &str| match item.get(name) {
            Some(value) if bytes(value) > 0 => name.len() + bytes(value),
            other => panic!("{name} is {other:?}"),
        };
        let size: usize = keys.chain(PROJECTED).map(size).sum();
        assert!(size < 1_024, "{size}");
    }
}
