use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::delivery::RollUp;
use crate::value::{AccountId, DestinationId};

const HOUR: Hour = Hour(1_000);
const STRETCH: u64 = 600;

fn at(seconds: u64) -> Timestamp {
    HOUR.begin().plus(Duration::from_secs(seconds))
}

fn target() -> DestinationId {
    DestinationId::from_entropy([1; 10])
}

/// Delivery number `n`, of an event that occurred this many seconds after the hour began.
fn id(n: u8, seconds: u64) -> DeliveryId {
    DeliveryId::from_parts(&target(), at(seconds).unix_ms(), &[n; 15])
}

fn row(id: &DeliveryId, state: DeliveryState) -> DeliveryResult {
    let took = (state == DeliveryState::Delivered).then_some(Duration::from_millis(7));
    DeliveryResult { id: id.clone(), state, failed: false, took }
}

/// Sums rows, given oldest first, of an hour that is read `now` seconds after it began.
fn sum(rows: &[DeliveryResult], known: &[&DeliveryId], begun: Option<&Begun>, now: u64) -> Summed {
    let known = known.iter().map(|id| (*id).clone()).collect();
    let mut summing = Summing::new(HOUR, Some(&known), false, begun, at(now));
    let since = summing.since();
    rows.iter().rev().filter(|row| row.id.occurred_at() >= since).for_each(|row| summing.add(row));
    summing.sum(false)
}

fn begun(to_ms: u64, delivered: u64) -> Option<Begun> {
    let tally = Tally { delivered, latencies: (0..delivered).map(|_| (21, 1)).collect(), ..Tally::default() };
    Some(Begun { hour: HOUR, to: Timestamp::from_unix_ms(HOUR.begin().unix_ms() + to_ms), tally, stays: false })
}

#[test]
fn what_was_delivered_two_minutes_ago_is_settled_and_counted_with_what_follows() {
    let ids = [id(1, 10), id(2, 20), id(3, 600), id(4, 650)];
    let rows: Vec<_> = ids.iter().map(|id| row(id, DeliveryState::Delivered)).collect();
    let first = sum(&rows[..3], &[&ids[0], &ids[1]], None, 660);
    assert_eq!((first.read.tally.delivered, first.continued, first.settled.clone()), (3, false, begun(20_001, 2)));
    let next = sum(&rows, &[&ids[2], &ids[3]], first.settled.as_ref(), 1_260);
    assert_eq!((next.read.tally.delivered, next.continued, next.settled), (4, true, begun(650_001, 4)));
    // Once the hour is over, all of it may be settled.
    assert_eq!(sum(&rows, &[], None, 7_200).settled, begun(650_001, 4));
}

#[test]
fn nothing_is_settled_from_the_oldest_delivery_on_that_was_not_delivered() {
    let ids = [id(1, 10), id(2, 20), id(3, 30), id(4, 40)];
    let due_at = at(0);
    for state in
        [DeliveryState::Parked, DeliveryState::Exhausted, DeliveryState::Cancelled, DeliveryState::Retrying { due_at }]
    {
        let states = [DeliveryState::Delivered, state, DeliveryState::Delivered, state];
        let rows: Vec<_> = ids.iter().zip(states).map(|(id, state)| row(id, state)).collect();
        let summed = sum(&rows, &[&ids[0]], None, 660);
        assert_eq!((summed.read.tally.count(), summed.settled, summed.all_delivered), (4, begun(10_001, 1), true));
        assert!(!sum(&rows, &[&ids[1]], None, 660).all_delivered);
        assert_eq!(sum(&rows[1..], &[], None, 660).settled, None);
    }
}

#[test]
fn nothing_is_settled_while_something_known_has_no_row_or_it_is_not_known_what_is_owed() {
    let ids = [id(1, 10), id(2, 20)];
    let rows = [row(&ids[0], DeliveryState::Delivered)];
    let missing = sum(&rows, &[&ids[0], &ids[1]], None, 660);
    assert_eq!((missing.read.owed, missing.settled, missing.all_delivered), (2, None, false));
    let known = [ids[0].clone()].into();
    for (unsure, partial) in [(true, false), (false, true)] {
        let mut summing = Summing::new(HOUR, Some(&known), unsure, None, at(660));
        summing.add(&rows[0]);
        let summed = summing.sum(partial);
        assert_eq!((summed.settled, summed.read.tally.partial, summed.read.unsure), (None, partial, unsure));
        assert_eq!(summed.all_delivered, !unsure);
    }
}

#[test]
fn an_hour_is_read_whole_if_something_older_is_owed_or_it_is_not_known_what() {
    let since = |known: &[DeliveryId], unsure, hour| {
        let known = known.iter().cloned().collect();
        Summing::new(hour, Some(&known), unsure, begun(20_001, 2).as_ref(), at(1_260)).since()
    };
    let continued = HOUR.begin().plus(Duration::from_millis(20_001));
    assert_eq!(since(&[id(3, 21), id(4, 700)], false, HOUR), continued);
    assert_eq!(since(&[], false, HOUR), continued);
    assert_eq!(since(&[id(3, 20), id(4, 700)], false, HOUR), HOUR.begin());
    assert_eq!(since(&[id(4, 700)], true, HOUR), HOUR.begin());
    assert_eq!(since(&[], false, Hour(1_001)), Hour(1_001).begin());
}

/// When things happen to a delivery, in seconds.
#[derive(Debug, Clone)]
struct Life {
    id: DeliveryId,
    sealed: u64,
    row: u64,
    delivered: u64,
}

