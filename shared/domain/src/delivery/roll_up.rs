//! Statistics of one destination's deliveries in the last day, by the hour in which their events occurred. Rules only:
//! which hours are read when, and what they add up to. `redrive` reads them.
//!
//! An hour is settled when every delivery that is known to be owed was delivered or cancelled. Other hours are read
//! again after waits that grow with their age, because nothing announces when a failed delivery is sent again. The
//! newest hour is not read from its beginning each time: [`summing`](super::summing) says from where.
//!
//! Invariant: an hour that never settles is read a bounded number of times (tests:
//! `an_hour_that_never_settles_is_read_a_bounded_number_of_times`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::summing::{Begun, HourRead, Summed};
use super::tally::{HOURS, Hour, Tally};
use crate::value::{AccountId, DestinationId, Timestamp};

/// An hour that is not settled is read again after its age divided by this.
const PART_OF_AGE: u32 = 8;
const DAY: Duration = Duration::from_secs(HOURS * 3_600);
/// How long a roll-up is kept after it was computed: until none of it is in the last day.
pub const KEPT: Duration = Duration::from_secs((HOURS + 1) * 3_600);
/// A replay holds a roll-up open for one to two of these, so that it writes that only once in a while.
const HOLD_MS: u64 = 600_000;

impl HourRead {
    /// When it has to be read again; none if it is settled.
    fn due_at(&self, hour: Hour, at_least: Duration) -> Option<Timestamp> {
        let open = self.tally.failed + self.tally.parked + self.tally.waiting > 0 || self.owed > self.tally.count();
        let wait = at_least.max(self.at.since(hour.begin()) / PART_OF_AGE);
        (open || self.unsure).then(|| self.at.plus(wait))
    }
}

/// The deliveries that one destination was owed, by hour. Hours in which nothing is known to be owed are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollUp {
    pub account: AccountId,
    pub destination: DestinationId,
    pub computed_at: Timestamp,
    pub hours: BTreeMap<Hour, HourRead>,
    /// The settled beginning of the newest hour that has one.
    pub begun: Option<Begun>,
    /// Until then nothing is settled, because a replay adds deliveries of the past.
    pub held_until: Option<Timestamp>,
}

impl RollUp {
    /// The hours to be read at `now`: those of events that were sealed since, those that are due again (after `at_least`
    /// and a part of their age), and every hour since the one in which the roll-up was last computed, so that nothing is
    /// missed.
    pub fn hours_to_read(
        before: Option<&Self>,
        touched: impl Iterator<Item = Hour>,
        at_least: Duration,
        now: Timestamp,
    ) -> BTreeSet<Hour> {
        let touched = touched.filter(|hour| hour.is_told_at(now));
        let since = before.map_or(Hour(0), |before| Hour::of(before.computed_at));
        let known = before.into_iter().flat_map(|before| &before.hours);
        let due = known.filter(|(hour, read)| read.due_at(**hour, at_least).is_some_and(|due_at| due_at <= now));
        let due = due.map(|(hour, _)| *hour).filter(|hour| hour.is_told_at(now));
        touched.chain(due).chain(Hour::told_at(now).filter(|hour| *hour >= since)).collect()
    }

