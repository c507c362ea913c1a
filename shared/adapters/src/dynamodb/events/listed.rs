//! Events in lists, from the index `events-by-account`.
//!
//! Invariant: an entry of the index is below a kilobyte, however long its names are (tests:
//! `an_entry_of_the_index_stays_below_a_kilobyte_however_long_its_names_are`).

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, Timestamp};
use ports::{EventPlace, ListEvents, ListedEvent, Order, PortError, PortResult, Span};
use serde::Deserialize;

use super::row::unmatched;
use crate::dynamodb::stretch::Stretch;
use crate::dynamodb::{DynamoStore, Reads, as_item, keys};

/// The part of an event that is in the index. Id and time are in its sort key.
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
        order: Order,
        after: Option<&EventPlace>,
        limit: usize,
    ) -> PortResult<Vec<ListedEvent>> {
        self.query_stretch::<EventEntry, _>(of_index(account, span, order, after, limit)).await
    }
}

fn of_index(account: &AccountId, span: Span, order: Order, after: Option<&EventPlace>, limit: usize) -> Stretch {
    let pk = keys::listed_events_pk(account);
    let after = after.map(|place| {
        let (mut row, sk) = (as_item(keys::event(account, &place.id)), keys::listed_event_sk(place));
        for (name, value) in keys::INDEX_KEYS.into_iter().zip([pk.clone(), sk.clone()]) {
            row.insert(name.to_owned(), AttributeValue::S(value));
        }
        (sk, row)
    });
    let all = [span.since, span.until].map(keys::listed_events_from);
    let all = Stretch::of_rows(Reads::Cheaply, pk, all, order, limit);
    Stretch { index: Some(keys::EVENTS_BY_ACCOUNT), names: keys::INDEX_KEYS, ..all }.after(after)
}

#[cfg(test)]
mod tests {
    use ports::{SealedEvent, UnmatchedReason};

    use super::super::body::Form;
    use super::super::row::EventRow;
    use super::*;
    use crate::dynamodb::rows::to_item;

    /// What the template projects beside the keys.
    const PROJECTED: [&str; 6] = ["event_type", "scope", "sealed_at", "owed_count", "unmatched", "expires_at"];

    fn bytes(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len(),
            // An upper bound: a byte for two digits, and one more.
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
            traceparent: None,
            unmatched: Some(UnmatchedReason::NoSubscription),
            expires_at: at,
        };
        let item = to_item(keys::event(&event.account, &event.id), &EventRow::split(&event, Form::Plain).own)
            .expect("an item");
        let keys = ["pk", "sk"].into_iter().chain(keys::INDEX_KEYS);
        let size = |name: &str| match item.get(name) {
            Some(value) if bytes(value) > 0 => name.len() + bytes(value),
            other => panic!("{name} is {other:?}"),
        };
        let size: usize = keys.chain(PROJECTED).map(size).sum();
        assert!(size < 1_024, "{size}");
    }
}
