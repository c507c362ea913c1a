//! Turns at a limited rate, shared by all containers. They decide which deliveries are sent now, which a moment later, and
//! which have to wait in line.
//!
//! One row with three moments has all the state: the first free turn, and the ends of two lines. The moments only move
//! forward. A container says from when and until when a turn is useful to it, and the store moves the moment in one step. So
//! no container loses a race against others, and the answer says what was handed out. Turns are handed out in blocks, so
//! that a high rate needs few writes.
//!
//! A place in a line is not a turn: it says when to ask for one. A delivery that has waited in line and then finds no turn
//! does not go to the end of that line again. It joins the line of deliveries that were called, which is short.
//!
//! Invariant: a rate limit holds over all containers: no second has more turns than the limit (tests:
//! `no_second_has_more_turns_than_the_limit`, the contract suite `paces`).
//!
//! Invariant: a delivery that was called from the line does not go back to its end (tests:
//! `who_comes_from_the_line_goes_before_the_line`).

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
    /// The end of the line of deliveries that were called and found no turn.
    pub called_until: u64,
    /// The end of the line of deliveries that have not been called.
    pub line_until: u64,
}

/// One of the moments of a [`Pace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Turns,
    Called,
    Line,
}

/// A wish for the next time in a lane, in microseconds since 1970. That time begins at the end of the lane, but not before
/// `from`. If it would begin after `until`, nothing is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    pub lane: Lane,
    pub from: u64,
    pub until: u64,
    /// How much time is handed out.
    pub length: u64,
    /// Nothing is handed out while one of the lines ends after `until`.
    pub after_lines: bool,
}

/// The answer to a [`Wish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// When what was handed out begins; none if nothing was.
    pub start: Option<u64>,
    /// The pace as it is now.
    pub pace: Pace,
}

/// Consecutive turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Block {
    /// When the first turn is, in microseconds since 1970.
    pub next: u64,
    pub left: u64,
    /// The distance between two turns, in microseconds.
    pub every: u64,
}

fn microseconds(moment: Timestamp) -> u64 {
    moment.unix_ms().saturating_mul(1_000)
}

/// The distance between two turns, in microseconds.
fn every(limit: RateLimit) -> u64 {
    1_000_000 / u64::from(limit)
}

/// How many turns are a block.
fn together(limit: RateLimit) -> u64 {
    (u64::from(limit) / BLOCKS_PER_SECOND).max(1)
}

impl Pace {
    pub fn end(&self, lane: Lane) -> u64 {
        match lane {
            Lane::Turns => self.free_from,
            Lane::Called => self.called_until,
            Lane::Line => self.line_until,
        }
    }

    /// Whether this pace leaves nothing to hand out for the wish.
    pub fn refuses(&self, wish: &Wish) -> bool {
        let lines = self.called_until.max(self.line_until);
        self.end(wish.lane).max(wish.from) > wish.until || (wish.after_lines && lines > wish.until)
    }

    /// Hands out what is wished, in one step.
    pub fn reserve(self, wish: &Wish) -> Reserved {
        if self.refuses(wish) {
            return Reserved { start: None, pace: self };
        }
        let start = self.end(wish.lane).max(wish.from);
        let (mut pace, end) = (self, start + wish.length);
        match wish.lane {
            Lane::Turns => pace.free_from = end,
            Lane::Called => pace.called_until = end,
            Lane::Line => pace.line_until = end,
        }
        Reserved { start: Some(start), pace }
    }

    /// The wish for a place in line, for a delivery that finds no turn. It comes again when that place begins.
    pub fn place(&self, limit: RateLimit, now: Timestamp, from_line: bool) -> Wish {
        let (turn, length) = (self.free_from.max(microseconds(now)), every(limit));
        let (lane, from) = if from_line { (Lane::Called, turn) } else { (Lane::Line, turn.max(self.called_until)) };
        Wish { lane, from, until: u64::MAX, length, after_lines: false }
    }
}

impl Wish {
    /// For a block of turns, the first of which is within [`PATIENCE`]. Deliveries from the line go before new ones.
    pub fn turns(limit: RateLimit, now: Timestamp, from_line: bool) -> Self {
        let from = microseconds(now);
        let until = microseconds(now.plus(PATIENCE));
        let length = every(limit) * together(limit);
        Self { lane: Lane::Turns, from, until, length, after_lines: !from_line }
    }
}

