use proptest::prelude::*;

use super::*;
use crate::attempt::Outcome;
use crate::delivery::{DeliveryResult, DeliveryState};
use crate::value::{DeliveryId, Timestamp};

const SLOT: Duration = Duration::from_secs(600);
/// Half past the 1,000th hour.
const NOW: u64 = 1_000 * 3_600 + 1_800;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_ms(seconds * 1_000)
}

fn result(state: DeliveryState, outcomes: &[Outcome]) -> DeliveryResult {
    let id = DeliveryId::from_parts(&DestinationId::from_entropy([1; 10]), 7, &[0; 15]);
    let took = (1..).map(Duration::from_millis);
    DeliveryResult::new(id, state, outcomes.iter().map(Outcome::is_delivered).zip(took))
}

fn tally(delivered: u64, failed: u64) -> Tally {
    let latencies = (0..delivered).map(|_| (40, 1)).collect();
    Tally { delivered, failed, latencies, ..Tally::default() }
}

fn read(seconds: u64, tally: Tally) -> HourRead {
    HourRead { at: at(seconds), owed: tally.count(), tally, unsure: false }
}

fn roll_up(before: Option<RollUp>, hours: impl IntoIterator<Item = (u64, HourRead)>, now: u64) -> RollUp {
    let account = "acme".parse().expect("an account");
    let hours = hours.into_iter().map(|(hour, read)| (Hour(hour), read)).collect();
    RollUp::with(before, &account, &DestinationId::from_entropy([1; 10]), hours, at(now))
}

fn to_read(before: Option<&RollUp>, touched: &[u64], now: u64) -> Vec<u64> {
    let touched = touched.iter().map(|hour| Hour(*hour));
    RollUp::hours_to_read(before, touched, SLOT, at(now)).into_iter().map(|hour| hour.0).collect()
}

#[test]
fn each_state_is_counted_once_and_a_first_attempt_that_is_to_come_is_no_failure() {
    use DeliveryState::{Cancelled, Delivered, Exhausted, Parked, Retrying};
    let (good, bad) = (Outcome::Delivered { status: 200 }, Outcome::TimedOut);
    let due_at = at(0);
    let mut all = Tally::default();
    for (state, outcomes) in [
        (Delivered, vec![bad.clone(), good.clone()]),
        // A resend failed; the delivery stays delivered.
        (Delivered, vec![good.clone(), bad.clone()]),
        (Exhausted, vec![bad.clone()]),
        (Retrying { due_at }, vec![bad.clone()]),
        (Retrying { due_at }, vec![]),
        (Parked, vec![]),
        // Its failure was one of those that opened the breaker, or that of a probe.
        (Parked, vec![bad]),
        (Cancelled, vec![]),
    ] {
        all.add(&result(state, &outcomes));
    }
    assert_eq!((all.delivered, all.failed, all.parked, all.cancelled, all.waiting), (2, 3, 1, 1, 1));
    assert_eq!((all.count(), all.success_rate()), (8, Some(0.4)));
    // The successful attempts: the second, and the first.
    assert_eq!((all.latencies.quantile(1), all.latencies.quantile(100)), (Some(1), Some(2)));
    assert_eq!(Tally::default().success_rate(), None);
}

#[test]
fn the_last_day_is_24_hours_of_the_clock_oldest_first_and_those_without_deliveries_are_there() {
    let rolled = roll_up(None, [(977, read(NOW, tally(3, 0))), (1_000, read(NOW, tally(1, 1)))], NOW);
    let (hours, all) = RollUp::last_day(Some(&rolled), at(NOW));
    assert_eq!((hours.len(), hours[0].0, hours[23].0), (24, Hour(977), Hour(1_000)));
    assert_eq!((hours[0].0.begin(), hours[23].0.end()), (at(977 * 3_600), at(1_001 * 3_600)));
    assert_eq!((hours[0].1.delivered, hours[1].1.delivered, hours[23].1.failed), (3, 0, 1));
    assert_eq!((all.delivered, all.failed, all.latencies.quantile(50)), (4, 1, tally(1, 0).latencies.quantile(50)));
    // An hour later the first hour is more than a day old.
    let (hours, all) = RollUp::last_day(Some(&rolled), at(NOW + 3_600));
    assert_eq!((hours[0].0, hours[22].1.failed, all.delivered), (Hour(978), 1, 1));
    assert_eq!(RollUp::last_day(None, at(NOW)).1, Tally::default());
    assert_eq!(RollUp::last_day(None, at(0)).0.len(), 1, "there are no hours before 1970");
}

#[test]
fn the_first_time_the_whole_day_is_read_and_then_what_is_new_and_every_hour_since() {
    assert_eq!(to_read(None, &[], NOW), (977..=1_000).collect::<Vec<_>>());
    let before = roll_up(None, [(1_000, read(NOW, tally(9, 0)))], NOW);
    assert_eq!(to_read(Some(&before), &[1_000], NOW + 600), [1_000]);
    // An event that came long after it occurred, and one of another day.
    assert_eq!(to_read(Some(&before), &[990, 970], NOW + 600), [990, 1_000]);
    assert_eq!(to_read(Some(&before), &[], NOW + 2 * 3_600), [1_000, 1_001, 1_002]);
}

