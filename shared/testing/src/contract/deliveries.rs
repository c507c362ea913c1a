//! Deliveries: one by one, and in lists, which are newest or oldest first, in pages, and only of one account.

use domain::delivery::DeliveryState::Parked;
use domain::delivery::{Attempts, DeliveryRecord, DeliveryState, End, Exhaustion, Held, LeftOut};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use futures_util::future::join_all;
use ports::{Deliveries, ListDeliveries, Order, Span};

use super::{after_ms, in_pages};
use crate::samples::{destination, record};

pub async fn deliveries(store: &dyn Deliveries, account: &AccountId, other: &AccountId) {
    let target = destination(account, 1, "https://example.com/hooks");
    let at = |seconds: u64| Timestamp::from_unix_ms(1_795_426_200_000 + seconds * 1000);
    let by_queue = |lost_after| Held::ByQueue { due_at: at(1), lost_after: at(lost_after), in_line: true };
    let ended = |how, tell_at| Held::Ended { how, tell_at };
    let holders = [
        Held::ByDestination,
        by_queue(2),
        by_queue(3),
        Held::ByTable { due_at: at(1), in_line: false },
        Held::ByTable { due_at: at(2), in_line: true },
        ended(End::Delivered, None),
        ended(End::Cancelled, None),
        ended(End::Exhausted(Exhaustion::Schedule), Some(at(7))),
        ended(End::Exhausted(Exhaustion::Expired { at: at(5) }), Some(at(8))),
        ended(End::Exhausted(Exhaustion::Expired { at: at(5) }), None),
    ];
    let many = Attempts::stored(
        record(&target, "evt", 30, Parked).attempts.kept().to_vec(),
        LeftOut { attempts: 4, scheduled: 2 },
    );
    let rows = |id: &str| {
        let row = |n, held| record(&target, id, n, Parked).held(held);
        let long = DeliveryRecord { attempts: many.clone(), ..row(30, Held::ByDestination) };
        let few = (0..2).flat_map(|n| holders.map(|held| row(n, held)));
        few.chain([row(30, Held::ByDestination), long]).collect::<Vec<_>>()
    };
    // A first row is written only if there is none, and every other row only over the one that was read.
    for (i, old) in rows("evt").into_iter().enumerate() {
        let id = format!("evt-{i}");
        let old = DeliveryRecord { delivery: record(&target, &id, 0, Parked).delivery, ..old };
        assert!(!store.replace_delivery(&old, &old).await.expect("an answer"), "there is no row");
        assert_eq!(store.find_delivery(account, &old.delivery.id).await.expect("an answer"), None);
        assert!(store.create_delivery(&old).await.expect("an answer"));
        for (j, new) in rows(&id).into_iter().enumerate() {
            assert!(!store.create_delivery(&new).await.expect("an answer"), "{i} {j}");
            let seen = |row: &DeliveryRecord| (row.state().as_str(), row.attempts.count(), row.look_at());
            let same = seen(&new) == seen(&old);
            assert_eq!(store.replace_delivery(&new, &old).await.expect("an answer"), same, "{new:?} for {old:?}");
            let found = store.find_delivery(account, &old.delivery.id).await.expect("an answer");
            assert_eq!(found, Some(old.clone()));
        }
        let next = record(&target, &id, 3, Parked);
        assert!(store.replace_delivery(&old, &next).await.expect("an answer"));
        assert_eq!(store.find_delivery(account, &old.delivery.id).await.expect("an answer"), Some(next));
        assert_eq!(store.find_delivery(other, &old.delivery.id).await.expect("an answer"), None);
    }
}

/// First rows that are written at the same moment: each is written, unless there is one already.
pub async fn deliveries_at_once(store: &dyn Deliveries, account: &AccountId) {
    let target = destination(account, 1, "https://example.com/hooks");
    let of = |n: u32| record(&target, &format!("at-once-{n}"), 1 + n % 3, Parked);
    let rows: Vec<_> = (0..12).map(of).collect();
    let before = record(&target, "at-once-5", 7, Parked);
    assert!(store.create_delivery(&before).await.expect("an answer"));
    let written = join_all(rows.iter().map(|row| store.create_delivery(row))).await;
    let written: Vec<_> = written.into_iter().map(|written| written.expect("an answer")).collect();
    assert_eq!(written, (0..12).map(|n| n != 5).collect::<Vec<_>>());
    for (n, row) in rows.iter().enumerate() {
        let found = store.find_delivery(account, &row.delivery.id).await.expect("an answer");
        assert_eq!(found.as_ref(), Some(if n == 5 { &before } else { row }));
    }
}

