//! Reports the results of attempts to the breaker. The rules are in [`domain::destination::health`]; here is what
//! happens if several containers change the same destination at once.
//!
//! Invariant: a report takes 2 s at most, whatever the table does (tests: `that_a_failure_cannot_be_noted_in_time_holds_up_nothing`).

use std::time::Duration;

use domain::destination::{Destination, Health, HealthState};
use ports::{PortError, PortResult};
use tokio::time::timeout;
use tracing::info;

use crate::deps::Deps;

/// How often a change is tried if others keep being faster.
const TRIES: u32 = 5;
/// How long all of these tries may take together.
const LONGEST: Duration = Duration::from_secs(2);

/// Changes the destination's health, and returns the destination as it then is. If there is nothing to change, nothing
/// is read or written. If others keep being faster, their changes stand: they are as good as this one.
pub(crate) async fn note(
    deps: &Deps,
    destination: &Destination,
    change: impl Fn(&Health) -> Option<Health>,
) -> PortResult<Destination> {
    let noted = timeout(LONGEST, note_in_time(deps, destination, change)).await;
    noted.unwrap_or_else(|late| Err(PortError::transient("recording a destination's health", late)))
}

async fn note_in_time(
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

/// One line for a breaker that opens, and for a hold that begins or is lengthened.
pub(crate) fn log_change(before: &Destination, after: &Destination) {
    let (account, id) = (&after.account, &after.id);
    match after.health.state {
        HealthState::Failing { next_probe_at, .. } if before.health.state == HealthState::Healthy => info!(
            "account.id" = %account, "destination.id" = %id, failures = after.health.failures, %next_probe_at,
            "a destination is failing; its deliveries are parked until a probe is delivered"
        ),
        HealthState::Healthy if after.health.held_until != before.health.held_until => {
            if let Some(held_until) = after.health.held_until {
                info!(
                    "account.id" = %account, "destination.id" = %id, %held_until,
                    "a destination asked to be left alone; its deliveries are parked until then"
                );
            }
        }
        _ => {}
    }
}
