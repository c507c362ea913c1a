//! What became of one destination's deliveries in the last day, by the hour of the clock in which their events occurred. The rules
//! only: which hours are read when, and what they add up to. `redrive` reads them.
//!
//! An hour is settled when everything that is known to be owed of it was delivered or cancelled. One that is not is read again,
//! after waits that grow with its age, because nothing tells when a delivery that failed is sent again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::record::DeliveryState;
use crate::attempt::{Latencies, Outcome};
use crate::value::{AccountId, DeliveryId, DestinationId, Timestamp};

/// How many hours are told of, the present one included.
pub const HOURS: u64 = 24;
/// An hour that is not settled is read again after such a part of its age.
const PART_OF_AGE: u32 = 8;
const DAY: Duration = Duration::from_secs(HOURS * 3_600);
/// How long a roll-up is kept after it was computed: until nothing it tells is of the last day.
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

    /// Where the next one begins.
    pub fn end(self) -> Timestamp {
        Self(self.0.saturating_add(1)).begin()
    }

    /// The hours that are told of at `now`, oldest first.
    pub fn told_at(now: Timestamp) -> impl DoubleEndedIterator<Item = Self> {
        let last = Self::of(now).0;
        (last.saturating_sub(HOURS - 1)..=last).map(Self)
    }

    fn is_told_at(self, now: Timestamp) -> bool {
        let last = Self::of(now).0;
        (last.saturating_sub(HOURS - 1)..=last).contains(&self.0)
    }
}

/// What is asked of a delivery's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryResult {
    pub id: DeliveryId,
    pub state: DeliveryState,
    /// Whether any attempt was made that did not deliver it.
    pub failed: bool,
    /// How long the attempt took that delivered it.
    pub took: Option<Duration>,
}

impl DeliveryResult {
    /// Of a row with these attempts, in their order.
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

/// Deliveries, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub delivered: u64,
    /// Given up, or to be attempted again after an attempt that failed.
    pub failed: u64,
    pub parked: u64,
    pub cancelled: u64,
    /// To be attempted for the first time.
    pub waiting: u64,
    pub latencies: Latencies,
    /// Whether there are more than were counted.
    pub partial: bool,
}

impl Tally {
    pub fn add(&mut self, result: &DeliveryResult) {
        let count = match result.state {
            DeliveryState::Delivered => &mut self.delivered,
            DeliveryState::Exhausted => &mut self.failed,
            DeliveryState::Retrying { .. } if result.failed => &mut self.failed,
            DeliveryState::Retrying { .. } => &mut self.waiting,
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

    /// The part that was delivered of what has an outcome; none where nothing has.
    pub fn success_rate(&self) -> Option<f64> {
        let ended = self.delivered.saturating_add(self.failed);
        (ended > 0).then(|| self.delivered as f64 / ended as f64)
    }
}

/// What an hour of a destination was when it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourRead {
    pub at: Timestamp,
    pub tally: Tally,
    /// How many deliveries are known to be owed: more than were counted where some had no row yet.
    pub owed: u64,
    /// Whether more may be owed than is known, so that it is worth a second look.
    pub unsure: bool,
}

impl HourRead {
    /// When it is to be read again; never where it is settled.
    fn due_at(&self, hour: Hour, at_least: Duration) -> Option<Timestamp> {
        let open = self.tally.failed + self.tally.parked + self.tally.waiting > 0 || self.owed > self.tally.count();
        let wait = at_least.max(self.at.since(hour.begin()) / PART_OF_AGE);
        (open || self.unsure).then(|| self.at.plus(wait))
    }
}

/// What one destination was owed, hour by hour. Hours of which nothing is known to be owed are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollUp {
    pub account: AccountId,
    pub destination: DestinationId,
    pub computed_at: Timestamp,
    pub hours: BTreeMap<Hour, HourRead>,
}

impl RollUp {
    /// The hours to be read at `now`: those of what has been sealed since, those that are due to be read again (after `at_least` and
    /// a part of their age), and every one since the hour in which it was last computed, so that what was missed is found.
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

    /// The roll-up at `now`, with what was read of these hours; the others stay as they were, and those before yesterday go.
    pub fn with(
        before: Option<Self>,
        account: &AccountId,
        destination: &DestinationId,
        read: BTreeMap<Hour, HourRead>,
        now: Timestamp,
    ) -> Self {
        let mut hours = before.map(|before| before.hours).unwrap_or_default();
        for (hour, mut read) in read {
            // What was owed before is owed still, whether or not it has a row by now.
            let owed = hours.get(&hour).map_or(0, |before| before.owed);
            read.owed = if read.tally.partial { read.tally.count() } else { read.owed.max(owed) };
            hours.insert(hour, read);
        }
        hours.retain(|hour, read| hour.is_told_at(now) && read.owed > 0);
        Self { account: account.clone(), destination: destination.clone(), computed_at: now, hours }
    }

    /// When an hour of it is to be read again, if any is, while it is told of.
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

    /// Whether it tells anything else than `before`.
    pub fn tells_other_than(&self, before: Option<&Self>) -> bool {
        let told = |of: &Self| of.hours.iter().map(|(hour, read)| (*hour, read.tally.clone())).collect::<Vec<_>>();
        before.map_or(!self.hours.is_empty(), |before| told(self) != told(before))
    }

    /// The last day at `now`: each hour, oldest first, and all of them together.
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
