//! Remembers about which destinations people were alerted, so that a destination that loses many deliveries causes one
//! alert an hour. Each container remembers its own: of a backlog that is handed out, each instance may alert once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::value::{DestinationId, Timestamp};

/// For how long people are not alerted about further lost deliveries of a destination. Each of them is still reported
/// as an event.
const QUIET: Duration = Duration::from_secs(3_600);
/// How many destinations are remembered before all are dropped.
const MOST: usize = 10_000;

/// The destinations about whose deliveries this container has alerted people recently.
#[derive(Debug, Default)]
pub struct Alerted {
    at: Mutex<HashMap<DestinationId, Timestamp>>,
}

impl Alerted {
    /// Whether people should be alerted now. From here on they count as alerted, so that it is done once.
    pub(crate) fn begin(&self, destination: &DestinationId, now: Timestamp) -> bool {
        let mut at = self.lock();
        if at.get(destination).is_some_and(|alerted| now.since(*alerted) < QUIET) {
            return false;
        }
        if at.len() >= MOST {
            at.clear();
        }
        at.insert(destination.clone(), now);
        true
    }

    pub(crate) fn undo(&self, destination: &DestinationId) {
        self.lock().remove(destination);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DestinationId, Timestamp>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
