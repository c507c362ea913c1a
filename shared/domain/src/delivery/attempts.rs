//! The attempts of a delivery that its row keeps: the first and the last ones, and how many there were in between. However
//! often somebody sends a delivery again, its row stays small.
//!
//! Invariant: a row keeps at most [`FIRST`] + [`LAST`] attempts, with their numbers, and counts the others (tests:
//! `of_very_many_attempts_the_first_and_the_last_are_kept_and_all_are_counted`).

use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;

/// How many of the first attempts are kept.
pub const FIRST: usize = 5;
/// How many of the last attempts are kept. The longest schedule, of 21 attempts, is kept whole.
pub const LAST: usize = 25;

/// How many attempts are not kept, between the first and the last ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    pub attempts: u32,
    /// How many of them count for the schedule.
    pub scheduled: u32,
}

/// The attempts of a delivery, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    kept: Vec<Attempt>,
    left_out: LeftOut,
}

impl Attempts {
    /// The attempts of a stored row. Their numbers follow from their places.
    pub fn stored(mut kept: Vec<Attempt>, left_out: LeftOut) -> Self {
        for (place, attempt) in (0_u32..).zip(&mut kept) {
            let before = if place < FIRST as u32 { 0 } else { left_out.attempts };
            attempt.number = place.saturating_add(before).saturating_add(1);
        }
        Self { kept, left_out }
    }

    /// Those that are kept, in order.
    pub fn kept(&self) -> &[Attempt] {
        &self.kept
    }

    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }

    pub fn last(&self) -> Option<&Attempt> {
        self.kept.last()
    }

    /// How many were made.
    pub fn count(&self) -> u32 {
        u32::try_from(self.kept.len()).unwrap_or(u32::MAX).saturating_add(self.left_out.attempts)
    }

    /// How many count for the schedule: all but the probes.
    pub fn scheduled(&self) -> u32 {
        let kept = self.kept.iter().filter(|attempt| !attempt.probe).count();
        u32::try_from(kept).unwrap_or(u32::MAX).saturating_add(self.left_out.scheduled)
    }

    /// The same with one more, which gets the next number. The excerpts of earlier answers are shortened.
    pub(super) fn with(&self, mut attempt: Attempt) -> Self {
        attempt.number = self.count().saturating_add(1);
        let mut next = self.clone();
        next.kept.iter_mut().for_each(|earlier| earlier.outcome.shorten());
        next.kept.push(attempt);
        if next.kept.len() > FIRST + LAST {
            let dropped = next.kept.remove(FIRST);
            next.left_out.attempts = next.left_out.attempts.saturating_add(1);
            next.left_out.scheduled = next.left_out.scheduled.saturating_add(u32::from(!dropped.probe));
        }
        next
    }
}

impl From<Vec<Attempt>> for Attempts {
    fn from(kept: Vec<Attempt>) -> Self {
        Self::stored(kept, LeftOut::default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::attempt::Outcome;
    use crate::value::Timestamp;

    #[test]
    fn of_very_many_attempts_the_first_and_the_last_are_kept_and_all_are_counted() {
        let mut attempts = Attempts::default();
        for n in 1..=4_000_u64 {
            let at = Timestamp::from_unix_ms(n);
            let attempt =
                Attempt { number: 0, at, took: Duration::ZERO, outcome: Outcome::TimedOut, probe: n.is_multiple_of(4) };
            attempts = attempts.with(attempt);
            assert_eq!(attempts.count() as u64, n);
            assert_eq!(attempts.scheduled() as u64, n - n / 4);
            assert!(attempts.kept().len() <= FIRST + LAST);
        }
        let numbers: Vec<u32> = attempts.kept().iter().map(|attempt| attempt.number).collect();
        assert_eq!(numbers, (1..=5).chain(3_976..=4_000).collect::<Vec<u32>>());
        assert!(attempts.kept().iter().all(|attempt| attempt.at.unix_ms() == u64::from(attempt.number)));
        let read = Attempts::stored(attempts.kept().to_vec(), attempts.left_out());
        assert_eq!(read, attempts);
    }
}
