//! Which events the audit has to visit. The note of a seal is written before the seal, so that no crash can hide an
//! event from the audit.

use async_trait::async_trait;
use domain::value::{AccountId, Slot, Timestamp};

use super::PortResult;
use super::events::EventPlace;

/// Events of `account` that occurred in the slot `occurred` were sealed in the slot `sealed`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealNote {
    pub sealed: Slot,
    pub account: AccountId,
    pub occurred: Slot,
}

#[async_trait]
pub trait SealNotes: Send + Sync {
    /// Writes the note, whether or not it exists already.
    async fn note_seal(&self, note: &SealNote, expires_at: Timestamp) -> PortResult<()>;
}

#[async_trait]
pub trait Audit: Send + Sync {
    /// The last slot that was audited; none before the first audit.
    async fn last_audited(&self) -> PortResult<Option<Slot>>;
    async fn set_last_audited(&self, slot: Slot) -> PortResult<()>;
    /// At most `limit` notes of a slot, sorted by account, beginning after `after`, each with the last event that the
    /// audit has processed.
    async fn seal_notes(
        &self,
        sealed: Slot,
        after: Option<&SealNote>,
        limit: usize,
    ) -> PortResult<Vec<(SealNote, Option<EventPlace>)>>;
    /// Records that the note was processed up to this event.
    async fn note_progress(&self, note: &SealNote, to: &EventPlace) -> PortResult<()>;
    /// Deletes a note that was processed completely.
    async fn forget_note(&self, note: &SealNote) -> PortResult<()>;
}
