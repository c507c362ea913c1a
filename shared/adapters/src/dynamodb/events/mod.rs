//! Sealed events: a row each, further rows if one owes more than fits in that, and an entry in the index
//! `events-by-account`, by which they are listed. The index is not consistent.
//!
//! Two containers may seal one event at once, and then may owe different deliveries: a subscription was added between
//! them. Further rows are written first, so each seal has its own, named by what they hold, and the event's own row
//! names the seal that they are of. Those of a seal that came too late are read by nobody and expire.
//!
//! A body that takes more than 2,560 bytes is in a row of its own, named by its digest and written first: what an event
//! owes is read without it, for one read unit and not for up to 64. Rows of an earlier release have any body inside.
//!
//! Version 0.2.0 reads bodies as text alone, so they are written compact ([`body`]) only where the operator says so; both
//! forms are always read.
//!
//! Invariant: unless the operator says otherwise, rows are as version 0.2.0 writes them (tests:
//! `in_the_plain_form_a_row_has_what_it_had`).
//!
//! Invariant: a compact body that cannot be read fails by its key, and nothing of its event is lost (tests:
//! `a_compact_body_that_cannot_be_read_fails_by_its_key_and_its_event_stays_sealed`).
//!
//! Invariant: in the compact form, an event with a body of a kilobyte that owes three deliveries is written for one
//! unit (tests: `a_kilobyte_that_is_owed_three_times_is_written_for_one_unit`).
//!
//! Invariant: further rows belong to one seal, and equal seals write equal rows (tests:
//! `the_further_rows_of_two_seals_do_not_mix`, `further_rows_of_before_are_found_under_their_keys`).
//!
//! Invariant: what a narrow event owes is read for one read unit, however long its body is (tests:
//! `what_an_event_owes_is_read_for_one_unit_however_long_its_body_is`,
//! `a_body_of_before_is_in_the_row_however_long`).
//!
//! A wide event is sealed before it is sent. Its own row says so, and how far it was sent is in a row of its own
//! ([`sending`]), so that noting that never rewrites what the event owes. Lists are in [`listed`].

mod body;
mod listed;
mod row;
mod sending;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use domain::delivery::{Delivery, RollUp};
use domain::value::{AccountId, EventId, Timestamp};
use ports::{Events, OweMore, PortError, PortResult, Seal, Sealed, SealedEvent, read_units};
use serde::Deserialize;
use serde_bytes::ByteBuf;

pub(super) use self::body::Form;
use self::body::StoredBody;
use self::row::{BodyRow, EventRow, OwedRows, Rows, SealRow};
use super::rows::{Unreadable, read, to_item};
use super::{DynamoStore, Written, as_item, cost_wanted, count, keys};
use crate::aws::{build_error, port_error};

/// The part of an event's row that is sent, or where that is.
#[derive(Deserialize)]
struct BodyPart {
    #[serde(default)]
    digest: ByteBuf,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_z: Option<ByteBuf>,
    #[serde(default)]
    body_name: Option<String>,
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
        for key in row.further_keys(account, id) {
            if row.owed.len() + further.len() >= most || read_units::left_for(FURTHER_UNITS) == 0 {
                break;
            }
            let rows = self.get::<OwedRows, OwedRows>(key).await?;
            let missing = || PortError::permanent("reading an event", "a row of what it owes is missing");
            further.extend(rows.ok_or_else(missing)?.owed);
        }
        let owed_count = row.owed_count.max(row.owed.len() + further.len());
        let event = row.join((account, id), further, body).map_err(|error| Unreadable::new(&key, error))?;
        Ok(Some((event, owed_count)))
    }

    async fn find_body(&self, account: &AccountId, id: &EventId) -> PortResult<Option<String>> {
        let call = self.client.get_item().table_name(&self.table).set_key(Some(as_item(keys::event(account, id))));
        let call = call.projection_expression("pk, sk, digest, body, body_z, body_name").consistent_read(true);
        let call = call.set_return_consumed_capacity(cost_wanted()).send().await;
        let answer = call.map_err(|error| port_error("reading a body", error))?;
        count(answer.consumed_capacity());
        let Some(part) = answer.item.map(read::<BodyPart, BodyPart>).transpose()? else { return Ok(None) };
        let mut key = keys::event(account, id);
        let body = match part.body_name {
            Some(name) => {
                key = keys::body(account, id, &name);
                let Some(body) = self.body_named(account, id, &name).await? else { return Ok(None) };
                body
            }
            None => StoredBody::from_attributes(part.body, part.body_z)
                .ok_or_else(|| Unreadable::new(&key, "it has no body"))?,
        };
        Ok(Some(body.into_text(&part.digest).map_err(|fault| Unreadable::new(&key, fault))?))
    }

    async fn seal_event(&self, event: &SealedEvent) -> PortResult<Sealed> {
        self.seal(event, EventRow::split(event, self.form)).await
    }
}

#[async_trait]
impl OweMore for DynamoStore {
    async fn add_owed(&self, known: &SealedEvent, more: &[Delivery], now: Timestamp) -> PortResult<bool> {
        let Some(row) = self.get::<EventRow, EventRow>(keys::event(&known.account, &known.id)).await? else {
            return Ok(false);
        };
        let (mut rows, mut count) = (row.owed_rows, row.owed_count);
        if count != known.owed.len() {
            return Ok(false);
        }
        // First, so that a crash cannot come in between: what is added is added again, and held again.
        self.hold_roll_ups(more, RollUp::hold_at(now)).await?;
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
    async fn body_named(&self, account: &AccountId, id: &EventId, name: &str) -> PortResult<Option<StoredBody>> {
        let key = keys::body(account, id, name);
        let Some(row) = self.get::<BodyRow, BodyRow>(key.clone()).await? else { return Ok(None) };
        Ok(Some(row.into_body().ok_or_else(|| Unreadable::new(&key, "it has no body"))?))
    }

    /// Writes the rows of an event, unless it is sealed already.
    async fn seal(&self, event: &SealedEvent, rows: Rows) -> PortResult<Sealed> {
        let Rows { own: row, further, body } = rows;
        let (account, id) = (&event.account, &event.id);
        let key = keys::event(account, id);
        if !further.is_empty()
            && let Some(before) = self.get::<SealRow, Seal>(key.clone()).await?
        {
            return Ok(Sealed::Before { digest: before.digest });
        }
        // The other rows are written first: once the event's own row exists, everything it refers to exists.
        if let Some((key, body)) = row.body_key(account, id).zip(body) {
            self.put(to_item(key, &body)?).await?;
        }
        for (key, owed) in row.further_keys(account, id).zip(further) {
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

#[cfg(test)]
mod tests;