/// Rows in bulk: of several accounts, more than fit into one call of the table, and without deliveries that have no
/// row.
pub async fn deliveries_in_bulk(store: &dyn Deliveries, account: &AccountId, other: &AccountId) {
    let (mut asked, mut expected) = (Vec::new(), Vec::new());
    for n in 0..130_u64 {
        let owner = if n % 2 == 0 { account } else { other };
        let row = delivered(owner, 1, &format!("bulk-{n}"), n);
        if n % 5 > 0 {
            assert!(store.create_delivery(&row).await.expect("an answer"));
            expected.push(row.clone());
        }
        asked.push((owner.clone(), row.delivery.id));
    }
    let mut found = store.find_deliveries(&asked).await.expect("rows");
    let by_id = |one: &DeliveryRecord| (one.delivery.account.clone(), one.delivery.id.clone());
    found.sort_by_key(by_id);
    expected.sort_by_key(by_id);
    assert_eq!(found, expected);
    let theirs: Vec<_> = asked.into_iter().map(|(_, id)| (other.clone(), id)).collect();
    assert_eq!(store.find_deliveries(&theirs).await.expect("rows").len(), 52);
    assert_eq!(store.find_deliveries(&[]).await.expect("rows"), []);
}

/// A delivered record of event `id`, with `ms` in place of the sample's time.
fn delivered(account: &AccountId, n: u8, id: &str, ms: u64) -> DeliveryRecord {
    let target = destination(account, n, "https://example.com/hooks");
    let mut record = record(&target, id, 1, DeliveryState::Delivered);
    let digest = record.delivery.id.by_time().2.to_owned();
    let first = DeliveryId::first_possible(&target.id, after_ms(ms));
    record.delivery.id = format!("{first}{digest}").parse().expect("an id");
    // Every second event came with a trace.
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
    record.delivery.traceparent = traceparent.filter(|_| ms % 2 == 1);
    record
}

pub async fn listed_deliveries(store: &(impl Deliveries + ListDeliveries), account: &AccountId, other: &AccountId) {
    let mut records = Vec::new();
    for (n, id, ms) in [(1, "a", 20), (1, "b", 10), (1, "c", 30), (1, "d", 20), (2, "e", 25)] {
        let record = delivered(account, n, id, ms);
        store.create_delivery(&record).await.expect("recorded");
        records.push(record);
    }
    let first = DestinationId::from_entropy([1; 10]);
    let mut expected: Vec<_> = records.into_iter().filter(|record| record.delivery.destination == first).collect();
    expected.sort_by(|one, other| other.delivery.id.cmp(&one.delivery.id));
    let mut turned = expected.clone();
    turned.reverse();
    for (order, expected) in [(Order::NewestFirst, expected), (Order::OldestFirst, turned)] {
        let list = async |(since, until): (u64, u64), after: Option<&DeliveryId>, limit: usize| {
            let span = Span { since: after_ms(since), until: after_ms(until) };
            store.list_deliveries(account, &first, span, order, after, limit).await.expect("a list")
        };
        for limit in 1..=5 {
            let page = async |after: Option<DeliveryId>| list((0, 100), after.as_ref(), limit).await;
            let seen = in_pages(limit, |record: &DeliveryRecord| record.delivery.id.clone(), page).await;
            assert_eq!(seen, expected, "{order:?} in pages of {limit}");
        }
        for (since, until, count) in [(10, 31, 4), (10, 30, 3), (11, 21, 2), (20, 20, 0), (21, 20, 0), (31, 99, 0)] {
            assert_eq!(list((since, until), None, 10).await.len(), count, "{order:?} {since} to {until}");
        }
        // A page after a delivery before the whole span begins with the span. Nothing follows the last delivery.
        let [begin, end] = [expected.first(), expected.last()].map(|one| one.map(|one| &one.delivery.id));
        let rest = if order == Order::NewestFirst { (0, 20) } else { (21, 100) };
        assert_eq!(list(rest, begin, 10).await.len(), 1, "{order:?}");
        assert_eq!(list((0, 100), end, 10).await, []);
        assert_eq!(list(rest, end, 10).await, []);
        let span = Span { since: after_ms(0), until: after_ms(100) };
        assert_eq!(store.list_deliveries(other, &first, span, order, None, 10).await.expect("a list"), []);
    }
}
