//! The health of a destination, derived from its attempts: a breaker stops calling a destination that is down, probes
//! find out when it works again, and a drain then sends what was parked.
//!
//! Rules only: total functions from a health and something that happened to the next health, or to none if nothing
//! changes. The health of a healthy destination does not change with its deliveries, so it costs nothing.
//!
//! Invariant: a destination that is down is called by probes only, and a healthy one pays nothing for that (tests:
//! `five_failures_in_a_row_open_the_breaker_and_the_rest_of_the_batch_is_set_aside`,
//! `a_retry_of_a_destination_that_is_down_is_set_aside_without_an_attempt`,
//! `a_probe_that_fails_is_set_aside_again_and_does_not_count_for_the_schedule`,
//! `a_failure_now_and_then_opens_nothing_however_many_there_are`, `a_healthy_first_attempt_costs_one_write`).
//!
//! Invariant: a receiver that answers 429 or 503 with `Retry-After` is left alone until then, as a whole, and that is no
//! failure; what was parked meanwhile is drained (tests:
//! `a_receiver_that_asks_to_wait_is_left_alone_as_a_whole_and_that_is_no_failure`,
//! `while_a_destination_is_held_nothing_is_attempted_and_what_comes_is_parked`).
//!
//! Invariant: while anything may be parked for a destination, `redrive` looks at it again, whatever happened to it before
//! (tests: `whatever_happens_something_is_looked_at_while_something_can_be_set_aside`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::health_change::{ChangedTo, HealthChange};
use crate::value::Timestamp;

/// This many failures in a row open the breaker.
pub const FAILURES: u32 = 5;
/// How long a row of failures seen by several containers must last. This is twice as long as a container caches a
/// destination, so that a success seen by any container has had time to end the row.
pub const SHORTEST_ROW: Duration = Duration::from_secs(10);
/// The wait from the breaker's opening to the first probe. It doubles with each probe.
pub const FIRST_PROBE: Duration = Duration::from_secs(60);
/// The longest wait between probes.
pub const LAST_PROBES: Duration = Duration::from_secs(3_600);
/// A destination that has been failing for this long is disabled: five days.
pub const GIVE_UP: Duration = Duration::from_secs(5 * 86_400);
/// How often a drain sends a part of the parked deliveries, and looks for more.
pub const DRAIN_EVERY: Duration = Duration::from_secs(60);
/// For how long after its recovery a destination is checked for deliveries that were parked in the meantime: longer
/// than a batch (60 s) and the time for which its container caches the destination (5 s).
pub const DRAIN_AT_LEAST: Duration = Duration::from_secs(120);
/// How often `redrive` looks for parked deliveries that are about to expire.
pub const EXPIRY_EVERY: Duration = Duration::from_secs(6 * 3_600);
/// A hold is only lengthened by this much or more, so that many answers that ask for the same are one change.
const LONGER: Duration = Duration::from_secs(1);
/// How many deliveries a drain sends per second, at most.
const DRAIN_PER_SECOND: u64 = 20;

/// When a destination began to fail whose stored health cannot be understood.
fn nobody_knows() -> Timestamp {
    Timestamp::from_unix_ms(0)
}

/// How many deliveries per second a drain sends to a destination with this rate limit, at most.
pub fn drained_per_second(rate_limit: Option<u64>) -> u64 {
    rate_limit.map_or(DRAIN_PER_SECOND, |limit| limit.min(DRAIN_PER_SECOND))
}

/// What is known about the health of a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    #[serde(flatten)]
    pub state: HealthState,
    /// Failures since the last success.
    #[serde(default)]
    pub failures: u32,
    /// When the first of these failures ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Present while parked deliveries are being sent again, or will be after a hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    /// The receiver asked to be left alone until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// Present while something may be parked: when `redrive` looks for what is about to expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
    /// The changes that have not been reported yet, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<HealthChange>,
    /// Counts the changes. Of two changes at the same time, one is refused and made again.
    #[serde(default)]
    pub version: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum HealthState {
    #[default]
    Healthy,
    /// The breaker is open: only probes are sent. It is half open when there was nothing to probe with; then the next
    /// delivery is the probe.
    Failing {
        since: Timestamp,
        probes: u32,
        next_probe_at: Timestamp,
        #[serde(default)]
        half_open: bool,
    },
    /// Nothing is sent until the owner resumes it.
    Disabled { since: Timestamp, reason: DisabledReason },
    /// Its account is being deleted: nothing is sent or recorded.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// It answered `410 Gone`.
    Gone,
    /// It has been failing for [`GIVE_UP`].
    Failing,
}

