//! Which events the audit has to visit. A note about a seal is written before the seal, so that a crash cannot hide an
//! event from the audit.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::Settlement;
use domain::value::{AccountId, Span, Timestamp, spread};

use super::events::EventPlace;
use super::{PortResult, SHARDS};

/// Says that events of `account` which occurred during `occurred` were sealed during `sealed`. The note has the start
/// and end of both stretches, so it stays valid if the length of stretches changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SealNote {
    pub sealed: Span,
    pub account: AccountId,
    pub occurred: Span,
}

impl SealNote {
    /// The shard of an account's notes.
    pub fn shard_of(account: &AccountId) -> u8 {
        u8::try_from(spread(account.as_str(), u16::from(SHARDS))).unwrap_or_default()
    }

    pub fn shard(&self) -> u8 {
        Self::shard_of(&self.account)
    }
}

/// The order of lists: by the time of the seal, and within a stretch by account.
impl Ord for SealNote {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |note: &Self| (note.sealed.until, note.sealed.since, note.occurred);
        let (mine, theirs) = (place(self), place(other));
        (mine.0, mine.1, &self.account, mine.2).cmp(&(theirs.0, theirs.1, &other.account, theirs.2))
    }
}

impl PartialOrd for SealNote {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A note as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedNote {
    pub note: SealNote,
    /// The last event that the audit has processed.
    pub after: Option<EventPlace>,
    /// What its events owed when all of it was delivered, if that was seen.
    pub settled: Option<Settlement>,
}

impl From<SealNote> for ListedNote {
    fn from(note: SealNote) -> Self {
        Self { note, after: None, settled: None }
    }
}

/// A value for each shard; shards without one are left out.
pub type ByShard<T> = BTreeMap<u8, T>;

#[async_trait]
pub trait SealNotes: Send + Sync {
    /// Writes the note, whether or not it exists already. Its progress and its settlement are lost.
    async fn note_seal(&self, note: &SealNote, expires_at: Timestamp) -> PortResult<()>;
}

#[async_trait]
pub trait Audit: Send + Sync {
    /// The time up to which each shard is audited: no note is left of a stretch that ended by then.
    async fn audited_until(&self) -> PortResult<ByShard<Timestamp>>;
    /// Stores this time for some shards, in one write.
    async fn set_audited_until(&self, shards: &ByShard<Timestamp>) -> PortResult<()>;
    /// At most `limit` notes of a shard after `after`, in order, whose stretches ended after `ended.since` and by
    /// `ended.until`.
    async fn seal_notes(
        &self,
        shard: u8,
        ended: Span,
        after: Option<&SealNote>,
        limit: usize,
    ) -> PortResult<Vec<ListedNote>>;
    /// Records that the note was processed up to this event. Does nothing if the note has been deleted.
    async fn note_progress(&self, note: &SealNote, to: &EventPlace) -> PortResult<()>;
    /// Records that everything its events owe was delivered. Does nothing if the note has been deleted.
    async fn note_settled(&self, note: &SealNote, settled: &Settlement) -> PortResult<()>;
    /// Deletes a note that was processed completely.
    async fn forget_note(&self, note: &SealNote) -> PortResult<()>;
    /// Moves notes of an older release, which used slots of this length, to where notes are now, if they ended by
    /// `until`. It also returns an error if there are more of them.
    async fn move_old_notes(&self, slot: Duration, until: Timestamp) -> PortResult<()>;
}
