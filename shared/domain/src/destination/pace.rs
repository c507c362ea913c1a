//! Turns at a limited rate, shared by all containers: who may send now, who a moment later, and who has to wait in
//! line.
//!
//! Turns are handed out in blocks, so that a high rate needs few writes. A pure function of what was handed out before.
//!
//! Invariant: a rate limit holds over all containers: no second has more turns than the limit (tests:
//! `no_second_has_more_turns_than_the_limit`, the contract suite `paces`).

use std::time::Duration;

use super::settings::RateLimit;
use crate::value::Timestamp;

/// The longest that a record waits for its turn within its invocation.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How many blocks are handed out per second if the rate is higher than that.
const BLOCKS_PER_SECOND: u64 = 20;

/// What was handed out so far, in microseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// The first free turn.
    pub free_from: u64,
    /// The end of the line of those who wait.
    pub line_until: u64,
}

/// Consecutive turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// When the first turn is, in microseconds since 1970.
    pub next: u64,
    pub left: u64,
    /// The distance between two turns, in microseconds.
    pub every: u64,
}

/// The answer to a request for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// These turns. The first is within [`PATIENCE`].
    Block(Block),
    /// A place in the line: ask again then.
    Line(Timestamp),
}

fn microseconds(moment: Timestamp) -> u64 {
    moment.unix_ms().saturating_mul(1_000)
}

impl Pace {
    /// Hands out a turn at `now`, and gives the pace after it. Deliveries from the line go before new ones.
    pub fn take(self, limit: RateLimit, now: Timestamp, from_line: bool) -> (Self, Turn) {
        let (rate, now) = (u64::from(limit), microseconds(now));
        let every = 1_000_000 / rate;
        let patience = u64::try_from(PATIENCE.as_micros()).unwrap_or(u64::MAX);
        let next = self.free_from.max(now);
        if next - now <= patience && (from_line || self.line_until <= now + patience) {
            let left = (rate / BLOCKS_PER_SECOND).max(1);
            let after = Self { free_from: next + every * left, ..self };
            return (after, Turn::Block(Block { next, left, every }));
        }
        let place = self.line_until.max(next);
        let after = Self { line_until: place + every, ..self };
        (after, Turn::Line(Timestamp::from_unix_ms(place.div_ceil(1_000))))
    }
}

impl Block {
    /// Takes the next of these turns, and tells how long to wait for it. None if they are used up or have passed.
    pub fn next_turn(&mut self, now: Timestamp) -> Option<Duration> {
        let now = microseconds(now);
        // A turn that is late by the length of a block does not keep the rate any more.
        let late = 1_000_000 / BLOCKS_PER_SECOND;
        while self.left > 0 {
            let turn = self.next;
            (self.next, self.left) = (turn + self.every, self.left - 1);
            if turn + late >= now {
                return Some(Duration::from_micros(turn.saturating_sub(now)));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(1_000_000 + ms)
    }

    fn limit(rate: u64) -> RateLimit {
        rate.try_into().expect("a limit")
    }

    #[test]
    fn turns_follow_each_other_and_those_beyond_patience_wait_in_line() {
        let (mut pace, mut turns) = (Pace::default(), Vec::new());
        for _ in 0..8 {
            let (after, turn) = pace.take(limit(2), at(0), false);
            turns.push(match turn {
                Turn::Block(block) => (block.next / 1_000 - 1_000_000, true),
                Turn::Line(until) => (until.unix_ms() - 1_000_000, false),
            });
            pace = after;
        }
        let now = [0, 500, 1_000, 1_500, 2_000].map(|ms| (ms, true));
        let line = [2_500, 3_000, 3_500].map(|ms| (ms, false));
        assert_eq!(turns, [now.as_slice(), line.as_slice()].concat());
        // While there is a line, new deliveries go to its end, and deliveries from it get a turn.
        assert!(matches!(pace.take(limit(2), at(1_500), false).1, Turn::Line(_)));
        assert!(matches!(pace.take(limit(2), at(2_500), true).1, Turn::Block(_)));
        assert!(matches!(pace.take(limit(2), at(4_000), false).1, Turn::Block(_)));
    }

    #[test]
    fn a_high_rate_takes_twenty_writes_a_second() {
        let (_, turn) = Pace::default().take(limit(1_000), at(0), false);
        let Turn::Block(mut block) = turn else { panic!("{turn:?}") };
        assert_eq!((block.left, block.every), (50, 1_000));
        assert_eq!(block.next_turn(at(0)), Some(Duration::ZERO));
        assert_eq!(block.next_turn(at(0)), Some(Duration::from_millis(1)));
        assert_eq!(block.next_turn(at(200)), None, "turns that went by are not made up for");
    }

    proptest! {
        /// Whoever asks when, no second has more turns than the limit, but for one block.
        #[test]
        fn no_second_has_more_turns_than_the_limit(
            rate in 1u64..=1_000,
            asked in proptest::collection::vec((0u64..400, any::<bool>()), 1..200)
        ) {
            let (mut pace, mut now, mut turns) = (Pace::default(), 0, Vec::new());
            for (later, from_line) in asked {
                now += later;
                let (after, turn) = pace.take(limit(rate), at(now), from_line);
                pace = after;
                if let Turn::Block(block) = turn {
                    turns.extend((0..block.left).map(|n| block.next + n * block.every));
                }
            }
            prop_assert!(turns.is_sorted());
            let most = usize::try_from(rate + 1).expect("a count");
            for window in turns.windows(most + 1) {
                prop_assert!(window[most] - window[0] >= 1_000_000 - 1_000_000 % rate, "{window:?}");
            }
        }
    }
}