impl DisabledReason {
    pub fn as_str(self) -> &'static str {
        match self {
            DisabledReason::Gone => "gone",
            DisabledReason::Failing => "failing",
        }
    }
}

/// Parked deliveries are being sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    pub since: Timestamp,
    pub next_at: Timestamp,
}

/// How far `redrive` has told its owner of parked deliveries that are about to expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    pub look_at: Timestamp,
    /// Of what expires before then, the owner has been told.
    pub told_until: Timestamp,
}

/// One failed attempt, as far as health is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    /// When it ended.
    pub at: Timestamp,
    /// It answered `410 Gone`.
    pub gone: bool,
    /// It was a probe.
    pub probe: bool,
    /// How long the receiver asked us to wait.
    pub retry_after: Duration,
    /// It answered 429 or 503 and asked us to wait: it is not down, but wants to be left alone.
    pub asks_to_wait: bool,
    /// How many attempts in a row the reporting container has seen fail, including this one.
    pub seen_in_a_row: u32,
    /// It was the delivery of an operational event.
    pub operational: bool,
}

/// What may be sent to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Everything,
    /// Only probes; other deliveries are parked.
    Probes,
    Nothing,
    /// Not even a row may be written.
    Closed,
}

/// The wait from probe number `probes` to the next one; for 0, from the opening of the breaker.
fn between_probes(probes: u32) -> Duration {
    FIRST_PROBE.saturating_mul(1 << probes.min(10)).min(LAST_PROBES)
}

impl HealthState {
    /// This state, with `now` as its beginning if that is not known.
    fn dated(self, now: Timestamp) -> Self {
        match self {
            HealthState::Failing { since, probes, next_probe_at, half_open } if since == nobody_knows() => {
                HealthState::Failing { since: now, probes, next_probe_at, half_open }
            }
            known => known,
        }
    }
}

impl Health {
    /// Stands for a stored health that cannot be understood: it counts as failing, and the next delivery shows how the
    /// destination is. `version` is the stored one, so that the next change replaces what is stored.
    pub fn unreadable(version: u64) -> Self {
        let (since, next_probe_at) = (nobody_knows(), nobody_knows());
        let state = HealthState::Failing { since, probes: 0, next_probe_at, half_open: true };
        Self { state, version, ..Self::default() }
    }

    pub fn admission(&self) -> Admission {
        match self.state {
            HealthState::Healthy | HealthState::Failing { half_open: true, .. } => Admission::Everything,
            HealthState::Failing { .. } => Admission::Probes,
            HealthState::Disabled { .. } => Admission::Nothing,
            HealthState::Closed => Admission::Closed,
        }
    }

