//! How a destination does, as far as its attempts tell: the breaker that stops calling one that is down, the probes that find
//! out when it is back, and the drain that then sends what was set aside.
//!
//! Rules only: total functions from a health and what happened to the next health, or to none where nothing changes. A healthy
//! destination has nothing to change, so it costs nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

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
pub const DRAIN_PER_SECOND: u64 = 20;

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
    /// The breaker is open: nothing is sent but probes.
    Failing { since: Timestamp, probes: u32, next_probe_at: Timestamp },
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

/// A change that people and other systems are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthChange {
    pub to: ChangedTo,
    pub at: Timestamp,
    /// Since when it had been failing.
    pub failing_since: Timestamp,
    /// How many attempts in a row had failed, where it began to fail.
    #[serde(default)]
    pub failures: u32,
    /// Whether a delivery of an operational event brought it about; such a change is told to people only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_operational: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangedTo {
    Failing,
    Recovered,
    Gone,
    GivenUp,
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

impl Health {
    pub fn admission(&self) -> Admission {
        match self.state {
            HealthState::Healthy => Admission::Everything,
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
            HealthState::Failing { next_probe_at, .. } => Some(next_probe_at),
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
            HealthState::Failing { since, .. } if failure.probe && failure.at.since(since) >= GIVE_UP => {
                Some(self.disabled(failure, since, DisabledReason::Failing))
            }
            HealthState::Failing { since, probes, next_probe_at } => {
                // What the receiver asks for only lengthens the wait.
                let asked = failure.at.plus(failure.retry_after);
                let mut next = self.next();
                next.state = HealthState::Failing { since, probes, next_probe_at: asked };
                (asked > next_probe_at).then_some(next)
            }
            HealthState::Healthy => {
                let mut next = self.next();
                (next.failures, next.failing_since) = (self.failures.saturating_add(1), Some(since));
                let proven = failure.seen_in_a_row >= FAILURES || failure.at.since(since) >= SHORTEST_ROW;
                if next.failures >= FAILURES && proven {
                    let next_probe_at = failure.at.plus(FIRST_PROBE.max(failure.retry_after));
                    next.state = HealthState::Failing { since, probes: 0, next_probe_at };
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

    /// After a probe was sent, or was due and there was nothing to send.
    pub fn probed(&self, now: Timestamp) -> Option<Self> {
        let HealthState::Failing { since, probes, .. } = self.state else { return None };
        let wait = FIRST_PROBE.saturating_mul(1 << (probes + 1).min(10)).min(LAST_PROBES);
        let mut next = self.next();
        next.state = HealthState::Failing { since, probes: probes.saturating_add(1), next_probe_at: now.plus(wait) };
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
                next.state = HealthState::Failing { since, probes, next_probe_at: now };
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1_000)
    }

    fn failure(seconds: u64) -> Failure {
        let retry_after = Duration::ZERO;
        Failure { at: at(seconds), gone: false, probe: false, retry_after, seen_in_a_row: 1, operational: false }
    }

    fn opened() -> Health {
        let mut health = Health::default();
        for n in 1..=FAILURES {
            health = health.failed(Failure { seen_in_a_row: n, ..failure(1) }).expect("a change");
        }
        health
    }

    /// Failures at these seconds, none in a row for one container.
    #[track_caller]
    fn check_failures(seconds: &[u64], opens: bool) {
        let failed = |health: Health, second: &u64| health.failed(failure(*second)).unwrap_or(health);
        let health = seconds.iter().fold(Health::default(), failed);
        assert_eq!(health.admission() == Admission::Probes, opens, "{seconds:?}");
    }

    #[test]
    fn five_failures_in_a_row_open_the_breaker_once_no_success_can_have_been_missed() {
        check_failures(&[1, 2, 3, 4], false);
        check_failures(&[1, 2, 3, 4, 5], false);
        check_failures(&[1, 2, 3, 4, 10, 11], true);
        check_failures(&[1, 60, 120, 180], false);
        check_failures(&[1, 60, 120, 180, 240], true);
    }

    #[test]
    fn a_container_that_saw_five_in_a_row_opens_it_at_once_and_says_so_once() {
        let health = opened();
        let state = HealthState::Failing { since: at(1), probes: 0, next_probe_at: at(61) };
        assert_eq!((health.state, health.look_at(true)), (state, Some(at(1))));
        let (to, failures) = (ChangedTo::Failing, FAILURES);
        let told = HealthChange { to, at: at(1), failing_since: at(1), failures, by_operational: false };
        assert_eq!(health.untold, [told]);
        assert_eq!(health.failed(failure(2)), None);
        assert_eq!(health.told(1).look_at(true), Some(at(61)));
        assert_eq!(health.told(1).look_at(false), None, "what its owner has paused is not probed");
    }

    #[test]
    fn a_success_ends_the_row_and_changes_nothing_where_there_is_none() {
        let health = Health::default();
        assert_eq!(health.succeeded(at(1), false), None);
        let once = health.failed(failure(1)).expect("a change");
        let again = once.succeeded(at(2), false).expect("a change");
        assert_eq!((again.failures, again.failing_since, again.version), (0, None, 2));
    }

    #[test]
    fn probes_come_after_1_2_4_and_at_last_every_60_minutes() {
        let (mut health, mut now, mut waits) = (opened().told(1), at(1), Vec::new());
        for _ in 0..9 {
            let next = health.look_at(true).expect("a probe");
            waits.push(next.since(now).as_secs() / 60);
            now = next;
            health = health.probed(now).expect("a change");
            assert_eq!(health.failed(Failure { probe: true, ..failure(now.unix_seconds()) }), None);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn what_a_receiver_asks_to_wait_only_delays_the_probe() {
        let probed = opened().probed(at(61)).expect("a change");
        let asked = |seconds| {
            let failure = Failure { probe: true, retry_after: Duration::from_secs(seconds), ..failure(62) };
            probed.failed(failure).map(|health| health.told(1).look_at(true))
        };
        assert_eq!(asked(30), None);
        assert_eq!(asked(3_600), Some(Some(at(3_662))));
    }

    #[test]
    fn a_delivered_probe_begins_the_drain_which_lasts_until_nothing_can_be_set_aside_any_more() {
        let back = opened().told(1).succeeded(at(100), false).expect("a change");
        assert_eq!((back.admission(), back.look_at(true)), (Admission::Everything, Some(at(100))));
        assert_eq!(back.untold.iter().map(|change| change.to).collect::<Vec<_>>(), [ChangedTo::Recovered]);
        let back = back.told(1);
        let some = back.drained(at(160), false).expect("a change");
        assert_eq!(some.look_at(true), Some(at(220)));
        let early = back.drained(at(219), true).expect("a change");
        assert_eq!(early.look_at(true), Some(at(279)));
        assert_eq!(back.drained(at(220), true).expect("a change").look_at(true), None);
        assert_eq!(Health::default().drained(at(1), true), None);
    }

    #[test]
    fn gone_disables_at_once_and_five_days_of_failing_do_as_well() {
        let gone = Health::default().failed(Failure { gone: true, ..failure(1) }).expect("a change");
        assert_eq!(gone.state, HealthState::Disabled { since: at(1), reason: DisabledReason::Gone });
        let probe = |seconds| Failure { probe: true, ..failure(seconds) };
        let long = 1 + GIVE_UP.as_secs();
        assert_eq!(opened().failed(probe(long - 1)), None);
        let given_up = opened().failed(probe(long)).expect("a change");
        assert_eq!(given_up.state, HealthState::Disabled { since: at(long), reason: DisabledReason::Failing });
        for disabled in [gone, given_up] {
            assert_eq!(disabled.admission(), Admission::Nothing);
            assert_eq!((disabled.failed(failure(2)), disabled.succeeded(at(2), false)), (None, None));
            assert_eq!(disabled.told(9).look_at(true), None);
            let resumed = disabled.told(9).resumed(at(9));
            assert_eq!((resumed.admission(), resumed.look_at(true)), (Admission::Everything, Some(at(9))));
        }
    }

    #[test]
    fn resuming_one_that_is_failing_probes_it_now() {
        let resumed = opened().told(1).resumed(at(9));
        assert_eq!((resumed.admission(), resumed.look_at(true)), (Admission::Probes, Some(at(9))));
    }

    #[test]
    fn what_is_closed_stays_closed() {
        let closed = opened().closed().expect("a change");
        assert_eq!((closed.admission(), closed.look_at(true), closed.closed()), (Admission::Closed, None, None));
        assert_eq!(closed.resumed(at(1)).admission(), Admission::Closed);
        assert_eq!((closed.failed(failure(1)), closed.succeeded(at(1), false)), (None, None));
    }

    proptest! {
        #[test]
        fn whatever_happens_something_is_looked_at_while_something_can_be_set_aside(
            happenings in proptest::collection::vec((0u8..7, 0u64..100_000), 0..60)
        ) {
            let (mut health, mut now) = (Health::default(), 0);
            for (what, later) in happenings {
                now += later;
                let probe = Failure { probe: true, ..failure(now) };
                let next = match what {
                    0 => health.failed(Failure { seen_in_a_row: 9, ..failure(now) }),
                    1 => health.failed(probe),
                    2 => health.succeeded(at(now), false),
                    3 => health.probed(at(now)),
                    4 => health.drained(at(now), true),
                    5 => Some(health.resumed(at(now))),
                    _ => Some(health.told(1)),
                };
                if let Some(next) = next {
                    prop_assert_eq!(next.version, health.version + 1);
                    // One that comes back, however it does, is looked at.
                    if health.admission() != Admission::Everything && next.admission() == Admission::Everything {
                        prop_assert!(next.drain.is_some());
                    }
                    health = next;
                }
                if health.admission() == Admission::Probes {
                    prop_assert!(health.look_at(true).is_some());
                }
            }
        }
    }
}
