//! Turns at destinations with a rate limit. The records of a container use one after the other the turns that it was
//! handed.
//!
//! Invariant: a delivery that finds no turn waits in line and is not a failure, and one that loses too often against
//! other containers waits for seconds only (tests: `what_is_over_the_limit_waits_in_line_and_is_no_failure`,
//! `who_gets_no_turn_against_others_stands_in_line_for_seconds`).

use std::time::Duration;

use domain::destination::{Block, Destination, Pace, RateLimit, Turn};
use domain::value::Timestamp;
use ports::{EntropyExt, PortResult};

use crate::container::MOST;
use crate::deps::Deps;

/// How often a turn is asked for if other containers keep being faster. If many ask at once, someone always fails this
/// often, and then waits in line for a moment.
const TRIES: u32 = 20;

/// When a record may make its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// After this wait, within the invocation.
    After(Duration),
    /// Later: its turn comes then, or it should ask again then.
    At(Timestamp),
}

/// The next turn at the destination.
pub(crate) async fn turn(
    deps: &Deps,
    destination: &Destination,
    limit: RateLimit,
    from_line: bool,
) -> PortResult<When> {
    let mut handed = deps.turns.handed.lock().await;
    if handed.len() >= MOST {
        handed.clear();
    }
    let now = deps.clock.now();
    let (mut pace, mut block) =
        handed.get(&destination.id).copied().unwrap_or((Pace::default(), Block { next: 0, left: 0, every: 0 }));
    if let Some(wait) = block.next_turn(now) {
        handed.insert(destination.id.clone(), (pace, block));
        return Ok(When::After(wait));
    }
    for _ in 0..TRIES {
        let (after, turn) = pace.take(limit, now, from_line);
        match deps.paces.store_pace(&destination.account, &destination.id, pace, after).await? {
            Some(stored) => pace = stored,
            None => {
                let mut block = match turn {
                    Turn::Block(block) => block,
                    Turn::Line(at) => {
                        handed.insert(destination.id.clone(), (after, Block { left: 0, ..block }));
                        return Ok(When::At(at));
                    }
                };
                let wait = block.next_turn(now).unwrap_or_default();
                handed.insert(destination.id.clone(), (after, block));
                return Ok(When::After(wait));
            }
        }
    }
    let [chance]: [u8; 1] = deps.entropy.bytes()?;
    Ok(When::At(now.plus(Duration::from_secs(u64::from(chance % 3) + 1))))
}
