//! Turns at destinations with a rate limit. The records of a container use the turns that it was handed, one after the
//! other. Records of different destinations do not wait for each other.
//!
//! Invariant: a delivery that finds no turn waits in line and is not a failure (tests:
//! `what_is_over_the_limit_waits_in_line_and_is_no_failure`), and asking takes at most two steps, whatever others do
//! (tests: `a_place_in_line_takes_two_steps_and_then_one`).
//!
//! Invariant: a destination whose turns come slowly does not delay other destinations (tests:
//! `who_waits_for_turns_at_one_destination_holds_up_no_other`).

use std::time::Duration;

use domain::destination::{Block, Destination, RateLimit, Wish};
use domain::value::Timestamp;
use ports::PortResult;

use crate::deps::Deps;

/// When a record may make its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// After this wait, within the invocation.
    After(Duration),
    /// Later: it should ask again then.
    At(Timestamp),
}

/// The next turn at the destination, or a place in line.
pub(crate) async fn turn(
    deps: &Deps,
    destination: &Destination,
    limit: RateLimit,
    from_line: bool,
) -> PortResult<When> {
    let handed = deps.turns.at(&destination.id);
    let mut handed = handed.lock().await;
    let now = deps.clock.now();
    if let Some(wait) = handed.block.next_turn(now) {
        return Ok(When::After(wait));
    }
    let (account, id) = (&destination.account, &destination.id);
    let turns = Wish::turns(limit, now, from_line);
    // A line only grows until it is over, so the known pace can be trusted to refuse. If the line was cleared in the
    // meantime, the answer to the next wish shows it to the next record.
    if !handed.pace.refuses(&turns) {
        let reserved = deps.paces.reserve(account, id, handed.pace, &turns).await?;
        handed.pace = reserved.pace;
        if let Some(start) = reserved.start {
            handed.block = Block::at(start, limit);
            return Ok(When::After(handed.block.next_turn(now).unwrap_or_default()));
        }
    }
    let place = handed.pace.place(limit, now, from_line);
    let reserved = deps.paces.reserve(account, id, handed.pace, &place).await?;
    handed.pace = reserved.pace;
    let place = reserved.start.unwrap_or(place.from);
    Ok(When::At(Timestamp::from_unix_ms(place.div_ceil(1_000))))
}
