//! What many events owe, and the states of many deliveries, always of one account.

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::{DeliveryRecord, DeliveryState};
use domain::value::{AccountId, DeliveryId, EventId, Timestamp};
use ports::{Deliveries, DeliveryStanding, Events, Reckoning};

use super::events::sealed;
use crate::samples::{destination, record};

pub async fn owed_in_bulk(store: &(impl Events + Reckoning), account: &AccountId, other: &AccountId) {
    let mut expected: BTreeMap<EventId, BTreeSet<DeliveryId>> = BTreeMap::new();
    // One event owes more than fits beside the largest body in one row, and there are more events than one call can
    // read.
    let few = (0..120).map(|n| (format!("few-{n}"), n % 3, 0));
    for (id, owed, padding) in few.chain([("many".to_owned(), 5_000, 250_000)]) {
        let event = sealed(account, &id, owed, padding);
        store.seal_event(&event).await.expect("sealed");
        expected.insert(event.id, event.owed.into_iter().map(|owed| owed.id).collect());
    }
    let unknown: EventId = "unknown".parse().expect("an id");
    let asked: Vec<EventId> = expected.keys().cloned().chain([unknown]).collect();
    let found = store.find_owed(account, &asked).await.expect("an answer");
    assert_eq!(found.iter().map(|(_, owed)| owed.len()).sum::<usize>(), 5_120);
    let found: BTreeMap<_, _> = found.into_iter().map(|(id, owed)| (id, BTreeSet::from_iter(owed))).collect();
    assert!(found == expected, "what is owed was not read back as it was sealed");
    let mut first: BTreeMap<_, _> =
        store.find_first_owed(account, &asked).await.expect("an answer").into_iter().collect();
    assert_eq!(first.len(), expected.len());
    for (id, row) in &mut first {
        assert_eq!(row.rows > 1, row.ids.len() < expected[id].len(), "{id}");
        for nth in 1..row.rows {
            let further = store.find_further_owed(account, id, nth).await.expect("an answer").expect("a row");
            assert!(further.rows == row.rows && further.ids.is_sorted());
            row.ids.extend(further.ids);
        }
        assert!(row.ids.len() == expected[id].len() && BTreeSet::from_iter(row.ids.clone()) == expected[id], "{id}");
        for nth in [0, row.rows] {
            assert_eq!(store.find_further_owed(account, id, nth).await.expect("an answer"), None);
        }
    }
    assert!(first.values().any(|row| row.rows > 1), "one owes more than fits in a row");
    assert_eq!(store.find_first_owed(account, &[]).await.expect("an answer"), []);
    assert_eq!(store.find_first_owed(other, &asked).await.expect("an answer"), []);
    assert_eq!(store.find_owed(account, &[]).await.expect("an answer"), []);
    assert_eq!(store.find_owed(other, &asked).await.expect("an answer"), []);
}

pub async fn standings(store: &(impl Deliveries + Reckoning), account: &AccountId, other: &AccountId) {
    use DeliveryState::{Cancelled, Delivered, Exhausted, Parked, Retrying};
    let target = destination(account, 1, "https://example.com/hooks");
    let due_at = Timestamp::from_unix_ms(1_795_426_200_123);
    let states = [Delivered, Retrying { due_at }, Parked, Exhausted, Cancelled];
    let (mut asked, mut expected) = (Vec::new(), Vec::new());
    for n in 0..230 {
        let state = states[n % states.len()];
        let recovered_by_audit = n % 3 == 0;
        let record = DeliveryRecord { recovered_by_audit, ..record(&target, &format!("evt-{n}"), 1, state) };
        asked.push(record.delivery.id.clone());
        // Every second one has no row.
        if n % 2 == 0 {
            store.create_delivery(&record).await.expect("recorded");
            expected.push(DeliveryStanding { id: record.delivery.id, state, recovered_by_audit });
        }
    }
    expected.sort_by(|one, other| one.id.cmp(&other.id));
    let mut found = store.find_standings(account, &asked).await.expect("an answer");
    found.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(found, expected);
    assert_eq!(store.find_standings(account, &[]).await.expect("an answer"), []);
    assert_eq!(store.find_standings(other, &asked).await.expect("an answer"), []);
    in_ranges(store, (account, other), asked, expected).await;
}

/// All of them, few of many, and some of several destinations of which one has few: each is found whatever lies between.
async fn in_ranges(
    store: &(impl Deliveries + Reckoning),
    (account, other): (&AccountId, &AccountId),
    mut asked: Vec<DeliveryId>,
    mut expected: Vec<DeliveryStanding>,
) {
    for n in 2..5 {
        let target = destination(account, n, "https://example.com/hooks");
        for nth in 0..n {
            let record = record(&target, &format!("evt-{nth}"), 1, DeliveryState::Delivered);
            store.create_delivery(&record).await.expect("recorded");
            asked.push(record.delivery.id.clone());
            let state = DeliveryState::Delivered;
            expected.push(DeliveryStanding { id: record.delivery.id, state, recovered_by_audit: false });
        }
    }
    for each in [1, 2, 7, 40] {
        let asked: Vec<_> = asked.iter().step_by(each).cloned().collect();
        let mut expected: Vec<_> = expected.iter().filter(|one| asked.contains(&one.id)).cloned().collect();
        expected.sort_by(|one, other| one.id.cmp(&other.id));
        let mut found = store.find_standings_in_ranges(account, &asked).await.expect("an answer");
        found.sort_by(|one, other| one.id.cmp(&other.id));
        assert_eq!(found, expected, "each {each}.");
    }
    assert_eq!(store.find_standings_in_ranges(account, &[]).await.expect("an answer"), []);
    assert_eq!(store.find_standings_in_ranges(other, &asked).await.expect("an answer"), []);
}
