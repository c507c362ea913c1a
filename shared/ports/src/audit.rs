//! Which events the audit has to visit. The note of a seal is written before the seal, so that no crash can hide an
//! event from the audit.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use domain::value::{AccountId, Span, Timestamp, spread};

use super::events::EventPlace;
use super::{PortResult, SHARDS};

/// Events of `account` that occurred in the stretch `occurred` were sealed in the stretch `sealed`. A note is known by
/// these times alone, however long stretches are elsewhere.
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

/// As they are listed: what was sealed first comes first, and within a stretch the notes of an account are together.
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

/// A moment for each shard; shards without one are left out.
pub type ByShard<T> = BTreeMap<u8, T>;

#[async_trait]
pub trait SealNotes: Send + Sync {
    /// Writes the note, whether or not it exists already.
    async fn note_seal(&self, note: &SealNote, expires_at: Timestamp) -> PortResult<()>;
}

#[async_trait]
pub trait Audit: Send + Sync {
    /// Up to when each shard is audited: no note is left there of a stretch that had ended by then.
    async fn audited_until(&self) -> PortResult<ByShard<Timestamp>>;
    /// Stores this for some shards, in one write.
    async fn set_audited_until(&self, shards: &ByShard<Timestamp>) -> PortResult<()>;
    /// At most `limit` notes of a shard whose stretches ended after `ended.since` and by `ended.until`, in order, after
    /// `after`, each with the last event that the audit has processed.
    async fn seal_notes(
        &self,
        shard: u8,
        ended: Span,
        after: Option<&SealNote>,
        limit: usize,
    ) -> PortResult<Vec<(SealNote, Option<EventPlace>)>>;
    /// Records that the note was processed up to this event, unless it has been deleted meanwhile.
    async fn note_progress(&self, note: &SealNote, to: &EventPlace) -> PortResult<()>;
    /// Deletes a note that was processed completely.
    async fn forget_note(&self, note: &SealNote) -> PortResult<()>;
    /// Puts the notes of a release that counted slots of this length, and that ended by `until`, where notes are now.
    /// An error also says that there are more of them.
    async fn move_old_notes(&self, slot: Duration, until: Timestamp) -> PortResult<()>;
}
