//! The ledger's lists: newest first, in pages, each account's own.

use domain::delivery::{DeliveryRecord, DeliveryState};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{Deliveries, EventPlace, Events, ListDeliveries, ListEvents, ListedEvent, OlderThan, Span};

use super::super::samples::{destination, record};
use super::ledger::sealed;
use super::now;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(now().unix_ms() + ms)
}

fn always() -> Span {
    Span { since: Timestamp::from_unix_ms(0), until: Timestamp::from_unix_ms(u64::MAX) }
}

fn ids(events: &[ListedEvent]) -> Vec<&str> {
    events.iter().map(|event| event.place.id.as_str()).collect()
}

pub async fn listed_events(store: &(impl Events + ListEvents), account: &AccountId, other: &AccountId) {
    // Sealed in another order than they occurred in; two in one millisecond.
    for (id, ms, owed) in [("b", 20, 0), ("a", 20, 2), ("late", 30, 5_000), ("early", 10, 1)] {
        let mut event = sealed(account, id, owed, 0);
        event.occurred_at = at(ms);
        store.seal_event(&event).await.expect("sealed");
    }
    let list = async |span: Span, after: Option<EventPlace>, limit: usize| {
        store.list_events(account, span, after.as_ref(), limit).await.expect("a list")
    };
    let all = list(always(), None, 10).await;
    assert_eq!(ids(&all), ["late", "b", "a", "early"]);
    for listed in &all {
        let event = store.find_event(account, &listed.place.id).await.expect("an answer").expect("the event");
        assert_eq!(listed.place.occurred_at, event.occurred_at);
        assert_eq!((listed.event_type, &listed.scope), (event.event_type, &event.scope));
        assert_eq!((listed.sealed_at, listed.expires_at), (event.sealed_at, event.expires_at));
        assert_eq!((listed.owed_count, listed.unmatched), (event.owed.len(), event.unmatched));
    }
    // Pages of every size are the whole list, piece by piece.
    for limit in 1..=4 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = list(always(), after, limit).await;
            assert!(page.len() <= limit);
            after = page.last().map(|event| event.place.clone());
            let last = page.len() < limit;
            seen.extend(page);
            if last {
                break;
            }
        }
        assert_eq!(seen, all, "in pages of {limit}");
    }
    for (since, until, expected) in [
        (10, 31, &["late", "b", "a", "early"][..]),
        (10, 30, &["b", "a", "early"]),
        (11, 21, &["b", "a"]),
        (20, 20, &[]),
        (21, 20, &[]),
        (31, 99, &[]),
    ] {
        let span = Span { since: at(since), until: at(until) };
        assert_eq!(ids(&list(span, None, 10).await), expected, "{since} to {until}");
    }
    // A page after an event that is younger than the span begins at its end.
    let (span, after) = (Span { since: at(0), until: at(20) }, all.first().map(|event| event.place.clone()));
    assert_eq!(ids(&list(span, after, 10).await), ["early"]);
    assert_eq!(store.list_events(other, always(), None, 10).await.expect("a list"), []);
}

/// A delivered record of event `id`, with `ms` in place of the sample's time.
fn delivered(account: &AccountId, n: u8, id: &str, ms: u64) -> DeliveryRecord {
    let target = destination(account, n, "https://example.com/hooks");
    let mut record = record(&target, id, 1, DeliveryState::Delivered);
    let digest = record.delivery.id.by_time().2.to_owned();
    let first = DeliveryId::first_possible(&target.id, at(ms));
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
    assert_eq!(list(at(0), OlderThan::Time(end), 10).await, expected);
    for limit in 1..=4 {
        let (mut seen, mut older) = (Vec::new(), OlderThan::Time(end));
        loop {
            let page = list(at(0), older.clone(), limit).await;
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
        assert_eq!(list(at(since), OlderThan::Time(at(until)), 10).await.len(), count, "{since} to {until}");
    }
    // A delivery older than all that is asked for leaves nothing.
    let oldest = expected.last().expect("a record").delivery.id.clone();
    assert_eq!(list(at(20), OlderThan::Delivery(oldest), 10).await, []);
    let theirs = store.list_deliveries(other, &first, at(0), &OlderThan::Time(end), 10).await;
    assert_eq!(theirs.expect("a list"), []);
}