impl Block {
    /// The turns that were handed out from `start` on.
    pub fn at(start: u64, limit: RateLimit) -> Self {
        Self { next: start, left: together(limit), every: every(limit) }
    }

    /// Takes the next of these turns, and returns how long to wait for it; none if they are used up or have passed.
    pub fn next_turn(&mut self, now: Timestamp) -> Option<Duration> {
        let now = microseconds(now);
        // A turn that is later than the length of a block would exceed the rate.
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

    /// What is handed out, in milliseconds: a turn, or a place in line.
    fn ask(pace: &mut Pace, rate: u64, now: u64, from_line: bool) -> (u64, bool) {
        let turn = pace.reserve(&Wish::turns(limit(rate), at(now), from_line));
        let found =
            if turn.start.is_some() { turn } else { pace.reserve(&turn.pace.place(limit(rate), at(now), from_line)) };
        *pace = found.pace;
        (found.start.expect("a turn or a place") / 1_000 - 1_000_000, turn.start.is_some())
    }

    #[test]
    fn turns_follow_each_other_and_those_beyond_patience_wait_in_line() {
        let mut pace = Pace::default();
        let got: Vec<_> = (0..8).map(|_| ask(&mut pace, 2, 0, false)).collect();
        let now = [0, 500, 1_000, 1_500, 2_000].map(|ms| (ms, true));
        let line = [2_500, 3_000, 3_500].map(|ms| (ms, false));
        assert_eq!(got, [now.as_slice(), line.as_slice()].concat());
        // While there is a line, new deliveries go to its end, and deliveries from it get a turn.
        assert_eq!(ask(&mut pace, 2, 1_500, false), (4_000, false));
        assert_eq!(ask(&mut pace, 2, 2_500, true), (2_500, true));
        assert_eq!(ask(&mut pace, 2, 4_000, false), (4_000, true));
    }

    #[test]
    fn who_comes_from_the_line_goes_before_the_line() {
        let mut pace = Pace { line_until: 5_000_000_000, ..Pace::default() };
        // Many deliveries come late and at the same time, from a line that is an hour long.
        let got: Vec<_> = (0..6).map(|_| ask(&mut pace, 1, 0, true)).collect();
        let turns = [0, 1_000, 2_000].map(|ms| (ms, true));
        let places = [3_000, 4_000, 5_000].map(|ms| (ms, false));
        assert_eq!(got, [turns.as_slice(), places.as_slice()].concat());
        // Without that line, they still go before new deliveries.
        pace.line_until = 0;
        assert_eq!(ask(&mut pace, 1, 3_000, false), (6_000, false));
        assert_eq!(ask(&mut pace, 1, 3_000, true), (3_000, true));
        assert_eq!(ask(&mut pace, 1, 6_000, false), (6_000, true));
    }

    #[test]
    fn a_high_rate_takes_twenty_writes_a_second() {
        let wish = Wish::turns(limit(1_000), at(0), false);
        let mut block = Block::at(Pace::default().reserve(&wish).start.expect("turns"), limit(1_000));
        assert_eq!((block.left, block.every, wish.length), (50, 1_000, 50_000));
        assert_eq!(block.next_turn(at(0)), Some(Duration::ZERO));
        assert_eq!(block.next_turn(at(0)), Some(Duration::from_millis(1)));
        assert_eq!(block.next_turn(at(200)), None, "turns that went by are not made up for");
    }

    proptest! {
        /// Whoever asks at whatever time, also by clocks that differ: no second has more turns than the limit and one block.
        #[test]
        fn no_second_has_more_turns_than_the_limit(
            rate in 1u64..=1_000,
            asked in proptest::collection::vec((0u64..400, 0u64..5_000, any::<bool>()), 1..200)
        ) {
            let (mut pace, mut now, mut turns) = (Pace::default(), 0, Vec::new());
            for (later, ahead, from_line) in asked {
                now += later;
                let reserved = pace.reserve(&Wish::turns(limit(rate), at(now + ahead), from_line));
                pace = reserved.pace;
                if let Some(start) = reserved.start {
                    let block = Block::at(start, limit(rate));
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
