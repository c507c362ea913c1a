//! Sealed events: a row each, further rows if one owes more than fits in that, and an entry in the index
//! `events-by-account`, by which they are listed. The index is not consistent.
//!
//! Two containers may seal one event at once, and then may owe different deliveries: a subscription was added between
//! them. Further rows are written first, so each seal has its own, named by what they hold, and the event's own row
//! names the seal that they are of. Those of a seal that came too late are read by nobody and expire.
//!
//! A body that is longer than 2,560 bytes is in a row of its own, named by its digest and written first: what an event
//! owes is read without it, for one read unit and not for up to 64. Rows of an earlier release have any body inside.
//!
//! Invariant: further rows belong to one seal, and equal seals write equal rows (tests:
//! `the_further_rows_of_two_seals_do_not_mix`, `further_rows_of_before_are_found_under_their_keys`).
//!
//! Invariant: what a narrow event owes is read for one read unit, however long its body is (tests:
//! `what_an_event_owes_is_read_for_one_unit_however_long_its_body_is`,
//! `a_body_of_before_is_in_the_row_however_long`).
//!
//! A wide event is sealed before it is sent. Its own row says so, and how far it was sent is in a row of its own
//! ([`sending`]), so that noting that never rewrites what the event owes.
//!
//! Invariant: an entry of the index of events is below a kilobyte, however long its names are (tests:
//! `an_entry_of_the_index_stays_below_a_kilobyte_however_long_its_names_are`).

mod row;
mod sending;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use domain::delivery::Delivery;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, EventId, Timestamp};
use ports::{
    EventPlace, Events, ListEvents, ListedEvent, Order, OweMore, PortError, PortResult, Seal, Sealed, SealedEvent,
    Span, read_units,
};
use serde::{Deserialize, Serialize};

use self::row::{EventRow, OwedRow, OwedRows, SealRow, unmatched};
use super::rows::{Unreadable, read, to_item};
use super::stretch::Stretch;
use super::{DynamoStore, Reads, Written, as_item, cost_wanted, count, keys};
use crate::aws::{build_error, port_error};

/// The part of an event's row that is sent, or where that is.
#[derive(Deserialize)]
struct BodyPart {
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_name: Option<String>,
}

/// A body in a row of its own.
#[derive(Serialize, Deserialize)]
struct BodyRow {
    body: String,
    expires_at: u64,
}

/// What a further row of what an event owes costs at most, in read units.
const FURTHER_UNITS: usize = 96;

#[async_trait]
impl Events for DynamoStore {
    async fn find_event(&self, account: &AccountId, id: &EventId) -> PortResult<Option<SealedEvent>> {
        Ok(self.find_event_with(account, id, usize::MAX).await?.map(|(event, _)| event))
    }

    async fn find_event_with(
        &self,
        account: &AccountId,
        id: &EventId,
        most: usize,
    ) -> PortResult<Option<(SealedEvent, usize)>> {
        let key = keys::event(account, id);
        let Some(row) = self.get::<EventRow, EventRow>(key.clone()).await? else { return Ok(None) };
        let body = match &row.body_name {
            Some(name) => self.body_named(account, id, name).await?,
            None => None,
        };
        let mut further = Vec::new();
        for key in row.further_keys() {
            if row.owed.len() + further.len() >= most || read_units::left_for(FURTHER_UNITS) == 0 {
                break;
            }
            let rows = self.get::<OwedRows, OwedRows>(key).await?;
            let missing = || PortError::permanent("reading an event", "a row of what it owes is missing");
            further.extend(rows.ok_or_else(missing)?.owed);
        }
        let owed_count = row.owed_count.max(row.owed.len() + further.len());
        let event = row.join(further, body).map_err(|error| Unreadable::new(&key, error))?;
        Ok(Some((event, owed_count)))
    }

    async fn find_body(&self, account: &AccountId, id: &EventId) -> PortResult<Option<String>> {
        let call = self.client.get_item().table_name(&self.table).set_key(Some(as_item(keys::event(account, id))));
        let call = call.projection_expression("pk, sk, body, body_name").consistent_read(true);
        let call = call.set_return_consumed_capacity(cost_wanted()).send().await;
        let answer = call.map_err(|error| port_error("reading a body", error))?;
        count(answer.consumed_capacity());
        match answer.item.map(read::<BodyPart, BodyPart>).transpose()? {
            Some(BodyPart { body_name: Some(name), .. }) => self.body_named(account, id, &name).await,
            Some(BodyPart { body: Some(body), .. }) => Ok(Some(body)),
            Some(_) => Err(Unreadable::new(&keys::event(account, id), "it has no body").into()),
            None => Ok(None),
        }
    }

