use std::time::Duration;

use super::*;
use crate::attempt::Outcome;
use crate::value::DestinationId;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_ms(1_795_426_200_000 + seconds * 1_000)
}

fn record(held: Held) -> DeliveryRecord {
    let delivery = Delivery {
        id: format!("dlv_{}", "0".repeat(50)).parse().expect("an id"),
        account: "acme".parse().expect("an account"),
        event: "evt".parse().expect("an id"),
        event_type: "sync_run.completed".parse().expect("a type"),
        scope: None,
        destination: DestinationId::from_entropy([0; 10]),
        path: None,
        traceparent: None,
    };
    DeliveryRecord::first(delivery, held, at(9_999))
}

fn attempt(outcome: Outcome, probe: bool) -> Attempt {
    Attempt { number: 0, at: at(1), took: Duration::from_millis(12), outcome, probe }
}

fn failed() -> Attempt {
    attempt(Outcome::TimedOut, false)
}

fn delivered() -> Attempt {
    attempt(Outcome::Delivered { status: 204 }, false)
}

/// One of each holder.
fn every_holder() -> Vec<Held> {
    let lease = MessageLease::default();
    let ends = [
        End::Delivered,
        End::Cancelled,
        End::Exhausted(Exhaustion::Schedule),
        End::Exhausted(Exhaustion::Expired { at: at(4) }),
    ];
    let ended = ends.into_iter().flat_map(|how| [None, Some(at(5))].map(|tell_at| Held::Ended { how, tell_at }));
    let open = [
        Held::by_queue(at(1), at(1), lease),
        Held::by_queue(at(1), at(1), lease).in_line(),
        Held::ByTable { due_at: at(300), in_line: false },
        Held::ByTable { due_at: at(300), in_line: true },
        Held::ByDestination,
    ];
    open.into_iter().chain(ended).collect()
}

#[test]
fn what_has_not_ended_is_looked_at() {
    for held in every_holder() {
        let parked = held == Held::ByDestination;
        assert!(held.look_at().is_some() || parked || held.state().is_final(), "{held:?}");
        assert_eq!(held.state() == DeliveryState::Parked, parked);
        // The table writes due and look-at times; from their order it knows the holder.
        if let Held::ByQueue { due_at, lost_after, .. } = held {
            assert!(lost_after > due_at);
        }
    }
}

#[test]
fn what_was_delivered_stays_delivered() {
    for held in every_holder() {
        let before = record(held);
        let after = before.attempted(delivered(), &before, Held::ByDestination);
        assert!(after.is_delivered(), "{held:?}");
        for (late, seen) in [(failed(), &after), (failed(), &before), (delivered(), &before)] {
            let later = after.attempted(late, seen, Held::ByDestination);
            assert!(later.is_delivered() && later.attempts.count() == 2, "{held:?}");
        }
    }
}

#[test]
fn an_attempt_changes_the_holder_only_if_nobody_made_one_in_the_meantime() {
    for held in every_holder() {
        let then = Held::ByTable { due_at: at(7_200), in_line: false };
        let before = record(held);
        let first = before.attempted(failed(), &before, then);
        let open = !held.state().is_final();
        assert_eq!(first.held, if open { then } else { held }, "{held:?}");
        // Of two messages of the delivery, the second one had seen no attempt either.
        let second = first.attempted(failed(), &before, Held::ByDestination);
        assert_eq!((second.held, second.attempts.count()), (first.held, 2), "{held:?}");
    }
}

/// While an attempt is on its way, somebody cancels the delivery and sends it again, or sets it aside, or its message
/// counts as lost: whoever holds it then keeps it, even if the attempt was the last of the schedule.
#[test]
fn an_attempt_takes_nothing_from_whom_it_was_given_to_in_the_meantime() {
    let sent = |due, now| Held::by_queue(at(due), at(now), MessageLease::default());
    let seen = record(sent(0, 0));
    let exhausted = Held::Ended { how: End::Exhausted(Exhaustion::Schedule), tell_at: Some(at(9)) };
    for given in [sent(5, 5), Held::ByDestination, Held::ByTable { due_at: at(30), in_line: true }] {
        for then in [exhausted, sent(305, 10), Held::ByDestination] {
            let after = seen.held(given).attempted(failed(), &seen, then);
            assert_eq!((after.held, after.attempts.count()), (given, 1), "{then:?}");
            assert!(seen.held(given).attempted(delivered(), &seen, Held::ended(End::Delivered)).is_delivered());
        }
    }
}

#[test]
fn a_probe_that_fails_moves_nothing() {
    for held in every_holder() {
        let before = record(held);
        let after = before.attempted(attempt(Outcome::TimedOut, true), &before, Held::ByDestination);
        assert_eq!((after.held, after.attempts.count(), after.attempts.scheduled()), (held, 1, 0), "{held:?}");
    }
}

#[test]
fn a_message_that_is_sent_again_keeps_its_place_in_line_and_is_under_way_until_it_is_lost() {
    let lease = MessageLease::default();
    let waits = record(Held::ByTable { due_at: at(10), in_line: true });
    assert!(!waits.is_under_way(at(0)));
    let sent = waits.sent_again(at(10), at(0), lease);
    assert!(sent.held.is_in_line() && sent.is_under_way(at(909)) && !sent.is_under_way(at(910)));
    assert!(!record(Held::ByDestination).sent(at(10), at(0), lease).held.is_in_line());
}

#[test]
fn who_is_told_is_told_until_that_worked() {
    let given_up = record(Held::ByDestination).expired(at(3));
    assert_eq!((given_up.look_at(), given_up.exhaustion()), (Some(at(3)), Some(Exhaustion::Expired { at: at(3) })));
    assert_eq!(given_up.told(Some(at(9))).look_at(), Some(at(9)));
    assert_eq!((given_up.told(None).look_at(), given_up.told(None).state()), (None, DeliveryState::Exhausted));
}
