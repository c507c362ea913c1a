//! When the breaker opens, what probes find out, and how long a drain lasts.

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_ms(seconds * 1_000)
}

fn failure(seconds: u64) -> Failure {
    let retry_after = Duration::ZERO;
    let at = at(seconds);
    Failure { at, gone: false, probe: false, retry_after, asks_to_wait: false, seen_in_a_row: 1, operational: false }
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
    let state = HealthState::Failing { since: at(1), probes: 0, next_probe_at: at(61), half_open: false };
    assert_eq!((health.state, health.look_at(false)), (state, Some(at(1))));
    let (to, failures) = (ChangedTo::Failing, FAILURES);
    let told = HealthChange { to, at: at(1), failing_since: at(1), failures, by_operational: false };
    assert_eq!(health.untold, [told]);
    assert_eq!(health.failed(failure(2)), None);
    assert_eq!(health.told(1).look_at(false), Some(at(61)));
    let expiry = at(1).plus(EXPIRY_EVERY);
    assert_eq!(health.told(1).look_at(true), Some(expiry), "what its owner has paused is not probed");
}

#[test]
fn a_receiver_that_asks_to_wait_is_left_alone_as_a_whole_and_that_is_no_failure() {
    let asked =
        |seconds, wait| Failure { retry_after: Duration::from_secs(wait), asks_to_wait: true, ..failure(seconds) };
    let mut health = Health::default();
    for n in 0..20 {
        health = health.failed(Failure { seen_in_a_row: n, ..asked(100, 30) }).unwrap_or(health);
    }
    assert_eq!((health.failures, health.version, health.state), (0, 1, HealthState::Healthy));
    assert!(health.is_held(at(129)) && !health.is_held(at(130)));
    assert_eq!(health.look_at(false), Some(at(130)), "then what was parked is drained");
    // Others ask for the same at nearly the same moment.
    assert_eq!(health.failed(Failure { at: at(100).plus(Duration::from_millis(900)), ..asked(100, 30) }), None);
    assert_eq!(health.failed(asked(101, 5)), None, "a shorter wait takes nothing back");
    let longer = health.failed(asked(110, 60)).expect("a change");
    assert_eq!((longer.held_until, longer.look_at(false)), (Some(at(170)), Some(at(170))));
    let drained = longer.drained(at(171), true).expect("a change");
    assert_eq!((drained.held_until, drained.drain.is_some()), (None, true));
    assert!(!longer.resumed(at(120)).is_held(at(120)), "its owner knows better");
    // A receiver that is down as well is probed.
    let down = (1..=FAILURES)
        .fold(longer, |health, n| health.failed(Failure { seen_in_a_row: n, ..failure(111) }).expect("a change"));
    assert_eq!((down.admission(), down.held_until), (Admission::Probes, None));
}

#[test]
fn from_when_something_may_be_parked_it_is_looked_for_before_it_expires() {
    let every = EXPIRY_EVERY.as_secs();
    let parked = Health::default().parked(at(5)).expect("a change");
    assert_eq!((parked.look_at(true), parked.parked(at(9))), (Some(at(5 + every)), None));
    let gone = Health::default().failed(Failure { gone: true, ..failure(3) }).expect("a change");
    assert_eq!(gone.told(1).look_at(false), Some(at(3 + every)));
    assert!(opened().expiry.is_some());
    assert_eq!(parked.looked_for_expiry(None).look_at(false), None);
    assert_eq!(parked.closed().expect("a change").look_at(false), None);
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
        let next = health.look_at(false).expect("a probe");
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
        probed.failed(failure).map(|health| health.told(1).look_at(false))
    };
    assert_eq!(asked(30), None);
    assert_eq!(asked(3_600), Some(Some(at(3_662))));
}

