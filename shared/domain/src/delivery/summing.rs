//! Adds up one hour of a destination while its rows are read, newest first, and says up to where it is settled. The next
//! reading continues from there: it adds what was counted before to the rows that follow.
//!
//! Why what was counted before stays true:
//!
//! - Every delivery in it was delivered when it was read, and [what was delivered stays delivered](super::custody). A
//!   later resend may change how long the delivery took, which is not counted again. Cancelled deliveries are not in it,
//!   because they can be sent again.
//! - A row comes later only if its delivery was owed before and had no row yet, or was owed later. In the first case it
//!   was known and missing, or it was not known what was owed: from then on, the hour is not settled any further. Nor is
//!   the hour in which a destination is added up for the first time. In the second case its event was sealed later, and
//!   whoever reads the hour next knows the delivery and reads the hour whole.
//! - A replay is the exception: it adds deliveries to events that were sealed long before. It writes their rows, and then
//!   holds the roll-up open ([`RollUp::held`](super::RollUp::held)): nothing of it is settled for a while.
//!
//! Not covered are deliveries that nobody knew of: those of an account that failed twice and was skipped, and had no row
//! ten minutes later. They are delivered, and audited, but may be missing in the numbers of an hour.
//!
//! Invariant: an hour that is continued adds up to the same as one that is read whole (tests:
//! `an_hour_that_is_continued_adds_up_to_the_same_as_one_that_is_read_whole`).

use std::collections::BTreeSet;
use std::time::Duration;

use super::state::DeliveryState;
use super::tally::{DeliveryResult, Hour, Tally};
use crate::value::{DeliveryId, Timestamp};

/// How long ago an event has to have occurred to be settled. A stretch is rolled up a minute after its end, so events that
/// are sealed up to a minute late do not cause an hour to be read whole.
pub const LATE: Duration = Duration::from_secs(120);

/// The settled beginning of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    pub hour: Hour,
    /// Every delivery of the hour whose event occurred before this was delivered.
    pub to: Timestamp,
    pub tally: Tally,
    /// Whether it stays as it is, because what comes may be older than what was read.
    pub stays: bool,
}

impl Begun {
    /// Of an hour of which nothing is settled from now on.
    pub fn open(hour: Hour) -> Self {
        Self { hour, to: hour.begin(), tally: Tally::default(), stays: true }
    }

    /// Whether an hour in which these are known to be owed, and nothing else, can be continued from here.
    fn covers(&self, hour: Hour, known: Option<&BTreeSet<DeliveryId>>) -> bool {
        // Ids of one destination sort by time.
        let first = known.and_then(BTreeSet::first);
        self.hour == hour && first.is_none_or(|first| first.occurred_at() >= self.to)
    }
}

/// An hour of a destination as it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourRead {
    pub at: Timestamp,
    pub tally: Tally,
    /// How many deliveries are known to be owed: more than were counted if some had no row yet.
    pub owed: u64,
    /// Whether more may be owed than is known, so that it is worth reading again.
    pub unsure: bool,
}

/// What reading an hour came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summed {
    pub read: HourRead,
    /// Up to where the hour is settled, unless something that was known before is missing.
    pub settled: Option<Begun>,
    /// Whether it was not read whole.
    pub continued: bool,
    /// Whether each delivery that was known to be owed was delivered.
    pub all_delivered: bool,
}

impl From<HourRead> for Summed {
    fn from(read: HourRead) -> Self {
        Self { read, settled: None, continued: false, all_delivered: false }
    }
}

/// An hour while it is read.
#[derive(Debug)]
pub struct Summing<'a> {
    hour: Hour,
    known: Option<&'a BTreeSet<DeliveryId>>,
    unsure: bool,
    now: Timestamp,
    /// Where the reading begins, if not at the beginning of the hour.
    begun: Option<&'a Begun>,
    tally: Tally,
    /// What was read of the part that may be settled: before `limit`, and nothing open is older.
    settled: Tally,
    limit: Timestamp,
    newest: Option<Timestamp>,
    /// How many of the known deliveries have a row, and how many were delivered.
    seen: usize,
    delivered: usize,
}

impl<'a> Summing<'a> {
    /// An hour that is read at `now`. These deliveries are known to be owed, and if it is `unsure`, others may be.
    pub fn new(
        hour: Hour,
        known: Option<&'a BTreeSet<DeliveryId>>,
        unsure: bool,
        begun: Option<&'a Begun>,
        now: Timestamp,
    ) -> Self {
        let unsure = unsure && known.is_some();
        let begun = begun.filter(|begun| !unsure && begun.covers(hour, known));
        let (tally, settled) = (begun.map(|begun| begun.tally.clone()).unwrap_or_default(), Tally::default());
        let (limit, newest) = (hour.end().min(now.minus(LATE)), None);
        Self { hour, known, unsure, now, begun, tally, settled, limit, newest, seen: 0, delivered: 0 }
    }

    pub fn hour(&self) -> Hour {
        self.hour
    }

    /// Where its rows have to be read from.
    pub fn since(&self) -> Timestamp {
        self.begun.map_or(self.hour.begin(), |begun| begun.to)
    }

    /// Adds the next older row.
    pub fn add(&mut self, result: &DeliveryResult) {
        self.tally.add(result);
        let (occurred_at, delivered) = (result.id.occurred_at(), result.state == DeliveryState::Delivered);
        if self.known.is_some_and(|known| known.contains(&result.id)) {
            self.seen += 1;
            self.delivered += usize::from(delivered);
        }
        if occurred_at >= self.limit {
            return;
        }
        if delivered {
            self.settled.add(result);
            self.newest = self.newest.max(Some(occurred_at));
        } else {
            // Only what is older than this may be settled.
            (self.settled, self.limit, self.newest) = (Tally::default(), occurred_at, None);
        }
    }

    /// How many deliveries were counted so far.
    pub fn count(&self) -> u64 {
        self.tally.count()
    }

    /// What the hour comes to; `partial` if not all of its rows were read.
    pub fn sum(mut self, partial: bool) -> Summed {
        self.tally.partial |= partial;
        let known = self.known.map_or(0, BTreeSet::len);
        let missing = u64::try_from(known.saturating_sub(self.seen)).unwrap_or(u64::MAX);
        let owed = self.tally.count().saturating_add(missing);
        let settled = self.newest.filter(|_| missing == 0 && !self.unsure && !self.tally.partial).map(|newest| {
            let mut tally = self.settled;
            self.begun.iter().for_each(|begun| tally.merge(&begun.tally));
            Begun { hour: self.hour, to: newest.plus(Duration::from_millis(1)), tally, stays: false }
        });
        Summed {
            read: HourRead { at: self.now, tally: self.tally, owed, unsure: self.unsure },
            settled,
            continued: self.begun.is_some(),
            all_delivered: !self.unsure && self.delivered == known,
        }
    }
}

#[cfg(test)]
mod tests;