#[test]
fn an_hour_with_failures_is_read_again_after_a_part_of_its_age_until_it_is_settled_or_over() {
    let hour = |seconds, failed| [(990, read(seconds, tally(2 - failed, failed)))];
    let open = roll_up(None, hour(NOW, 1), NOW);
    // It is ten and a half hours old.
    let due = NOW + 10 * 3_600 / 8 + 1_800 / 8;
    assert_eq!(open.look_at(SLOT), Some(at(due)));
    assert_eq!(to_read(Some(&open), &[], due - 1), [1_000, 1_001]);
    assert_eq!(to_read(Some(&open), &[], due), [990, 1_000, 1_001]);
    let settled = roll_up(Some(open.clone()), hour(due, 0), due);
    assert_eq!((settled.look_at(SLOT), settled.tells_other_than(Some(&open))), (None, true));
    // A recent hour is not read more than once in each slot, and an hour of yesterday is never read again.
    let young = roll_up(None, [(1_000, read(NOW, tally(0, 1)))], NOW);
    assert_eq!(young.look_at(SLOT), Some(at(NOW + 600)));
    let late = (990 + 22) * 3_600;
    assert_eq!(roll_up(Some(open), hour(late, 1), late).look_at(SLOT), None);
}

#[test]
fn what_is_owed_and_has_no_row_yet_keeps_an_hour_open_until_it_has_one() {
    let missing = HourRead { owed: 3, ..read(NOW, tally(2, 0)) };
    let open = roll_up(None, [(1_000, missing)], NOW);
    assert_eq!(open.look_at(SLOT), Some(at(NOW + 600)));
    // A later reading does not know what was owed, and does not need to.
    let still = roll_up(Some(open), [(1_000, read(NOW + 600, tally(2, 0)))], NOW + 600);
    assert_eq!(still.look_at(SLOT), Some(at(NOW + 1_200)));
    let settled = roll_up(Some(still), [(1_000, read(NOW + 1_200, tally(3, 0)))], NOW + 1_200);
    assert_eq!(settled.look_at(SLOT), None);
}

#[test]
fn an_hour_of_which_it_is_not_known_what_is_owed_is_read_once_more() {
    let unsure = HourRead { unsure: true, ..read(NOW, tally(2, 0)) };
    let open = roll_up(None, [(1_000, unsure)], NOW);
    assert_eq!(open.look_at(SLOT), Some(at(NOW + 600)));
    let settled = roll_up(Some(open.clone()), [(1_000, read(NOW + 600, tally(2, 0)))], NOW + 600);
    assert_eq!((settled.look_at(SLOT), settled.tells_other_than(Some(&open))), (None, false));
}

#[test]
fn hours_without_deliveries_are_not_kept() {
    let none = roll_up(None, (977..=1_000).map(|hour| (hour, read(NOW, Tally::default()))), NOW);
    assert!(none.hours.is_empty() && !none.tells_other_than(None));
    let some = roll_up(None, [(1_000, read(NOW, tally(1, 0)))], NOW);
    assert!(some.tells_other_than(None));
    assert!(some.has_read([Hour(1_000)].into_iter(), at(NOW)) && !some.has_read([Hour(999)].into_iter(), at(NOW)));
    assert!(!some.has_read([Hour(1_000)].into_iter(), at(NOW + 1)));
}

#[test]
fn while_a_replay_holds_it_open_nothing_is_settled() {
    let begun = Begun { hour: Hour(1_000), to: at(NOW - 200), tally: tally(3, 0), stays: false };
    let summed = |seconds| {
        let settled = Some(begun.clone());
        let summed = Summed { read: read(seconds, tally(3, 0)), settled, continued: false, all_delivered: true };
        [(Hour(1_000), summed)].into()
    };
    let first = roll_up(None, [(1_000, read(NOW, tally(3, 0)))], NOW);
    assert_eq!(first.begun, Some(Begun::open(Hour(1_000))), "nobody knows what was missing before");
    let (account, destination) = (first.account.clone(), first.destination.clone());
    let with = |before: &RollUp, seconds| {
        RollUp::with(Some(before.clone()), &account, &destination, summed(seconds), at(seconds))
    };
    let settled = with(&RollUp { begun: None, ..first }, NOW);
    assert_eq!(settled.begun, Some(begun.clone()));
    // Two replays within ten minutes hold it once, for ten to twenty minutes.
    let until = RollUp::hold_at(at(NOW));
    assert_eq!((until, RollUp::hold_at(at(NOW + 599))), (at(NOW + 1_200), until));
    let held = settled.held(until).expect("a change");
    assert_eq!((&held.begun, held.held_until, held.held(until)), (&None, Some(until), None));
    assert_ne!(held.computed_at, settled.computed_at, "who read it before cannot store it");
    let still = with(&held, NOW + 1_199);
    assert_eq!((&still.begun, still.held_until), (&None, Some(until)));
    let free = with(&still, NOW + 1_200);
    assert_eq!((free.begun, free.held_until), (Some(begun), None));
}

proptest! {
    /// However long something stays open, its hour is read again only a few times.
    #[test]
    fn an_hour_that_never_settles_is_read_a_bounded_number_of_times(first in 0u64..86_400) {
        let begin = 1_000 * 3_600;
        let mut now = begin + first;
        let mut rolled = roll_up(None, [(1_000, read(now, tally(0, 1)))], now);
        let mut looks = 0;
        while let Some(look_at) = rolled.look_at(SLOT) {
            prop_assert!(look_at > at(now) && look_at < at(begin + 86_400));
            (now, looks) = (look_at.unix_seconds() + 1, looks + 1);
            rolled = roll_up(Some(rolled), [(1_000, read(now, tally(0, 1)))], now);
        }
        prop_assert!(looks <= 34, "{looks}");
    }
}
