//! Notes for the audit that events were sealed: one note for each account and stretch of time, not one for each event.
//! Unlike other notes of a container, this one must exist before the seal, so a failure fails the event.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::value::horizon::NOTES_KEPT;
use domain::value::{Horizon, Stretches, Timestamp};
use ports::{PortResult, SealNote, SealNotes, SealedEvent};

/// How many notes are remembered before all are dropped.
const MOST: usize = 10_000;
/// How much earlier the audit may begin by its own clock, and how long a range may take.
const CLOCKS: Duration = Duration::from_secs(60);

pub struct Seals {
    store: Arc<dyn SealNotes>,
    horizon: Horizon,
    stretches: Stretches,
    known: Mutex<HashSet<SealNote>>,
}

impl Seals {
    pub fn new(store: Arc<dyn SealNotes>, horizon: Horizon) -> Self {
        Self { store, horizon, stretches: horizon.stretches(), known: Mutex::default() }
    }

    /// Notes where the audit finds the event, unless this container has noted that already.
    pub(crate) async fn note(&self, event: &SealedEvent) -> PortResult<()> {
        let (sealed, occurred) = (self.stretches.of(event.sealed_at), self.stretches.of(event.occurred_at));
        let note = SealNote { sealed, account: event.account.clone(), occurred };
        if self.lock().contains(&note) {
            return Ok(());
        }
        self.store.note_seal(&note, event.sealed_at.plus(NOTES_KEPT)).await?;
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(note);
        Ok(())
    }

    /// Whether the audit may have sent what an event owes that was sealed then.
    pub(crate) fn may_be_audited(&self, sealed_at: Timestamp, now: Timestamp) -> bool {
        sealed_at < self.stretches.ended(now.plus(CLOCKS), self.horizon.length())
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<SealNote>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