    /// The roll-up at `now` with these hours as they were just read. The others stay the same, and hours that are no
    /// longer reported are dropped.
    pub fn with(
        before: Option<Self>,
        account: &AccountId,
        destination: &DestinationId,
        read: BTreeMap<Hour, impl Into<Summed>>,
        now: Timestamp,
    ) -> Self {
        let held_until = before.as_ref().and_then(|before| before.held_until).filter(|until| *until > now);
        // Nobody wrote down what was missing before the first time, and no replay can hold what is not stored.
        let first = before.is_none();
        let (mut hours, mut begun) = before.map(|before| (before.hours, before.begun)).unwrap_or_default();
        for (hour, summed) in read {
            let Summed { mut read, settled, continued, .. } = summed.into();
            // What was owed before is still owed, whether or not it has a row by now.
            let owed = hours.get(&hour).map_or(0, |before| before.owed);
            read.owed = if read.tally.partial { read.tally.count() } else { read.owed.max(owed) };
            let older_may_come = read.unsure || read.owed > read.tally.count() || (first && read.owed > 0);
            let (ours, newer) = (begun.take_if(|begun| begun.hour == hour), begun.clone());
            let stays = older_may_come || ours.as_ref().is_some_and(|begun| begun.stays);
            let ours = ours.filter(|_| continued);
            let next = if stays {
                Some(ours.map_or(Begun::open(hour), |begun| Begun { stays, ..begun }))
            } else {
                settled.filter(|_| held_until.is_none()).or(ours)
            };
            begun = newer.filter(|begun| begun.hour > hour || next.is_none()).or(next);
            hours.insert(hour, read);
        }
        hours.retain(|hour, read| hour.is_told_at(now) && read.owed > 0);
        let begun = begun.filter(|begun| begun.hour.is_told_at(now));
        let (account, destination) = (account.clone(), destination.clone());
        Self { account, destination, computed_at: now, hours, begun, held_until }
    }

    /// Until when a replay at `now` holds roll-ups open.
    pub fn hold_at(now: Timestamp) -> Timestamp {
        Timestamp::from_unix_ms((now.unix_ms() / HOLD_MS).saturating_add(2).saturating_mul(HOLD_MS))
    }

    /// Held open, so that it counts what is added to the past from now on; none if it is already. Nobody who read it
    /// before can store it any more, because `computed_at` is another one.
    pub fn held(&self, until: Timestamp) -> Option<Self> {
        let computed_at = self.computed_at.minus(Duration::from_millis(1));
        let begun = self.begun.as_ref().filter(|begun| begun.stays).map(|begun| Begun::open(begun.hour));
        (self.held_until < Some(until)).then(|| Self { computed_at, begun, held_until: Some(until), ..self.clone() })
    }

    /// When an hour has to be read again, if any has while it is reported.
    pub fn look_at(&self, at_least: Duration) -> Option<Timestamp> {
        let due = self.hours.iter().filter_map(|(hour, read)| {
            let due_at = read.due_at(*hour, at_least)?;
            (due_at < hour.begin().plus(DAY)).then_some(due_at)
        });
        due.min()
    }

    /// Whether these hours were read at `since` or later.
    pub fn has_read(&self, mut hours: impl Iterator<Item = Hour>, since: Timestamp) -> bool {
        hours.all(|hour| self.hours.get(&hour).is_some_and(|read| read.at >= since))
    }

    /// Whether it has to replace `before` even if nothing of it is listed: it reports anything different, or the next
    /// reading begins elsewhere.
    pub fn replaces(&self, before: Option<&Self>) -> bool {
        self.tells_other_than(before) || before.is_some_and(|before| before.begun != self.begun)
    }

    /// Whether it reports anything different from `before`.
    fn tells_other_than(&self, before: Option<&Self>) -> bool {
        let told = |of: &Self| of.hours.iter().map(|(hour, read)| (*hour, read.tally.clone())).collect::<Vec<_>>();
        before.map_or(!self.hours.is_empty(), |before| told(self) != told(before))
    }

    /// The last day at `now`: each hour, oldest first, and their sum.
    pub fn last_day(of: Option<&Self>, now: Timestamp) -> (Vec<(Hour, Tally)>, Tally) {
        let tally = |hour: &Hour| Some(of?.hours.get(hour)?.tally.clone());
        let hours: Vec<_> = Hour::told_at(now).map(|hour| (hour, tally(&hour).unwrap_or_default())).collect();
        let mut all = Tally::default();
        hours.iter().for_each(|(_, tally)| all.merge(tally));
        (hours, all)
    }
}

#[cfg(test)]
mod tests;
