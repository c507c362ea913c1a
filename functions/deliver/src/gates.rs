//! Limits how many attempts of one batch go to the same destination at once. The others learn from their outcomes, and a
//! destination that hangs cannot hold up the whole batch. Where the last attempt of this container was delivered, all go at
//! once: they end, and are recorded, together.
//!
//! Invariant: a destination that hangs, and did not just deliver, takes no more than half a batch, and any holds its batch for
//! one attempt (tests: `one_that_hangs_holds_a_batch_for_one_attempt_and_its_neighbours_not_at_all`,
//! `one_that_delivered_gets_its_whole_next_batch_at_once_and_after_a_failure_half_of_it`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::value::DestinationId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// As many as the failures in a row that open the breaker: after them, the rest of the batch is parked without an attempt.
const AT_ONCE: usize = 5;
/// The same for a destination whose last attempt was delivered: the most that a batch has.
const AT_ONCE_IF_TRUSTED: usize = 10;

/// The gates of one batch.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    gates: Mutex<HashMap<DestinationId, Arc<Semaphore>>>,
}

impl Gates {
    /// Waits for a permit, which is held until it is dropped. The first of a batch decides whether the destination is trusted.
    pub(crate) async fn enter(&self, destination: &DestinationId, trusted: bool) -> Option<OwnedSemaphorePermit> {
        let at_once = if trusted { AT_ONCE_IF_TRUSTED } else { AT_ONCE };
        let gate = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(gates.entry(destination.clone()).or_insert_with(|| Arc::new(Semaphore::new(at_once))))
        };
        // A gate is never closed. Without a permit the record would simply run without a bound.
        gate.acquire_owned().await.ok()
    }
}
