//! Tells the breaker how attempts ended. The rules are [`domain::destination::health`]; here is what a container remembers, and who
//! wins when several change the same destination.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::destination::{Destination, Health};
use domain::value::DestinationId;
use ports::PortResult;

use crate::Deps;

/// How often a change is made anew because somebody else was quicker.
const TRIES: u32 = 5;
/// How many destinations are remembered before all are forgotten.
const MOST: usize = 10_000;

/// How many attempts in a row this container has seen fail, by destination.
#[derive(Debug, Default)]
pub struct Rows {
    failures: Mutex<HashMap<DestinationId, u32>>,
}

impl Rows {
    /// One more failure; answers how many that are.
    pub(crate) fn failed(&self, destination: &DestinationId) -> u32 {
        let mut failures = self.lock();
        if failures.len() >= MOST {
            failures.clear();
        }
        let count = failures.entry(destination.clone()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    pub(crate) fn succeeded(&self, destination: &DestinationId) {
        self.lock().remove(destination);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DestinationId, u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a change to the destination's health, and answers the destination as it then is. Nothing is asked or written where
/// there is nothing to change. When others keep being quicker, what they told stands: it is as good as this.
pub(crate) async fn note(
    deps: &Deps,
    destination: &Destination,
    change: impl Fn(&Health) -> Option<Health>,
) -> PortResult<Destination> {
    let mut known = destination.clone();
    for _ in 0..TRIES {
        let Some(next) = change(&known.health) else { return Ok(known) };
        if deps.destinations.update_health(&known, &next).await? {
            return Ok(known.with_health(next));
        }
        match deps.destinations.find_destination_anew(&known.account, &known.id).await? {
            Some(now) => known = now,
            None => return Ok(known),
        }
    }
    Ok(known)
}
