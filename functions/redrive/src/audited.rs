//! Remembers how far this container's audit is, beyond what the table says: which slots are complete, and where it
//! stopped in notes that it could not finish. What is forgotten with the container is only gone through again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::value::{DeliveryId, EventId, Slot};
use ports::{EventPlace, SealNote};

/// How many notes are remembered before all are dropped.
const MOST: usize = 10_000;

/// Where the audit stopped in a note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stopped {
    /// The last event that was visited, as far as that was possible.
    pub(crate) after: Option<EventPlace>,
    /// How far the event behind it was visited.
    pub(crate) within: Option<(EventId, DeliveryId)>,
    /// Whether an event before could not be visited, so that the note has to be gone through again.
    pub(crate) failed: bool,
}

#[derive(Debug, Default)]
struct Known {
    complete: BTreeSet<Slot>,
    /// Slots of which some notes were left.
    incomplete: BTreeSet<Slot>,
    stopped: BTreeMap<SealNote, Stopped>,
}

/// What this container knows of the audit.
#[derive(Debug, Default)]
pub struct Audited {
    known: Mutex<Known>,
}

impl Audited {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slots from `first` to `last` that are not complete: those that were never gone through, oldest first, and
    /// then the others, of which each run begins with another.
    pub(crate) fn left(&self, first: Slot, last: Slot, run: u64) -> Vec<Slot> {
        let mut known = self.known();
        known.complete = known.complete.split_off(&first);
        known.incomplete = known.incomplete.split_off(&first);
        known.stopped.retain(|note, _| note.sealed >= first);
        let left = (first.0..=last.0).map(Slot).filter(|slot| !known.complete.contains(slot));
        let (mut again, mut fresh): (Vec<_>, Vec<_>) = left.partition(|slot| known.incomplete.contains(slot));
        let begin = usize::try_from(run).unwrap_or_default().checked_rem(again.len()).unwrap_or_default();
        again.rotate_left(begin);
        fresh.append(&mut again);
        fresh
    }

    /// Notes that a slot was gone through, and whether nothing of it is left.
    pub(crate) fn gone_through(&self, slot: Slot, complete: bool) {
        let mut known = self.known();
        if complete {
            known.incomplete.remove(&slot);
            known.complete.insert(slot);
        } else {
            known.incomplete.insert(slot);
        }
    }

    /// The last slot, from `first` on, up to which all are complete.
    pub(crate) fn complete_from(&self, first: Slot) -> Option<Slot> {
        let known = self.known();
        let slots = std::iter::successors(Some(first), |slot| Some(slot.next()));
        slots.take_while(|slot| known.complete.contains(slot)).last()
    }

    pub(crate) fn stopped(&self, note: &SealNote) -> Option<Stopped> {
        self.known().stopped.get(note).cloned()
    }

    pub(crate) fn stop(&self, note: &SealNote, at: Stopped) {
        let mut known = self.known();
        if known.stopped.len() >= MOST {
            known.stopped.clear();
        }
        known.stopped.insert(note.clone(), at);
    }

    pub(crate) fn forget(&self, note: &SealNote) {
        self.known().stopped.remove(note);
    }
}
