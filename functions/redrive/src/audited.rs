//! What this container remembers of the audit, besides what is in the table: the notes that it left unfinished, where
//! it stopped in them, and up to when it has moved notes of an older release. If the container is lost, the next one
//! only repeats work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::value::{DeliveryId, EventId, Timestamp};
use ports::{EventPlace, SealNote};

/// How many notes are remembered before all are dropped.
const MOST: usize = 10_000;

/// The progress within a group of events that are visited together. Their deliveries are visited in the order of their
/// ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Within {
    pub(crate) first: EventId,
    pub(crate) last: EventId,
    /// The last delivery that was visited.
    pub(crate) to: DeliveryId,
}

/// Where the audit stopped in a note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stopped {
    /// The last event that was visited, as far as that was possible.
    pub(crate) after: Option<EventPlace>,
    /// The progress within the group of events that follow it.
    pub(crate) within: Option<Within>,
    /// Whether an earlier event could not be visited, so that the note has to be gone through again.
    pub(crate) failed: bool,
}

#[derive(Debug, Default)]
struct Known {
    left: BTreeSet<SealNote>,
    stopped: BTreeMap<SealNote, Stopped>,
    moved_until: Option<Timestamp>,
}

/// What this container knows of the audit.
#[derive(Debug, Default)]
pub struct Audited {
    known: Mutex<Known>,
    sends: tokio::sync::Mutex<()>,
}

impl Audited {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this container left the note unfinished before. Such notes come after all others.
    pub(crate) fn is_left(&self, note: &SealNote) -> bool {
        self.known().left.contains(note)
    }

    pub(crate) fn stopped(&self, note: &SealNote) -> Option<Stopped> {
        self.known().stopped.get(note).cloned()
    }

    /// Remembers that the note is unfinished, and where the audit continues in it, if not from its recorded progress.
    pub(crate) fn leave(&self, note: &SealNote, at: Option<Stopped>) {
        let mut known = self.known();
        if known.left.len() >= MOST {
            known.left.clear();
            known.stopped.clear();
        }
        known.left.insert(note.clone());
        match at {
            Some(at) => known.stopped.insert(note.clone(), at),
            None => known.stopped.remove(note),
        };
    }

    pub(crate) fn forget(&self, note: &SealNote) {
        let mut known = self.known();
        known.left.remove(note);
        known.stopped.remove(note);
    }

    /// Only the holder of this lock may hold an event with everything that it owes in memory.
    pub(crate) async fn turn_to_send(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.sends.lock().await
    }

    pub(crate) fn has_moved(&self, until: Timestamp) -> bool {
        self.known().moved_until >= Some(until)
    }

    pub(crate) fn moved(&self, until: Timestamp) {
        self.known().moved_until = Some(until);
    }
}
