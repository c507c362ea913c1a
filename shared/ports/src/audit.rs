//! Which events the audit has to visit. A seal is noted before it is made, so no crash can hide an event from the audit.

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
    /// Notes it, whether or not it is noted already.
    async fn note_seal(&self, note: &SealNote, expires_at: Timestamp) -> PortResult<()>;
}

#[async_trait]
pub trait Audit: Send + Sync {
    /// The last slot that was gone through; none before the first audit.
    async fn last_audited(&self) -> PortResult<Option<Slot>>;
    async fn set_last_audited(&self, slot: Slot) -> PortResult<()>;
    /// At most `limit` notes of a slot, each with the event it was gone through to.
    async fn seal_notes(&self, sealed: Slot, limit: usize) -> PortResult<Vec<(SealNote, Option<EventPlace>)>>;
    /// The note was gone through to this event.
    async fn note_progress(&self, note: &SealNote, to: &EventPlace) -> PortResult<()>;
    /// The note was gone through to its end.
    async fn forget_note(&self, note: &SealNote) -> PortResult<()>;
}
