//! Numbers of deliveries by the hour in which their events occurred.

use std::time::Duration;

use super::state::DeliveryState;
use crate::attempt::Latencies;
use crate::value::{DeliveryId, Timestamp};

/// How many hours are reported, including the current one.
pub const HOURS: u64 = 24;

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

    pub(super) fn is_told_at(self, now: Timestamp) -> bool {
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
    /// The result of a row with these attempts, in order: whether each delivered, and how long it took.
    pub fn new(id: DeliveryId, state: DeliveryState, attempts: impl Iterator<Item = (bool, Duration)>) -> Self {
        let (mut failed, mut delivered) = (false, None);
        for (delivers, took) in attempts {
            match delivers {
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
