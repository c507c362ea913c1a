//! What waits for its time.

use domain::delivery::{DeliveryRecord, DeliveryState};
use domain::value::{AccountId, Timestamp};
use ports::{Deliveries, Due, SHARDS, Waiting};

use super::after;
use crate::samples::{destination, held_until, record};

/// A store of deliveries that lists what waits.
pub trait WaitingStore: Waiting + Deliveries {}

impl<S: Waiting + Deliveries> WaitingStore for S {}

/// The account's deliveries that have to be looked at by `until`.
async fn due(store: &dyn WaitingStore, account: &AccountId, until: Timestamp) -> Vec<Due> {
    let mut all = Vec::new();
    for shard in 0..SHARDS {
        let due = store.due_deliveries(shard, until, None, 10_000).await.expect("a list");
        assert!(due.is_sorted_by_key(|due| due.look_at));
        // Others may use the table at the same time, and their rows may be gone by now.
        let first = store.due_deliveries(shard, until, None, 1).await.expect("a list");
        assert!(first.len() <= 1 && (first.len() == 1 || due.iter().all(|due| due.account != *account)));
        for (n, one) in due.iter().enumerate() {
            // It continues after each entry, also of others who use the table.
            let further = store.due_deliveries(shard, until, Some(one), 10_000).await.expect("a list");
            let mine = |all: &[Due]| all.iter().filter(|due| due.account == *account).cloned().collect::<Vec<_>>();
            assert_eq!(mine(&further), mine(&due[n + 1..]));
        }
        all.extend(due.into_iter().filter(|due| due.account == *account));
    }
    all.sort();
    all
}

pub async fn waiting(store: &dyn WaitingStore, account: &AccountId, other: &AccountId) {
    let target = destination(account, 1, "https://example.com/");
    let waits = |id: &str, seconds| record(&target, id, 1, DeliveryState::Retrying { due_at: after(seconds) });
    let (first, second) = (waits("first", 10), waits("second", 20));
    let parked = record(&target, "parked", 1, DeliveryState::Parked);
    let told = record(&target, "told", 3, DeliveryState::Exhausted).told(Some(after(5)));
    let done = record(&target, "done", 1, DeliveryState::Delivered);
    for record in [&first, &second, &parked, &told, &done] {
        assert!(store.create_delivery(record).await.expect("an answer"));
    }
    let as_due = |record: &DeliveryRecord| {
        let look_at = record.look_at().expect("when it is looked at");
        Due { look_at, account: account.clone(), id: record.delivery.id.clone() }
    };
    assert_eq!(due(store, account, after(4)).await, []);
    assert_eq!(due(store, account, after(10)).await, [as_due(&told), as_due(&first)]);
    assert_eq!(due(store, account, after(99)).await, [as_due(&told), as_due(&first), as_due(&second)]);
    assert_eq!(due(store, other, after(99)).await, []);

    let by_queue =
        |due_at, lost_after| held_until(DeliveryState::Retrying { due_at: after(due_at) }, Some(after(lost_after)));
    // A delivery whose time is moved is due later; only a caller that knows its current state can move it.
    let leased = first.held(by_queue(10, 50));
    assert!(store.replace_delivery(&first, &leased).await.expect("an answer"));
    assert!(!store.replace_delivery(&first, &first.held(by_queue(10, 60))).await.expect("an answer"));
    let more = record(&target, "first", 2, leased.state()).held(leased.held);
    assert!(!store.replace_delivery(&more, &first).await.expect("an answer"), "another state or count of attempts");
    assert_eq!(due(store, account, after(30)).await, [as_due(&told), as_due(&second)]);
    assert_eq!(store.find_delivery(account, &first.delivery.id).await.expect("an answer"), Some(leased.clone()));

    // A delivery that was reported is not looked at again, and neither is one that has ended.
    let quiet = told.told(None);
    assert!(store.replace_delivery(&told, &quiet).await.expect("an answer"));
    assert!(store.replace_delivery(&quiet, &quiet).await.expect("an answer"));
    let ended = record(&target, "second", 2, DeliveryState::Delivered);
    assert!(store.replace_delivery(&second, &ended).await.expect("an answer"));
    assert_eq!(due(store, account, after(99)).await, [as_due(&leased)]);

    let id = &target.id;
    let listed = |limit| store.parked_deliveries(account, id, None, limit);
    assert_eq!(listed(9).await.expect("a list"), std::slice::from_ref(&parked.delivery.id));
    let again = record(&target, "first", 2, DeliveryState::Parked);
    assert!(store.replace_delivery(&leased, &again).await.expect("an answer"));
    let mut both = [parked.delivery.id.clone(), again.delivery.id.clone()];
    both.sort();
    assert_eq!(listed(9).await.expect("a list"), both);
    assert_eq!(listed(1).await.expect("a list"), both[..1]);
    let further = |after| store.parked_deliveries(account, id, Some(after), 9);
    assert_eq!(further(&both[0]).await.expect("a list"), both[1..]);
    assert_eq!(further(&both[1]).await.expect("a list"), []);
    assert_eq!(store.parked_deliveries(other, id, None, 9).await.expect("a list"), []);
    let back = parked.held(by_queue(7, 8));
    assert!(store.replace_delivery(&parked, &back).await.expect("an answer"));
    assert_eq!(listed(9).await.expect("a list"), [again.delivery.id]);
    assert_eq!(due(store, account, after(99)).await, [as_due(&back)]);
}