    async fn seal_event(&self, event: &SealedEvent) -> PortResult<Sealed> {
        let (row, further) = EventRow::split(event);
        self.seal(row, further, &event.body).await
    }
}

#[async_trait]
impl OweMore for DynamoStore {
    async fn add_owed(&self, known: &SealedEvent, more: &[Delivery]) -> PortResult<bool> {
        let Some(row) = self.get::<EventRow, EventRow>(keys::event(&known.account, &known.id)).await? else {
            return Ok(false);
        };
        let (mut rows, mut count) = (row.owed_rows, row.owed_count);
        if count != known.owed.len() {
            return Ok(false);
        }
        // Each further row is written together with the event's own, which counts it.
        for further in OwedRows::of(more, row.expires_at).filter(|further| !further.owed.is_empty()) {
            let added = count + further.owed.len();
            let key = keys::owed(&known.account, &known.id, row.owed_seal.as_deref(), rows);
            let parts =
                vec![self.overwrite_part(to_item(key, &further)?)?, self.owe_more_part(known, (rows, count), added)?];
            if !self.transact(parts).await?.is_empty() {
                return Ok(false);
            }
            (rows, count) = (rows + 1, added);
        }
        Ok(true)
    }
}

impl DynamoStore {
    async fn body_named(&self, account: &AccountId, id: &EventId, name: &str) -> PortResult<Option<String>> {
        Ok(self.get::<BodyRow, BodyRow>(keys::body(account, id, name)).await?.map(|row| row.body))
    }

    /// Writes the rows of an event, unless it is sealed already.
    async fn seal(&self, row: EventRow, further: Vec<Vec<OwedRow>>, body: &str) -> PortResult<Sealed> {
        let key = row.key();
        if !further.is_empty()
            && let Some(before) = self.get::<SealRow, Seal>(key.clone()).await?
        {
            return Ok(Sealed::Before { digest: before.digest });
        }
        // The other rows are written first: once the event's own row exists, everything it refers to exists.
        if let Some(key) = row.body_key() {
            self.put(to_item(key, &BodyRow { body: body.to_owned(), expires_at: row.expires_at })?).await?;
        }
        for (key, owed) in row.further_keys().zip(further) {
            self.put(to_item(key, &OwedRows { owed, expires_at: row.expires_at })?).await?;
        }
        let before = match self.inserts.ask(to_item(key.clone(), &row)?).await? {
            Written::Written => return Ok(Sealed::Sealed),
            Written::Refused(Some(before)) => Some(read::<SealRow, Seal>(*before)?),
            // An event that was sealed with others does not tell what was there.
            Written::Refused(None) => self.get::<SealRow, Seal>(key).await?,
        };
        let gone = || PortError::transient("sealing an event", "the row before is gone");
        Ok(Sealed::Before { digest: before.ok_or_else(gone)?.digest })
    }

    /// Adds one to the number of further rows and sets the number of deliveries to `added`, if both are still as
    /// before.
    fn owe_more_part(
        &self,
        event: &SealedEvent,
        (rows, count): (usize, usize),
        added: usize,
    ) -> PortResult<TransactWriteItem> {
        let number = |n: usize| AttributeValue::N(n.to_string());
        let key = as_item(keys::event(&event.account, &event.id));
        let update = Update::builder().table_name(&self.table).set_key(Some(key));
        let update = update.update_expression("SET owed_rows = :more, owed_count = :added REMOVE unmatched");
        let update = update.condition_expression("owed_rows = :rows AND owed_count = :count");
        let update = update.expression_attribute_values(":more", number(rows + 1));
        let update = update.expression_attribute_values(":added", number(added));
        let update = update.expression_attribute_values(":rows", number(rows));
        let update = update.expression_attribute_values(":count", number(count));
        Ok(TransactWriteItem::builder().update(update.build().map_err(build_error)?).build())
    }
}

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
    use ports::UnmatchedReason;

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