#[test]
fn a_delivered_probe_begins_the_drain_which_lasts_until_nothing_can_be_set_aside_any_more() {
    let back = opened().told(1).succeeded(at(100), false).expect("a change");
    assert_eq!((back.admission(), back.look_at(false)), (Admission::Everything, Some(at(100))));
    assert_eq!(back.untold.iter().map(|change| change.to).collect::<Vec<_>>(), [ChangedTo::Recovered]);
    let back = back.told(1);
    let some = back.drained(at(160), false).expect("a change");
    assert_eq!(some.look_at(false), Some(at(220)));
    let early = back.drained(at(219), true).expect("a change");
    assert_eq!(early.look_at(false), Some(at(279)));
    assert_eq!(back.drained(at(220), true).expect("a change").look_at(false), None);
    assert_eq!(Health::default().drained(at(1), true), None);
}

#[test]
fn without_anything_to_probe_with_the_next_delivery_is_the_probe() {
    let half_open = opened().told(1).half_opened(at(61)).expect("a change");
    assert_eq!((half_open.admission(), half_open.look_at(false)), (Admission::Everything, Some(at(121))));
    let quiet = half_open.drained(at(181), true).expect("a change");
    assert_eq!(quiet.look_at(false), None, "nothing is looked at while nothing happens");
    let failed = quiet.failed(failure(500)).expect("a change");
    assert_eq!((failed.admission(), failed.look_at(false)), (Admission::Probes, Some(at(560))));
    assert!(failed.expiry.is_some());
    let back = quiet.succeeded(at(500), false).expect("a change");
    assert_eq!((back.state, back.untold.len()), (HealthState::Healthy, 1));
    let long = quiet.failed(failure(1 + GIVE_UP.as_secs())).expect("a change");
    assert!(matches!(long.state, HealthState::Disabled { .. }));
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
        assert_eq!(disabled.told(9).look_at(false), disabled.expiry.map(|expiry| expiry.look_at));
        let resumed = disabled.told(9).resumed(at(9));
        assert_eq!((resumed.admission(), resumed.look_at(false)), (Admission::Everything, Some(at(9))));
    }
}

#[test]
fn resuming_one_that_is_failing_probes_it_now() {
    let resumed = opened().told(1).resumed(at(9));
    assert_eq!((resumed.admission(), resumed.look_at(false)), (Admission::Probes, Some(at(9))));
}

#[test]
fn what_is_closed_stays_closed() {
    let closed = opened().closed().expect("a change");
    assert_eq!((closed.admission(), closed.look_at(false), closed.closed()), (Admission::Closed, None, None));
    assert_eq!(closed.resumed(at(1)).admission(), Admission::Closed);
    assert_eq!((closed.failed(failure(1)), closed.succeeded(at(1), false)), (None, None));
}

proptest! {
    #[test]
    fn whatever_happens_something_is_looked_at_while_something_can_be_set_aside(
        happenings in proptest::collection::vec((0u8..9, 0u64..100_000), 0..60)
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
                6 => health.half_opened(at(now)),
                7 => health.failed(Failure { retry_after: Duration::from_secs(9), asks_to_wait: true, ..failure(now) }),
                _ => Some(health.told(1)),
            };
            if let Some(next) = next {
                prop_assert_eq!(next.version, health.version + 1);
                // However a destination recovers, it is looked at.
                if health.admission() != Admission::Everything && next.admission() == Admission::Everything {
                    prop_assert!(next.drain.is_some());
                }
                health = next;
            }
            if health.admission() == Admission::Probes || health.is_held(at(now)) {
                prop_assert!(health.look_at(false).is_some());
            }
        }
    }
}

#[test]
fn a_health_that_cannot_be_understood_is_shown_by_the_next_delivery() {
    let unreadable = Health::unreadable(9);
    assert_eq!((unreadable.admission(), unreadable.look_at(false)), (Admission::Everything, None));
    // It is not known since when it has been failing, so it is not given up.
    let down = unreadable.failed(failure(5_000_000)).expect("a change");
    let next_probe_at = at(5_000_060);
    assert_eq!(down.state, HealthState::Failing { since: at(5_000_000), probes: 0, next_probe_at, half_open: false });
    let well = unreadable.succeeded(at(5_000_000), false).expect("a change");
    assert_eq!((well.state, well.version), (HealthState::Healthy, 10));
    assert_eq!(well.untold[0].failing_since, at(5_000_000));
}
