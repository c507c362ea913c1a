//! How a destination does, as far as its attempts tell: the breaker that stops calling one that is down, the probes that find
//! out when it is back, and the drain that then sends what was set aside.
//!
//! Rules only: total functions from a health and what happened to the next health, or to none where nothing changes. A healthy
//! destination has nothing to change, so it costs nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::health_change::{ChangedTo, HealthChange};
use crate::value::Timestamp;

/// So many failures in a row open the breaker.
pub const FAILURES: u32 = 5;
/// How long a row of failures told by several containers must last: twice what each of them keeps of a destination, so that a
/// success seen by any of them has had the time to end the row.
pub const SHORTEST_ROW: Duration = Duration::from_secs(10);
/// From the breaker's opening to the first probe; the wait doubles with each one.
pub const FIRST_PROBE: Duration = Duration::from_secs(60);
/// The longest wait between probes.
pub const LAST_PROBES: Duration = Duration::from_secs(3_600);
/// A destination that has been failing for this long is disabled: five days.
pub const GIVE_UP: Duration = Duration::from_secs(5 * 86_400);
/// How often a part of what was set aside is sent again, and how often that is looked for.
pub const DRAIN_EVERY: Duration = Duration::from_secs(60);
/// For how long after its return a destination is looked at for deliveries that were set aside meanwhile: longer than a batch
/// (60 s) and what its container kept of the destination (5 s).
pub const DRAIN_AT_LEAST: Duration = Duration::from_secs(120);
/// Most deliveries a second that a drain sends.
const DRAIN_PER_SECOND: u64 = 20;

/// Most deliveries a second that a drain sends to a destination with this rate limit.
pub fn drained_per_second(rate_limit: Option<u64>) -> u64 {
    rate_limit.map_or(DRAIN_PER_SECOND, |limit| limit.min(DRAIN_PER_SECOND))
}

/// What is known of how a destination does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    #[serde(flatten)]
    pub state: HealthState,
    /// Failures since the last success.
    #[serde(default)]
    pub failures: u32,
    /// When the first of them ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// There while what was set aside is sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    /// What nobody has been told of yet, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<HealthChange>,
    /// Counts the changes, so that of two at the same time one is made anew.
    #[serde(default)]
    pub version: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum HealthState {
    #[default]
    Healthy,
    /// The breaker is open: nothing is sent but probes. Half open, it had nothing to probe with: the next delivery is the probe.
    Failing {
        since: Timestamp,
        probes: u32,
        next_probe_at: Timestamp,
        #[serde(default)]
        half_open: bool,
    },
    /// Nothing is sent until its owner resumes it.
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

/// Sending again what was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    pub since: Timestamp,
    pub next_at: Timestamp,
}

/// One attempt that failed, as far as health goes.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    /// When it ended.
    pub at: Timestamp,
    /// It answered `410 Gone`.
    pub gone: bool,
    /// It was a probe.
    pub probe: bool,
    /// How long it asked to wait.
    pub retry_after: Duration,
    /// How many attempts in a row the container that tells of it has seen fail, with this one.
    pub seen_in_a_row: u32,
    /// It was the delivery of an operational event.
    pub operational: bool,
}

/// What may be sent to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Everything,
    /// Deliveries are set aside, but for probes.
    Probes,
    Nothing,
    /// Not even a row may be written.
    Closed,
}

/// From the probe of this number to the next one; from the breaker's opening, for 0.
fn between_probes(probes: u32) -> Duration {
    FIRST_PROBE.saturating_mul(1 << probes.min(10)).min(LAST_PROBES)
}

impl Health {
    pub fn admission(&self) -> Admission {
        match self.state {
            HealthState::Healthy | HealthState::Failing { half_open: true, .. } => Admission::Everything,
            HealthState::Failing { .. } => Admission::Probes,
            HealthState::Disabled { .. } => Admission::Nothing,
            HealthState::Closed => Admission::Closed,
        }
    }

