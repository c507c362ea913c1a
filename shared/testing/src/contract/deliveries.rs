//! Deliveries: one by one, and in lists, which are newest first, in pages, and of one account.

use domain::delivery::{DeliveryRecord, DeliveryState};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{Deliveries, ListDeliveries, OlderThan, Recorded};

use super::after_ms;
use crate::samples::{destination, record};

pub async fn deliveries(store: &dyn Deliveries, account: &AccountId, other: &AccountId) {
    use DeliveryState::{Cancelled, Delivered, Exhausted, Parked};
    let target = destination(account, 1, "https://example.com/hooks");
    let due =
        |seconds: u64| DeliveryState::Retrying { due_at: Timestamp::from_unix_ms(1_795_426_200_000 + seconds * 1000) };
    let states = [
        (0, Parked),
        (1, Parked),
        (2, Parked),
        (0, Cancelled),
        (1, due(1)),
        (1, Delivered),
        (2, due(2)),
        (2, Delivered),
        (2, Exhausted),
        (3, Cancelled),
    ];
    // Every state written over every other does what the rule says.
    for (i, (old_attempts, old_state)) in states.into_iter().enumerate() {
        for (j, (new_attempts, new_state)) in states.into_iter().enumerate() {
            let id = format!("evt-{i}-{j}");
            let old = record(&target, &id, old_attempts, old_state);
            let new = record(&target, &id, new_attempts, new_state);
            assert_eq!(store.find_delivery(account, &old.delivery.id).await.expect("an answer"), None);
            assert_eq!(store.record_delivery(&old).await.expect("an answer"), Recorded::Recorded);
            let expected = if new.supersedes(&old) { Recorded::Recorded } else { Recorded::Superseded };
            assert_eq!(
                store.record_delivery(&new).await.expect("an answer"),
                expected,
                "{new_state:?} over {old_state:?}"
            );
            let stands = if expected == Recorded::Recorded { new } else { old };
            let found = store.find_delivery(account, &stands.delivery.id).await.expect("an answer");
            assert_eq!(found, Some(stands.clone()));
            assert_eq!(store.find_delivery(other, &stands.delivery.id).await.expect("an answer"), None);
        }
    }
}

/// A delivered record of event `id`, with `ms` in place of the sample's time.
fn delivered(account: &AccountId, n: u8, id: &str, ms: u64) -> DeliveryRecord {
    let target = destination(account, n, "https://example.com/hooks");
    let mut record = record(&target, id, 1, DeliveryState::Delivered);
    let digest = record.delivery.id.by_time().2.to_owned();
    let first = DeliveryId::first_possible(&target.id, after_ms(ms));
    record.delivery.id = format!("{first}{digest}").parse().expect("an id");
    record
}

pub async fn listed_deliveries(store: &(impl Deliveries + ListDeliveries), account: &AccountId, other: &AccountId) {
    let mut records = Vec::new();
    for (n, id, ms) in [(1, "a", 20), (1, "b", 10), (1, "c", 30), (1, "d", 20), (2, "e", 25)] {
        let record = delivered(account, n, id, ms);
        store.record_delivery(&record).await.expect("recorded");
        records.push(record);
    }
    let first = DestinationId::from_entropy([1; 10]);
    let mut expected: Vec<_> = records.into_iter().filter(|record| record.delivery.destination == first).collect();
    expected.sort_by(|one, other| other.delivery.id.cmp(&one.delivery.id));
    let list = async |since: Timestamp, older: OlderThan, limit: usize| {
        store.list_deliveries(account, &first, since, &older, limit).await.expect("a list")
    };
    let end = Timestamp::from_unix_ms(u64::MAX);
    assert_eq!(list(after_ms(0), OlderThan::Time(end), 10).await, expected);
    for limit in 1..=4 {
        let (mut seen, mut older) = (Vec::new(), OlderThan::Time(end));
        loop {
            let page = list(after_ms(0), older.clone(), limit).await;
            if let Some(last) = page.last() {
                older = OlderThan::Delivery(last.delivery.id.clone());
            }
            let last = page.len() < limit;
            seen.extend(page);
            if last {
                break;
            }
        }
        assert_eq!(seen, expected, "in pages of {limit}");
    }
    for (since, until, count) in [(10, 31, 4), (10, 30, 3), (11, 21, 2), (20, 20, 0), (21, 20, 0)] {
        assert_eq!(
            list(after_ms(since), OlderThan::Time(after_ms(until)), 10).await.len(),
            count,
            "{since} to {until}"
        );
    }
    // Nothing is older than the oldest delivery.
    let oldest = expected.last().expect("a record").delivery.id.clone();
    assert_eq!(list(after_ms(20), OlderThan::Delivery(oldest), 10).await, []);
    let theirs = store.list_deliveries(other, &first, after_ms(0), &OlderThan::Time(end), 10).await;
    assert_eq!(theirs.expect("a list"), []);
}
