//! Remembers the destinations that people were alerted about, so that a destination which loses many deliveries causes
//! one alert an hour. Each container remembers its own: if a backlog is handed out, each instance may alert once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::value::{DestinationId, Timestamp};

/// How long people are not alerted again about lost deliveries of the same destination. Each lost delivery is still
/// reported as an event.
const QUIET: Duration = Duration::from_secs(3_600);
/// How many destinations are remembered before all are dropped.
const MOST: usize = 10_000;

/// The destinations about whose deliveries this container has alerted people recently.
#[derive(Debug, Default)]
pub struct Alerted {
    at: Mutex<HashMap<DestinationId, Timestamp>>,
}

impl Alerted {
    /// Whether people should be alerted now. If so, they count as alerted from now on.
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