/// Usually each step takes seconds, sometimes an hour.
fn wait() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0u64..10, 1 => 0u64..120, 1 => 0u64..4_000]
}

fn life() -> impl Strategy<Value = Life> {
    (0u64..5_400, wait(), wait(), wait(), any::<bool>(), any::<u8>()).prop_map(|(occurred, a, b, c, first, n)| {
        // A delivery is sent before its event is sealed, so its row may come before.
        let (sealed, row) = (occurred + a, occurred + b + if first { 0 } else { a });
        Life { id: id(n, occurred), sealed, row, delivered: row + c }
    })
}

/// The roll-up after a reading, and the same if every hour was read whole.
fn read(lives: &[Life], before: Option<&RollUp>, touch: &Touch, unsure: bool, now: u64) -> (RollUp, RollUp) {
    let slot = Duration::from_secs(STRETCH);
    let hours = RollUp::hours_to_read(before, touch.keys().copied(), slot, at(now));
    let summed = |hour: Hour, begun: Option<&Begun>| {
        let mut summing = Summing::new(hour, touch.get(&hour), unsure, begun, at(now));
        let since = summing.since();
        let rows = lives.iter().filter(|life| life.row <= now && (since..hour.end()).contains(&life.id.occurred_at()));
        for life in rows.rev() {
            let delivered = life.delivered <= now;
            summing.add(&row(&life.id, if delivered { DeliveryState::Delivered } else { DeliveryState::Parked }));
        }
        (hour, summing.sum(false))
    };
    let begun = before.and_then(|before| before.begun.as_ref());
    let account: AccountId = "acme".parse().expect("an account");
    let [continued, whole] = [begun, None].map(|begun| {
        let read: BTreeMap<_, _> = hours.iter().map(|hour| summed(*hour, begun)).collect();
        RollUp::with(before.cloned(), &account, &target(), read, at(now))
    });
    (continued, whole)
}

type Touch = BTreeMap<Hour, BTreeSet<DeliveryId>>;

/// What was sealed in a stretch.
fn touch(lives: &[Life], nth: usize, unsure: bool) -> Touch {
    let (mut touch, since) = (Touch::new(), nth as u64 * STRETCH);
    for life in lives.iter().filter(|life| (since..since + STRETCH).contains(&life.sealed)) {
        let known = touch.entry(Hour::of(life.id.occurred_at())).or_default();
        known.extend((!unsure).then(|| life.id.clone()));
    }
    touch
}

/// Adds a delivery of a replay, which holds the roll-up open.
fn replay(lives: &mut Vec<Life>, rolled: &mut Option<RollUp>, (occurred, row): (u64, u64)) {
    let life = Life { id: id(255, occurred), sealed: u64::MAX, row, delivered: row };
    lives.push(life);
    lives.sort_by(|one, other| one.id.cmp(&other.id));
    let held = rolled.as_ref().and_then(|rolled| rolled.held(RollUp::hold_at(at(row))));
    *rolled = held.or(rolled.take());
}

/// How many of these have a row, and are counted in an hour.
fn with_rows<'a>(lives: impl Iterator<Item = &'a Life>, hour: Hour, now: u64) -> u64 {
    lives.filter(|life| life.row <= now && Hour::of(life.id.occurred_at()) == hour).count() as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever happens when: each reading counts everything that has a row and is known to be owed, or was replayed, and
    /// nothing twice; and in the end both count the same. What is not known yet is counted when it is.
    #[test]
    fn an_hour_that_is_continued_adds_up_to_the_same_as_one_that_is_read_whole(
        mut lives in proptest::collection::vec(life(), 1..30),
        unsure in proptest::collection::vec(proptest::bool::weighted(0.1), 30),
        late in 0usize..60,
        mut replayed in proptest::option::weighted(0.3, (0u64..5_400, 0u64..9_000)),
    ) {
        lives.sort_by(|one, other| one.id.cmp(&other.id));
        lives.dedup_by(|one, other| one.id == other.id);
        let mut rolled: Option<RollUp> = None;
        for (nth, unsure) in unsure.into_iter().enumerate() {
            let now = (nth as u64 + 1) * STRETCH + STRETCH / 10;
            if let Some(what) = replayed.take_if(|(occurred, row)| occurred < row && *row <= now) {
                replay(&mut lives, &mut rolled, what);
            }
            // One stretch is added up together with the next one, and meanwhile only what is due.
            let touches = match nth.wrapping_sub(late) {
                0 => vec![Touch::new()],
                1 => vec![touch(&lives, late, unsure), touch(&lives, nth, unsure)],
                _ => vec![touch(&lives, nth, unsure)],
            };
            for (second, touch) in (0..).zip(touches) {
                let (continued, whole) = read(&lives, rolled.as_ref(), &touch, unsure, now + second);
                for (hour, read) in continued.hours.iter().filter(|(_, read)| read.at == at(now + second)) {
                    let known = touch.get(hour).into_iter().flatten();
                    let known = lives.iter().filter(|life| known.clone().any(|id| *id == life.id));
                    prop_assert!(read.tally.count() >= with_rows(known, *hour, now));
                    prop_assert!(read.tally.count() <= whole.hours[hour].tally.count(), "{} s", now);
                }
                // Without hours, the first one is not stored.
                rolled = Some(continued).filter(|one| rolled.is_some() || !one.hours.is_empty());
            }
        }
        let both = [HOUR, Hour(1_001)].map(|hour| (hour, BTreeSet::new())).into();
        let (continued, whole) = read(&lives, rolled.as_ref(), &both, false, 30 * STRETCH + 90);
        prop_assert_eq!(continued.hours, whole.hours);
    }
}
