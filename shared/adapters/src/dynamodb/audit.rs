//! The notes by which the audit finds sealed events, and how far the audit is.

use async_trait::async_trait;
use domain::value::{AccountId, Slot, Timestamp};
use ports::{Audit, EventPlace, PortResult, SealNote, SealNotes};
use serde::{Deserialize, Serialize};

use super::rows::to_item;
use super::{DynamoStore, as_item, keys};
use crate::aws::port_error;

/// A note as it is written. Of a note that is read, the key says whose and of when it is.
#[derive(Serialize)]
struct NoteRow {
    account: AccountId,
    occurred: u64,
    expires_at: u64,
}

/// A note as it is read.
#[derive(Deserialize)]
struct FoundRow {
    sk: String,
    /// The last event that was processed.
    #[serde(default)]
    after: Option<String>,
}

struct FoundNote {
    account: AccountId,
    occurred: Slot,
    after: Option<EventPlace>,
}

impl TryFrom<FoundRow> for FoundNote {
    type Error = &'static str;

    /// Without a place that is understood, the events are visited from the first: visiting one twice does no harm.
    fn try_from(row: FoundRow) -> Result<Self, &'static str> {
        let (account, occurred) = keys::seal_note_of(&row.sk).ok_or("its key is not that of a note")?;
        Ok(Self { account, occurred, after: row.after.and_then(|place| place.parse().ok()) })
    }
}

#[derive(Serialize, Deserialize)]
struct LastRow {
    slot: u64,
}

#[async_trait]
impl SealNotes for DynamoStore {
    async fn note_seal(&self, note: &SealNote, expires_at: Timestamp) -> PortResult<()> {
        let (account, occurred) = (note.account.clone(), note.occurred.0);
        let row = NoteRow { account, occurred, expires_at: expires_at.unix_seconds() };
        self.put(to_item(keys::seal_note(note), &row)?).await
    }
}

impl DynamoStore {
    /// Notes of a slot, sorted by key, each with the last event that was processed.
    pub(super) async fn notes(
        &self,
        sealed: Slot,
        after: Option<&SealNote>,
        limit: usize,
    ) -> PortResult<Vec<(SealNote, Option<EventPlace>)>> {
        let after = after.map(keys::seal_note);
        let rows: Vec<FoundNote> =
            self.query::<FoundRow, _>(keys::audit_pk(sealed), keys::SEALED, after, Some(limit)).await?;
        let note = |FoundNote { account, occurred, after }| (SealNote { sealed, account, occurred }, after);
        Ok(rows.into_iter().map(note).collect())
    }
}

#[async_trait]
impl Audit for DynamoStore {
    async fn last_audited(&self) -> PortResult<Option<Slot>> {
        Ok(self.get::<LastRow, LastRow>(keys::last_audited()).await?.map(|row| Slot(row.slot)))
    }

    async fn set_last_audited(&self, slot: Slot) -> PortResult<()> {
        self.put(to_item(keys::last_audited(), &LastRow { slot: slot.0 })?).await
    }

    async fn seal_notes(
        &self,
        sealed: Slot,
        after: Option<&SealNote>,
        limit: usize,
    ) -> PortResult<Vec<(SealNote, Option<EventPlace>)>> {
        self.notes(sealed, after, limit).await
    }

    async fn note_progress(&self, note: &SealNote, to: &EventPlace) -> PortResult<()> {
        let call = self.client.update_item().table_name(&self.table).set_key(Some(as_item(keys::seal_note(note))));
        let call = call.update_expression("SET #after = :to").expression_attribute_names("#after", "after");
        let to = aws_sdk_dynamodb::types::AttributeValue::S(to.to_string());
        let call = call.expression_attribute_values(":to", to).send().await;
        call.map(|_| ()).map_err(|error| port_error("noting how far the audit is", error))
    }

    async fn forget_note(&self, note: &SealNote) -> PortResult<()> {
        let call = self.client.delete_item().table_name(&self.table).set_key(Some(as_item(keys::seal_note(note))));
        call.send().await.map(|_| ()).map_err(|error| port_error("ending a note of the audit", error))
    }
}
