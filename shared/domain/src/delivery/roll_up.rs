//! Statistics of one destination's deliveries in the last day, by the hour in which their events occurred. Rules only:
//! which hours are read when, and what they add up to. `redrive` reads them.
//!
//! An hour is settled when every delivery that is known to be owed was delivered or cancelled. Other hours are read
//! again after waits that grow with their age, because nothing announces when a failed delivery is sent again.
//!
//! Invariant: an hour that never settles is read a bounded number of times (tests:
//! `an_hour_that_never_settles_is_read_a_bounded_number_of_times`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::state::DeliveryState;
use crate::attempt::{Latencies, Outcome};
use crate::value::{AccountId, DeliveryId, DestinationId, Timestamp};

/// How many hours are reported, including the current one.
pub const HOURS: u64 = 24;
/// An hour that is not settled is read again after its age divided by this.
const PART_OF_AGE: u32 = 8;
const DAY: Duration = Duration::from_secs(HOURS * 3_600);
/// How long a roll-up is kept after it was computed: until none of it is in the last day.
pub const KEPT: Duration = Duration::from_secs((HOURS + 1) * 3_600);

/// An hour of the clock, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub u64);

impl Hour {
    pub fn of(moment: Timestamp) -> Self {
        Self(moment.unix_seconds() / 3_600)
    }

    pub fn begin(self) -> Timestamp {
        Timestamp::from_unix_ms(self.0.saturating_mul(3_600_000))
    }

    /// The beginning of the next hour.
    pub fn end(self) -> Timestamp {
        Self(self.0.saturating_add(1)).begin()
    }

    /// The hours that are reported at `now`, oldest first.
    pub fn told_at(now: Timestamp) -> impl DoubleEndedIterator<Item = Self> {
        let last = Self::of(now).0;
        (last.saturating_sub(HOURS - 1)..=last).map(Self)
    }

    fn is_told_at(self, now: Timestamp) -> bool {
        let last = Self::of(now).0;
        (last.saturating_sub(HOURS - 1)..=last).contains(&self.0)
    }
}

/// The part of a delivery's row that is added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryResult {
    pub id: DeliveryId,
    pub state: DeliveryState,
    /// Whether any attempt failed.
    pub failed: bool,
    /// How long the successful attempt took.
    pub took: Option<Duration>,
}

impl DeliveryResult {
    /// The result of a row with these attempts, in order.
    pub fn new<'a>(
        id: DeliveryId,
        state: DeliveryState,
        attempts: impl Iterator<Item = (&'a Outcome, Duration)>,
    ) -> Self {
        let (mut failed, mut delivered) = (false, None);
        for (outcome, took) in attempts {
            match outcome.is_delivered() {
                true => delivered = Some(took),
                false => failed = true,
            }
        }
        Self { id, state, failed, took: delivered.filter(|_| state == DeliveryState::Delivered) }
    }
}

/// Numbers of deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub delivered: u64,
    /// Given up, or to be attempted again after a failed attempt: retrying or parked.
    pub failed: u64,
    /// Set aside without a failed attempt.
    pub parked: u64,
    pub cancelled: u64,
    /// Not attempted yet.
    pub waiting: u64,
    pub latencies: Latencies,
    /// Whether there are more deliveries than were counted.
    pub partial: bool,
}

impl Tally {
    pub fn add(&mut self, result: &DeliveryResult) {
        let count = match result.state {
            DeliveryState::Delivered => &mut self.delivered,
            DeliveryState::Exhausted => &mut self.failed,
            DeliveryState::Retrying { .. } if result.failed => &mut self.failed,
            DeliveryState::Retrying { .. } => &mut self.waiting,
            // It was parked after a failed attempt, such as one that opened the breaker, or a probe.
            DeliveryState::Parked if result.failed => &mut self.failed,
            DeliveryState::Parked => &mut self.parked,
            DeliveryState::Cancelled => &mut self.cancelled,
        };
        *count += 1;
        if let Some(took) = result.took {
            self.latencies.add(took);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.delivered, other.delivered),
            (&mut self.failed, other.failed),
            (&mut self.parked, other.parked),
            (&mut self.cancelled, other.cancelled),
            (&mut self.waiting, other.waiting),
        ] {
            *mine = mine.saturating_add(theirs);
        }
        self.latencies.merge(&other.latencies);
        self.partial |= other.partial;
    }

    pub fn count(&self) -> u64 {
        [self.failed, self.parked, self.cancelled, self.waiting]
            .iter()
            .fold(self.delivered, |sum, n| sum.saturating_add(*n))
    }

    /// The delivered part of the deliveries that have an outcome; none if none has.
    pub fn success_rate(&self) -> Option<f64> {
        let ended = self.delivered.saturating_add(self.failed);
        (ended > 0).then(|| self.delivered as f64 / ended as f64)
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
        read: BTreeMap<Hour, HourRead>,
        now: Timestamp,
    ) -> Self {
        let mut hours = before.map(|before| before.hours).unwrap_or_default();
        for (hour, mut read) in read {
            // What was owed before is still owed, whether or not it has a row by now.
            let owed = hours.get(&hour).map_or(0, |before| before.owed);
            read.owed = if read.tally.partial { read.tally.count() } else { read.owed.max(owed) };
            hours.insert(hour, read);
        }
        hours.retain(|hour, read| hour.is_told_at(now) && read.owed > 0);
        Self { account: account.clone(), destination: destination.clone(), computed_at: now, hours }
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

    /// Whether it reports anything different from `before`.
    pub fn tells_other_than(&self, before: Option<&Self>) -> bool {
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
