//! The notes of the audit in memory.

use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::Settlement;
use domain::value::{Span, Timestamp};
use ports::{Audit, ByShard, EventPlace, ListedNote, PortResult, SealNote, SealNotes};

use super::MemoryStore;

#[async_trait]
impl SealNotes for MemoryStore {
    async fn note_seal(&self, note: &SealNote, _expires_at: Timestamp) -> PortResult<()> {
        // As in the table, writing the note again lets the audit start from its beginning.
        self.call("note_seal")?.seal_notes.insert(note.clone(), note.clone().into());
        Ok(())
    }
}

#[async_trait]
impl Audit for MemoryStore {
    async fn audited_until(&self) -> PortResult<ByShard<Timestamp>> {
        Ok(self.call("audited_until")?.audited_until.clone())
    }

    async fn set_audited_until(&self, shards: &ByShard<Timestamp>) -> PortResult<()> {
        self.call("set_audited_until")?.audited_until.extend(shards);
        Ok(())
    }

    async fn seal_notes(
        &self,
        shard: u8,
        ended: Span,
        after: Option<&SealNote>,
        limit: usize,
    ) -> PortResult<Vec<ListedNote>> {
        let rows = self.call("seal_notes")?;
        let notes = rows.seal_notes.iter().filter(|(note, _)| note.shard() == shard);
        let notes = notes.filter(|(note, _)| note.sealed.until > ended.since && note.sealed.until <= ended.until);
        let notes = notes.filter(|(note, _)| after.is_none_or(|after| *note > after)).take(limit);
        Ok(notes.map(|(_, listed)| listed.clone()).collect())
    }

    async fn note_progress(&self, note: &SealNote, to: &EventPlace) -> PortResult<()> {
        if let Some(listed) = self.call("note_progress")?.seal_notes.get_mut(note) {
            listed.after = Some(to.clone());
        }
        Ok(())
    }

    async fn note_settled(&self, note: &SealNote, settled: &Settlement) -> PortResult<()> {
        if let Some(listed) = self.call("note_settled")?.seal_notes.get_mut(note) {
            listed.settled = Some(*settled);
        }
        Ok(())
    }

    async fn forget_note(&self, note: &SealNote) -> PortResult<()> {
        self.call("forget_note")?.seal_notes.remove(note);
        Ok(())
    }

    /// No older release ever wrote into this memory.
    async fn move_old_notes(&self, _slot: Duration, _until: Timestamp) -> PortResult<()> {
        self.call("move_old_notes").map(drop)
    }
}
