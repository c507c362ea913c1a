//! Remembers whom people were alerted about, so that a destination whose deliveries are given up one after the other makes one alert
//! an hour.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::value::{DestinationId, Timestamp};

/// How long people hear nothing of further deliveries to a destination that were given up. Each of them is an event all the same.
const QUIET: Duration = Duration::from_secs(3_600);
/// How many destinations are remembered before all are forgotten.
const MOST: usize = 10_000;

/// The destinations about whose deliveries people were alerted lately by this container.
#[derive(Debug, Default)]
pub struct Alerted {
    at: Mutex<HashMap<DestinationId, Timestamp>>,
}

impl Alerted {
    /// Whether people are to be alerted now. They count as alerted from here on, so that it is done once.
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
