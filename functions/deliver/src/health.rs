//! Tells the breaker how attempts ended. The rules are [`domain::destination::health`]; here is who
//! wins when several change the same destination.

use domain::destination::{Destination, Health};
use ports::PortResult;

use crate::deps::Deps;

/// How often a change is made anew because somebody else was quicker.
const TRIES: u32 = 5;

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
