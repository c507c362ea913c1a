//! Lets only so many attempts of one batch go to one destination at once: the others learn from how those end, and one that
//! hangs cannot hold the whole batch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::value::DestinationId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// As many as failures in a row open the breaker: what waits behind them need not find out again.
const AT_ONCE: usize = 5;

/// The gates of one batch.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    gates: Mutex<HashMap<DestinationId, Arc<Semaphore>>>,
}

impl Gates {
    /// Waits for a place, which is held until the answer is dropped.
    pub(crate) async fn enter(&self, destination: &DestinationId) -> Option<OwnedSemaphorePermit> {
        let gate = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(gates.entry(destination.clone()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
        };
        // A gate is never closed; without a place the record would just run unbounded.
        gate.acquire_owned().await.ok()
    }
}
