//! Reports the results of attempts to the breaker. The rules are in [`domain::destination::health`]; here is what
//! happens if several containers change the same destination at once.

use domain::destination::{Destination, Health};
use ports::PortResult;

use crate::deps::Deps;

/// How often a change is tried if others keep being faster.
const TRIES: u32 = 5;

/// Changes the destination's health, and returns the destination as it then is. If there is nothing to change, nothing
/// is read or written. If others keep being faster, their changes stand: they are as good as this one.
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
