//! Roll-ups: their input, their rows, and which of them have to be computed again.

use std::time::Duration;

use domain::attempt::{Latencies, Outcome};
use domain::delivery::{Begun, DeliveryState, Hour, HourRead, RollUp, Tally};
use domain::value::{AccountId, DestinationId, Span, Timestamp};
use ports::{AccountPurge, Accounts, Deliveries, Destinations, RollUps, RolledUpTo, SealNote, SealNotes};

use super::{after, now};
use crate::samples::{destination, record};

/// A store of roll-ups and their input.
pub trait RollUpStore: RollUps + SealNotes + Deliveries + Destinations + Accounts + AccountPurge {}

impl<S: RollUps + SealNotes + Deliveries + Destinations + Accounts + AccountPurge> RollUpStore for S {}

fn rolled(account: &AccountId, destination: &DestinationId, seconds: u64) -> RollUp {
    let latencies: Latencies = [(3, 1), (60, 2_000)].into_iter().collect();
    let settled = Tally { delivered: 1_999, latencies: latencies.clone(), ..Tally::default() };
    let tally =
        Tally { delivered: 2_001, failed: seconds, parked: 1, cancelled: 2, waiting: 3, latencies, partial: false };
    let read = HourRead { at: after(seconds), owed: tally.count() + 1, tally, unsure: true };
    let hours = [(Hour(1), read.clone()), (Hour(2), HourRead { unsure: false, ..read })].into();
    let (account, destination, computed_at) = (account.clone(), destination.clone(), after(seconds));
    let begun = (seconds > 1).then_some(Begun { hour: Hour(2), to: after(7), tally: settled, stays: seconds > 2 });
    let held_until = (seconds > 1).then_some(after(900));
    RollUp { account, destination, computed_at, hours, begun, held_until }
}

pub async fn roll_ups(store: &dyn RollUpStore, account: &AccountId, other: &AccountId) {
    store.create_account(account, now()).await.expect("created");
    let (one, two) =
        (destination(account, 1, "https://example.com/hooks"), destination(account, 2, "https://example.com/hooks"));
    let find = async |account, id| store.find_roll_up(account, id).await.expect("an answer");
    let put =
        async |before, after: &RollUp, look_at| store.store_roll_up(before, after, look_at).await.expect("an answer");
    let due = async |until| {
        let all = store.due_roll_ups(until, None, 10_000).await.expect("a list");
        all.into_iter().filter(|due| due.account == *account).map(|due| due.destination).collect::<Vec<_>>()
    };
    assert_eq!(find(account, &one.id).await, None);
    let (first, second) = (rolled(account, &one.id, 1), rolled(account, &one.id, 2));
    assert!(!put(Some(after(0)), &first, None).await, "there is none yet");
    assert!(put(None, &first, Some(after(60))).await);
    assert!(!put(None, &second, None).await, "there is one");
    assert!(!put(Some(after(2)), &second, None).await, "it is another one");
    assert_eq!((find(account, &one.id).await, find(other, &one.id).await), (Some(first.clone()), None));

    // It is listed from `look_at` on, until it is stored without `look_at`.
    assert!(put(None, &rolled(account, &two.id, 1), Some(after(30))).await);
    assert_eq!(due(after(29)).await, []);
    assert_eq!(due(after(30)).await, std::slice::from_ref(&two.id));
    assert_eq!(due(after(60)).await, [two.id.clone(), one.id.clone()]);
    let all = store.due_roll_ups(after(60), None, 10_000).await.expect("a list");
    let behind = store.due_roll_ups(after(60), all.first(), 1).await.expect("a list");
    assert_eq!(behind, all[1..2]);
    assert!(put(Some(after(1)), &second, None).await);
    assert_eq!((find(account, &one.id).await, due(after(60)).await), (Some(second), vec![two.id.clone()]));
    for _ in 0..2 {
        store.forget_roll_up(account, &two.id).await.expect("forgotten");
        assert_eq!((find(account, &two.id).await, due(after(60)).await), (None, vec![]));
    }

    // It is deleted with its destination, and with its account.
    for gone in [&one, &two] {
        store.create_destination(gone, 10).await.expect("created");
    }
    store.delete_destination(account, &one.id, None).await.expect("deleted");
    assert_eq!(find(account, &one.id).await, None);
    assert!(put(None, &rolled(account, &two.id, 1), Some(after(30))).await);
    while store.purge_account(account, 100).await.expect("purged").more {}
    assert_eq!(find(account, &two.id).await, None);
}

pub async fn results(store: &dyn RollUpStore, account: &AccountId, other: &AccountId) {
    let target = destination(account, 1, "https://example.com/hooks");
    let due_at = after(1);
    let mut expected = Vec::new();
    for (n, state) in
        [DeliveryState::Delivered, DeliveryState::Retrying { due_at }, DeliveryState::Parked].into_iter().enumerate()
    {
        let mut record = record(&target, &format!("evt-{n}"), 2, state);
        let mut attempts = record.attempts.kept().to_vec();
        if state == DeliveryState::Delivered {
            attempts[1].outcome = Outcome::Delivered { status: 204 };
            attempts[1].took = Duration::from_millis(77);
        } else if state == DeliveryState::Parked {
            attempts.clear();
        }
        record.attempts = attempts.into();
        store.create_delivery(&record).await.expect("recorded");
        let took = (state == DeliveryState::Delivered).then_some(Duration::from_millis(77));
        expected.push((record.delivery.id, state, record.attempts.count() > 0, took));
    }
    expected.sort_by(|one, other| other.0.cmp(&one.0));
    let list = async |account, span, after, limit| {
        let found = store.list_results(account, &target.id, span, after, limit).await.expect("a list");
        found.into_iter().map(|found| (found.id, found.state, found.failed, found.took)).collect::<Vec<_>>()
    };
    let until_now = Span { since: Timestamp::from_unix_ms(0), until: now() };
    assert_eq!(list(account, until_now, None, 9).await, expected);
    assert_eq!(list(account, until_now, None, 2).await, expected[..2]);
    assert_eq!(list(account, until_now, Some(&expected[1].0), 9).await, expected[2..]);
    assert_eq!(list(other, until_now, None, 9).await, []);
    // It occurred a minute ago.
    assert_eq!(list(account, Span { since: now(), until: after(9) }, None, 9).await, []);
}

pub async fn rolled_up_to(store: &dyn RollUpStore, account: &AccountId) {
    let span = |ms| Span { since: Timestamp::from_unix_ms(ms), until: Timestamp::from_unix_ms(ms + 1) };
    let note = SealNote { sealed: span(7), account: account.clone(), occurred: span(5) };
    // Others may roll up the same table at the same time, so their progress is not changed. A position far in the past
    // does no harm.
    if !store.rolled_up_to().await.expect("an answer").is_empty() {
        return;
    }
    for (after, failed) in [(Some(note), true), (None, false)] {
        let one = RolledUpTo { until: Timestamp::from_unix_ms(7), after, failed };
        let other = RolledUpTo { failed: true, ..one.clone() };
        store.set_rolled_up_to(&[(1, one.clone()), (7, one.clone())].into()).await.expect("noted");
        store.set_rolled_up_to(&[(7, other.clone())].into()).await.expect("noted");
        assert_eq!(store.rolled_up_to().await.expect("an answer"), [(1, one), (7, other)].into());
    }
}
