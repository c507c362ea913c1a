//! The notes by which the audit finds sealed events, and the progress of the audit.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::Settlement;
use domain::value::{AccountId, Span, Timestamp};
use ports::{Audit, ByShard, EventPlace, ListedNote, PortResult, SHARDS, SealNote, SealNotes};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::keys::Key;
use super::rows::{readable, to_attribute, to_item};
use super::{DynamoStore, as_item, keys, page_size};
use crate::aws::port_error;

/// A note as it is written. When a note is read, its key gives the account and the stretches.
#[derive(Serialize)]
struct NoteRow {
    account: AccountId,
    expires_at: u64,
}

/// A note as it is read.
#[derive(Deserialize)]
struct FoundRow {
    sk: String,
    /// The last event that was processed.
    #[serde(default)]
    after: Option<String>,
    /// What its events owed when all of it was delivered.
    #[serde(default)]
    settled: Option<ByteBuf>,
}

struct FoundNote(ListedNote);

impl TryFrom<FoundRow> for FoundNote {
    type Error = &'static str;

    /// If the place cannot be parsed, the events are visited from the first one: visiting an event twice does no harm. Without
    /// a settlement that is understood, each is visited.
    fn try_from(row: FoundRow) -> Result<Self, &'static str> {
        let note = keys::seal_note_of(&row.sk).ok_or("its key is not that of a note")?;
        let settled = row.settled.and_then(|digest| Some(Settlement(digest.as_slice().try_into().ok()?)));
        Ok(Self(ListedNote { note, after: row.after.and_then(|place| place.parse().ok()), settled }))
    }
}

/// A value for each shard. Each is an attribute of its own, so that storing one does not change the others.
#[derive(Deserialize)]
struct ShardsRow<T> {
    s0: Option<T>,
    s1: Option<T>,
    s2: Option<T>,
    s3: Option<T>,
    s4: Option<T>,
    s5: Option<T>,
    s6: Option<T>,
    s7: Option<T>,
}

impl<T> From<ShardsRow<T>> for ByShard<T> {
    fn from(row: ShardsRow<T>) -> Self {
        let values: [Option<T>; SHARDS as usize] = [row.s0, row.s1, row.s2, row.s3, row.s4, row.s5, row.s6, row.s7];
        (0..SHARDS).zip(values).filter_map(|(shard, value)| Some((shard, value?))).collect()
    }
}

impl DynamoStore {
    pub(super) async fn find_by_shard<T: DeserializeOwned>(&self, key: Key) -> PortResult<ByShard<T>> {
        Ok(self.get::<ShardsRow<T>, ByShard<T>>(key).await?.unwrap_or_default())
    }

    pub(super) async fn store_by_shard(&self, key: Key, values: &ByShard<impl Serialize>) -> PortResult<()> {
        let set: Vec<_> = values.keys().map(|shard| format!("s{shard} = :s{shard}")).collect();
        if set.is_empty() {
            return Ok(());
        }
        let call = self.client.update_item().table_name(&self.table).set_key(Some(as_item(key)));
        let mut call = call.update_expression(format!("SET {}", set.join(", ")));
        for (shard, value) in values {
            call = call.expression_attribute_values(format!(":s{shard}"), to_attribute(value)?);
        }
        call.send().await.map(|_| ()).map_err(|error| port_error("recording the progress of shards", error))
    }

    /// Sets an attribute of a note, unless it has been deleted: whoever processed it to the end did that, and it must not
    /// come back.
    async fn set_of_note(&self, note: &SealNote, name: &str, value: AttributeValue) -> PortResult<()> {
        let call = self.client.update_item().table_name(&self.table).set_key(Some(as_item(keys::seal_note(note))));
        let call = call.update_expression("SET #name = :value").expression_attribute_names("#name", name);
        let call = call.condition_expression("attribute_exists(pk)").expression_attribute_values(":value", value);
        match call.send().await {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            other => other.map(|_| ()).map_err(|error| port_error("recording the progress of a note", error)),
        }
    }
}

#[async_trait]
impl SealNotes for DynamoStore {
    async fn note_seal(&self, note: &SealNote, expires_at: Timestamp) -> PortResult<()> {
        let row = NoteRow { account: note.account.clone(), expires_at: expires_at.unix_seconds() };
        self.put(to_item(keys::seal_note(note), &row)?).await
    }
}

#[async_trait]
impl Audit for DynamoStore {
    async fn audited_until(&self) -> PortResult<ByShard<Timestamp>> {
        let shards = self.find_by_shard::<u64>(keys::audited_until()).await?;
        Ok(shards.into_iter().map(|(shard, until)| (shard, Timestamp::from_unix_ms(until))).collect())
    }

    async fn set_audited_until(&self, shards: &ByShard<Timestamp>) -> PortResult<()> {
        let shards: ByShard<u64> = shards.iter().map(|(shard, until)| (*shard, until.unix_ms())).collect();
        self.store_by_shard(keys::audited_until(), &shards).await
    }

    async fn seal_notes(
        &self,
        shard: u8,
        ended: Span,
        after: Option<&SealNote>,
        limit: usize,
    ) -> PortResult<Vec<ListedNote>> {
        // The service refuses a range that ends before it begins, or before the row that it starts after.
        if ended.since >= ended.until || after.is_some_and(|after| after.sealed.until > ended.until) {
            return Ok(Vec::new());
        }
        let (mut found, mut start) = (Vec::new(), after.map(|note| as_item(keys::seal_note(note))));
        loop {
            let size = page_size(limit, found.len());
            let call = self.client.query().table_name(&self.table).limit(size).set_exclusive_start_key(start);
            let text = AttributeValue::S;
            let call = call.key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to");
            let call = call.expression_attribute_values(":pk", text(keys::seal_notes_pk(shard)));
            let call = call.expression_attribute_values(":from", text(keys::sealed_until(ended.since)));
            let call = call.expression_attribute_values(":to", text(keys::sealed_until(ended.until)));
            let page = call.send().await.map_err(|error| port_error("listing notes of seals", error))?;
            found.extend(readable::<FoundRow, FoundNote>(page.items.unwrap_or_default()));
            start = page.last_evaluated_key;
            if start.is_none() || found.len() >= limit {
                found.truncate(limit);
                return Ok(found.into_iter().map(|FoundNote(listed)| listed).collect());
            }
        }
    }

    async fn note_progress(&self, note: &SealNote, to: &EventPlace) -> PortResult<()> {
        self.set_of_note(note, "after", AttributeValue::S(to.to_string())).await
    }

    async fn note_settled(&self, note: &SealNote, settled: &Settlement) -> PortResult<()> {
        self.set_of_note(note, "settled", AttributeValue::B(Blob::new(settled.0))).await
    }

    async fn forget_note(&self, note: &SealNote) -> PortResult<()> {
        let call = self.client.delete_item().table_name(&self.table).set_key(Some(as_item(keys::seal_note(note))));
        call.send().await.map(|_| ()).map_err(|error| port_error("ending a note of the audit", error))
    }

    async fn move_old_notes(&self, slot: Duration, until: Timestamp) -> PortResult<()> {
        self.move_notes_of_slots(slot, until).await
    }
}
