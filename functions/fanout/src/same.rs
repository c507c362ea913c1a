//! Records of one batch that carry the same event. They are handled one after the other, so that each finds what the
//! one before it sealed: the same content is a duplicate, other content is refused.
//!
//! This costs no read or write. Two containers that receive the same event at the same moment still both send it, under the
//! same ids: only the seal shows the later one that it was late.
//!
//! Invariant: the same event several times in a batch is sent once (tests:
//! `the_same_event_four_times_in_a_batch_is_sent_once`, `other_content_under_an_id_of_the_same_batch_sends_nothing`).
//!
//! Invariant: if one record of an event fails, those that waited for it are given back and none is lost (tests:
//! `after_a_failure_the_other_records_of_the_event_are_given_back_and_none_is_lost`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::event::Event;
use domain::value::{AccountId, EventId};
use ports::{PortError, PortResult};
use tokio::sync::{Mutex as Gate, OwnedMutexGuard};

/// Whether a record of the event was begun and not done: it is being handled, failed or panicked.
type Undone = bool;
/// Account and id of an event.
type Name = (AccountId, EventId);

/// The events of one batch.
#[derive(Debug, Default)]
pub(crate) struct SameEvents {
    gates: Mutex<HashMap<Name, Arc<Gate<Undone>>>>,
}

/// The one record of its event that is being handled.
#[derive(Debug)]
pub(crate) struct Place(OwnedMutexGuard<Undone>);

impl SameEvents {
    /// Waits for the other records of the event that came before. If one of them was not done, this one must wait for
    /// another batch: what was sent for the other may not have been sealed.
    pub(crate) async fn enter(&self, event: &Event) -> PortResult<Place> {
        let gate = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(gates.entry((event.account.clone(), event.id.clone())).or_default())
        };
        let mut undone = gate.lock_owned().await;
        if *undone {
            return Err(PortError::transient("handling an event", "another record of it failed in the same batch"));
        }
        *undone = true;
        Ok(Place(undone))
    }
}

impl Place {
    /// The record was handled, and the next one may be.
    pub(crate) fn done(mut self) {
        *self.0 = false;
    }
}