    /// Whether the receiver has asked to be left alone.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.state == HealthState::Healthy && self.held_until.is_some_and(|until| until > now)
    }

    /// When `redrive` has to look at the destination again: to report a change, to probe, to drain, or for what is about
    /// to expire. `paused` says whether its owner wants nothing sent.
    pub fn look_at(&self, paused: bool) -> Option<Timestamp> {
        let told = self.untold.first().map(|change| change.at);
        let probe = match self.state {
            HealthState::Failing { next_probe_at, half_open: false, .. } => Some(next_probe_at),
            _ => None,
        };
        let drain = self.drain.map(|drain| drain.next_at);
        let expiry = self.expiry.map(|expiry| expiry.look_at);
        [told, probe.filter(|_| !paused), drain.filter(|_| !paused), expiry].into_iter().flatten().min()
    }

    fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }

    fn tell(&mut self, to: ChangedTo, at: Timestamp, failing_since: Timestamp, by_operational: bool) {
        self.untold.push(HealthChange { to, at, failing_since, failures: self.failures, by_operational });
    }

    fn disabled(&self, failure: Failure, since: Timestamp, reason: DisabledReason) -> Self {
        let mut next = self.next();
        (next.state, next.drain) = (HealthState::Disabled { since: failure.at, reason }, None);
        next.watch_expiry(failure.at);
        let to = match reason {
            DisabledReason::Gone => ChangedTo::Gone,
            DisabledReason::Failing => ChangedTo::GivenUp,
        };
        next.tell(to, failure.at, since, failure.operational);
        next
    }

    /// The health after a failed attempt.
    pub fn failed(&self, failure: Failure) -> Option<Self> {
        let since = self.failing_since.unwrap_or(failure.at).min(failure.at);
        match self.state.dated(failure.at) {
            HealthState::Disabled { .. } | HealthState::Closed => None,
            _ if failure.gone => Some(self.disabled(failure, since, DisabledReason::Gone)),
            HealthState::Failing { since, half_open, .. }
                if (failure.probe || half_open) && failure.at.since(since) >= GIVE_UP =>
            {
                Some(self.disabled(failure, since, DisabledReason::Failing))
            }
            HealthState::Failing { since, probes, half_open: true, .. } => {
                let next_probe_at = failure.at.plus(between_probes(probes).max(failure.retry_after));
                let mut next = self.next();
                next.state = HealthState::Failing { since, probes, next_probe_at, half_open: false };
                next.drain = None;
                next.watch_expiry(failure.at);
                Some(next)
            }
            HealthState::Failing { since, probes, next_probe_at, half_open } => {
                // What the receiver asks for only lengthens the wait.
                let asked = failure.at.plus(failure.retry_after);
                let mut next = self.next();
                next.state = HealthState::Failing { since, probes, next_probe_at: asked, half_open };
                (!failure.retry_after.is_zero() && asked > next_probe_at).then_some(next)
            }
            HealthState::Healthy if failure.asks_to_wait => self.held(failure.at, failure.at.plus(failure.retry_after)),
            HealthState::Healthy => {
                let mut next = self.next();
                (next.failures, next.failing_since) = (self.failures.saturating_add(1), Some(since));
                let proven = failure.seen_in_a_row >= FAILURES || failure.at.since(since) >= SHORTEST_ROW;
                if next.failures >= FAILURES && proven {
                    let next_probe_at = failure.at.plus(FIRST_PROBE.max(failure.retry_after));
                    next.state = HealthState::Failing { since, probes: 0, next_probe_at, half_open: false };
                    (next.drain, next.held_until) = (None, None);
                    next.watch_expiry(failure.at);
                    next.tell(ChangedTo::Failing, failure.at, since, failure.operational);
                }
                Some(next)
            }
        }
    }

    /// The health after the receiver asked at `now` to be left alone until `until`; then what was parked is drained.
    fn held(&self, now: Timestamp, until: Timestamp) -> Option<Self> {
        let longer = self.held_until.is_none_or(|known| until.since(known) >= LONGER);
        let drain = Some(Drain { since: until, next_at: until });
        (longer && until > now).then(|| Self { held_until: Some(until), drain, ..self.next() })
    }

    /// The health after something was parked: from now on it is looked for before it expires.
    pub fn parked(&self, now: Timestamp) -> Option<Self> {
        let mut next = self.next();
        next.watch_expiry(now);
        (self.expiry.is_none() && self.state != HealthState::Closed).then_some(next)
    }

    /// The same change, where something parked could not be read or written: it is looked for again.
    #[must_use]
    pub fn with_expiry_watched(mut self, before: &Self, now: Timestamp) -> Self {
        self.expiry = before.expiry;
        self.watch_expiry(now);
        self
    }

    fn watch_expiry(&mut self, now: Timestamp) {
        self.expiry.get_or_insert(Expiry { look_at: now.plus(EXPIRY_EVERY), told_until: now });
    }

    /// The health after it was looked for what is about to expire; `None` for nothing that is parked.
    pub fn looked_for_expiry(&self, expiry: Option<Expiry>) -> Self {
        Self { expiry, ..self.next() }
    }

    /// The health after a successful attempt.
    pub fn succeeded(&self, at: Timestamp, operational: bool) -> Option<Self> {
        let mut next = self.next();
        (next.failures, next.failing_since) = (0, None);
        match self.state.dated(at) {
            HealthState::Disabled { .. } | HealthState::Closed => None,
            HealthState::Healthy => (self.failures > 0).then_some(next),
            HealthState::Failing { since, .. } => {
                (next.state, next.drain) = (HealthState::Healthy, Some(Drain { since: at, next_at: at }));
                next.tell(ChangedTo::Recovered, at, since, operational);
                Some(next)
            }
        }
    }

    /// The health after a probe was sent.
    pub fn probed(&self, now: Timestamp) -> Option<Self> {
        let HealthState::Failing { since, probes, .. } = self.state else { return None };
        let probes = probes.saturating_add(1);
        let mut next = self.next();
        let next_probe_at = now.plus(between_probes(probes));
        (next.state, next.drain) = (HealthState::Failing { since, probes, next_probe_at, half_open: false }, None);
        Some(next)
    }

    /// The health after a probe was due and nothing was parked to send. For a while `redrive` checks whether something
    /// has been parked after all.
    pub fn half_opened(&self, now: Timestamp) -> Option<Self> {
        let HealthState::Failing { since, probes, next_probe_at, .. } = self.state else { return None };
        let mut next = self.next();
        next.state = HealthState::Failing { since, probes, next_probe_at, half_open: true };
        next.drain = Some(Drain { since: now, next_at: now.plus(DRAIN_EVERY) });
        Some(next)
    }

    /// The health after a drain sent a part; `empty` says that nothing was left.
    pub fn drained(&self, now: Timestamp, empty: bool) -> Option<Self> {
        let drain = self.drain?;
        let mut next = self.next();
        let over = empty && now.since(drain.since) >= DRAIN_AT_LEAST;
        next.drain = (!over).then(|| Drain { next_at: now.plus(DRAIN_EVERY), ..drain });
        next.held_until = self.held_until.filter(|until| *until > now);
        next.expiry = self.expiry.filter(|_| !over);
        Some(next)
    }

    /// The health after a drain that had no time for its whole part: the rest is sent from `next_at` on.
    pub fn drained_until(&self, next_at: Timestamp) -> Option<Self> {
        let drain = self.drain?;
        Some(Self { drain: Some(Drain { next_at, ..drain }), ..self.next() })
    }

    /// The health after the owner resumed the destination, or after something was found parked for no reason.
    pub fn resumed(&self, now: Timestamp) -> Self {
        let mut next = self.next();
        next.held_until = None;
        match self.state {
            HealthState::Closed => {}
            HealthState::Failing { since, probes, .. } => {
                next.state = HealthState::Failing { since, probes, next_probe_at: now, half_open: false };
                next.drain = None;
            }
            HealthState::Healthy | HealthState::Disabled { .. } => {
                next.state = HealthState::Healthy;
                (next.failures, next.failing_since) = (0, None);
                next.drain = Some(Drain { since: now, next_at: now });
            }
        }
        next
    }

    /// The same health, stored again: what depends on the destination's settings is then as they are now.
    pub fn confirmed(&self) -> Self {
        self.next()
    }

    /// The health after the first `count` changes were reported.
    pub fn told(&self, count: usize) -> Self {
        let mut next = self.next();
        next.untold.drain(..count.min(self.untold.len()));
        next
    }

    /// The health of a destination whose account is being deleted; none if it is closed already.
    pub fn closed(&self) -> Option<Self> {
        let open = self.state != HealthState::Closed;
        let closed = Self { state: HealthState::Closed, drain: None, untold: Vec::new(), expiry: None, ..self.next() };
        open.then_some(closed)
    }
}

#[cfg(test)]
mod tests;