    /// When somebody has to look at the destination again: to tell a change, to probe, or to drain. `enabled` says whether its
    /// owner wants anything to be sent.
    pub fn look_at(&self, enabled: bool) -> Option<Timestamp> {
        let told = self.untold.first().map(|change| change.at);
        let probe = match self.state {
            HealthState::Failing { next_probe_at, half_open: false, .. } => Some(next_probe_at),
            _ => None,
        };
        let drain = self.drain.map(|drain| drain.next_at);
        [told, probe.filter(|_| enabled), drain.filter(|_| enabled)].into_iter().flatten().min()
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
        let to = match reason {
            DisabledReason::Gone => ChangedTo::Gone,
            DisabledReason::Failing => ChangedTo::GivenUp,
        };
        next.tell(to, failure.at, since, failure.operational);
        next
    }

    /// After an attempt that failed.
    pub fn failed(&self, failure: Failure) -> Option<Self> {
        let since = self.failing_since.unwrap_or(failure.at).min(failure.at);
        match self.state {
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
                Some(next)
            }
            HealthState::Failing { since, probes, next_probe_at, half_open } => {
                // What the receiver asks for only lengthens the wait.
                let asked = failure.at.plus(failure.retry_after);
                let mut next = self.next();
                next.state = HealthState::Failing { since, probes, next_probe_at: asked, half_open };
                (!failure.retry_after.is_zero() && asked > next_probe_at).then_some(next)
            }
            HealthState::Healthy => {
                let mut next = self.next();
                (next.failures, next.failing_since) = (self.failures.saturating_add(1), Some(since));
                let proven = failure.seen_in_a_row >= FAILURES || failure.at.since(since) >= SHORTEST_ROW;
                if next.failures >= FAILURES && proven {
                    let next_probe_at = failure.at.plus(FIRST_PROBE.max(failure.retry_after));
                    next.state = HealthState::Failing { since, probes: 0, next_probe_at, half_open: false };
                    next.drain = None;
                    next.tell(ChangedTo::Failing, failure.at, since, failure.operational);
                }
                Some(next)
            }
        }
    }

    /// After an attempt that delivered.
    pub fn succeeded(&self, at: Timestamp, operational: bool) -> Option<Self> {
        let mut next = self.next();
        (next.failures, next.failing_since) = (0, None);
        match self.state {
            HealthState::Disabled { .. } | HealthState::Closed => None,
            HealthState::Healthy => (self.failures > 0).then_some(next),
            HealthState::Failing { since, .. } => {
                (next.state, next.drain) = (HealthState::Healthy, Some(Drain { since: at, next_at: at }));
                next.tell(ChangedTo::Recovered, at, since, operational);
                Some(next)
            }
        }
    }

    /// After a probe was sent.
    pub fn probed(&self, now: Timestamp) -> Option<Self> {
        let HealthState::Failing { since, probes, .. } = self.state else { return None };
        let probes = probes.saturating_add(1);
        let mut next = self.next();
        let next_probe_at = now.plus(between_probes(probes));
        (next.state, next.drain) = (HealthState::Failing { since, probes, next_probe_at, half_open: false }, None);
        Some(next)
    }

    /// After a probe was due and nothing was set aside to send. For a while it is looked whether something is after all.
    pub fn half_opened(&self, now: Timestamp) -> Option<Self> {
        let HealthState::Failing { since, probes, next_probe_at, .. } = self.state else { return None };
        let mut next = self.next();
        next.state = HealthState::Failing { since, probes, next_probe_at, half_open: true };
        next.drain = Some(Drain { since: now, next_at: now.plus(DRAIN_EVERY) });
        Some(next)
    }

    /// After a part of what was set aside was sent again. `empty`: there was nothing left.
    pub fn drained(&self, now: Timestamp, empty: bool) -> Option<Self> {
        let drain = self.drain?;
        let mut next = self.next();
        let over = empty && now.since(drain.since) >= DRAIN_AT_LEAST;
        next.drain = (!over).then(|| Drain { next_at: now.plus(DRAIN_EVERY), ..drain });
        Some(next)
    }

    /// After its owner resumed it, or something was found set aside for no reason any more.
    pub fn resumed(&self, now: Timestamp) -> Self {
        let mut next = self.next();
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

    /// After the first `count` changes were told.
    pub fn told(&self, count: usize) -> Self {
        let mut next = self.next();
        next.untold.drain(..count.min(self.untold.len()));
        next
    }

    /// As the account is being deleted.
    pub fn closed(&self) -> Option<Self> {
        let open = self.state != HealthState::Closed;
        open.then(|| Self { state: HealthState::Closed, drain: None, untold: Vec::new(), ..self.next() })
    }
}

#[cfg(test)]
mod tests;
