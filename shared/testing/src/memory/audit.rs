//! The notes of the audit in memory.

use async_trait::async_trait;
use domain::value::{Slot, Timestamp};
use ports::{Audit, EventPlace, PortResult, SealNote, SealNotes};

use super::MemoryStore;

#[async_trait]
impl SealNotes for MemoryStore {
    async fn note_seal(&self, note: &SealNote, _expires_at: Timestamp) -> PortResult<()> {
        // As in the table, writing the note again lets the audit start over with it.
        self.call("note_seal")?.seal_notes.insert(note.clone(), None);
        Ok(())
    }
}

#[async_trait]
impl Audit for MemoryStore {
    async fn last_audited(&self) -> PortResult<Option<Slot>> {
        Ok(self.call("last_audited")?.last_audited)
    }

    async fn set_last_audited(&self, slot: Slot) -> PortResult<()> {
        self.call("set_last_audited")?.last_audited = Some(slot);
        Ok(())
    }

    async fn seal_notes(
        &self,
        sealed: Slot,
        after: Option<&SealNote>,
        limit: usize,
    ) -> PortResult<Vec<(SealNote, Option<EventPlace>)>> {
        let rows = self.call("seal_notes")?;
        let notes = rows.seal_notes.iter().filter(|(note, _)| note.sealed == sealed);
        let notes = notes.filter(|(note, _)| after.is_none_or(|after| *note > after)).take(limit);
        Ok(notes.map(|(note, after)| (note.clone(), after.clone())).collect())
    }

    async fn note_progress(&self, note: &SealNote, to: &EventPlace) -> PortResult<()> {
        self.call("note_progress")?.seal_notes.insert(note.clone(), Some(to.clone()));
        Ok(())
    }

    async fn forget_note(&self, note: &SealNote) -> PortResult<()> {
        self.call("forget_note")?.seal_notes.remove(note);
        Ok(())
    }
}
