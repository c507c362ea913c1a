//! Notes of rejected events: the first note of an id stays, and lists are newest or oldest first, over several days, in
//! pages.

use std::time::Duration;

use domain::event::{Event, RejectedEvent, Rejection, Resubmission};
use domain::value::{AccountId, RejectedEventId, Timestamp};
use ports::{Order, Rejections, Span};

use super::in_pages;
use sha2::{Digest, Sha256};

const DAY_MS: u64 = 86_400_000;

/// The last second of a day far in the future, on which no other run sends events.
fn evening(account: &AccountId) -> Timestamp {
    let digest = Sha256::digest(account.as_str());
    let day = 50_000 + u64::from(u16::from_be_bytes([digest[0], digest[1]]));
    Timestamp::from_unix_ms(day * DAY_MS - 1_000)
}

fn rejected(account: &AccountId, text: &str, sent_at: Timestamp) -> RejectedEvent {
    let (now, text) = (sent_at.plus(Duration::from_millis(7)), format!(r#"{{"account":"{account}","text":"{text}"}}"#));
    let rejection = Event::parse(&text, now).expect_err("a rejection");
    let rejected = RejectedEvent::new(&text, sent_at, &rejection, now);
    // Expiry is in whole seconds.
    RejectedEvent { expires_at: Timestamp::from_unix_ms(rejected.expires_at.unix_seconds() * 1000), ..rejected }
}

/// Returns them, newest first.
pub async fn listed_rejections(store: &dyn Rejections, account: &AccountId) -> Vec<RejectedEvent> {
    let evening = evening(account);
    let at = |ms: u64| evening.plus(Duration::from_millis(ms));
    // They were sent on three days, two in the same millisecond, and are noted in another order.
    let mut all: Vec<_> = [("b", 0), ("next-day", 1_000), ("a", 0), ("late", 2_500 + DAY_MS), ("end-of-day", 999)]
        .map(|(text, ms)| rejected(account, text, at(ms)))
        .into();
    for one in &all {
        store.note_rejection(one, &format!("body of {}", one.id)).await.expect("noted");
    }
    all.sort_by(|one, other| other.id.cmp(&one.id));
    lists(store, &all, &at).await;
    all
}

pub async fn rejections(store: &dyn Rejections, account: &AccountId) {
    let all = listed_rejections(store, account).await;
    let at = |ms: u64| evening(account).plus(Duration::from_millis(ms));
    let first = &all[0];
    let found = store.find_rejection(&first.id).await.expect("an answer");
    assert_eq!(found.as_ref(), Some(first));
    let body = store.find_rejected_body(&first.id).await.expect("an answer");
    assert_eq!(body, Some(format!("body of {}", first.id)));
    let resubmission =
        Resubmission { at: at(9_000), account: account.clone(), event_id: "evt-1".parse().expect("an id") };
    store.note_resubmission(&first.id, &resubmission).await.expect("noted");
    let resubmitted = RejectedEvent { resubmission: Some(resubmission.clone()), ..first.clone() };
    assert_eq!(store.find_rejection(&first.id).await.expect("an answer").as_ref(), Some(&resubmitted));
    // If the event is rejected again, the note stays as it is.
    store.note_rejection(first, &format!("body of {}", first.id)).await.expect("noted");
    assert_eq!(store.find_rejection(&first.id).await.expect("an answer"), Some(resubmitted));

    for one in &all {
        assert!(store.delete_rejection(&one.id).await.expect("an answer"));
        assert!(!store.delete_rejection(&one.id).await.expect("an answer"));
        store.note_resubmission(&one.id, &resubmission).await.expect("an answer");
        assert_eq!(store.find_rejection(&one.id).await.expect("an answer"), None);
        assert_eq!(store.find_rejected_body(&one.id).await.expect("an answer"), None);
    }
    one_without_an_account(store, at(5_000)).await;
}

async fn lists(store: &dyn Rejections, all: &[RejectedEvent], at: &impl Fn(u64) -> Timestamp) {
    let list = async |order: Order, span: Span, after: Option<RejectedEventId>, limit: usize| {
        store.list_rejections(span, order, after.as_ref(), limit).await.expect("a list")
    };
    let [newest, oldest] = [Order::NewestFirst, Order::OldestFirst];
    let whole = Span { since: at(0), until: at(3 * DAY_MS) };
    let turned: Vec<_> = all.iter().rev().cloned().collect();
    for (order, all) in [(newest, all), (oldest, &turned)] {
        for limit in 1..=6 {
            let page = async |after| list(order, whole, after, limit).await;
            let seen = in_pages(limit, |rejected: &RejectedEvent| rejected.id.clone(), page).await;
            assert_eq!(seen, all, "{order:?} in pages of {limit}");
        }
    }
    for (since, until, count) in [
        (0, 2_501 + DAY_MS, 5),
        (0, 2_500 + DAY_MS, 4),
        (1, 1_001, 2),
        (0, 1, 2),
        (1_000, 1_000, 0),
        (2 * DAY_MS, 0, 0),
    ] {
        let span = Span { since: at(since), until: at(until) };
        assert_eq!(list(newest, span, None, 10).await.len(), count, "{since} to {until}");
        assert_eq!(list(oldest, span, None, 10).await.len(), count, "{since} to {until}, oldest first");
    }
    // A page after an event that is newer than the span begins at the end of the span.
    let span = Span { since: at(0), until: at(1_000) };
    assert_eq!(list(newest, span, Some(all[0].id.clone()), 10).await, all[2..]);
    assert_eq!(list(oldest, span, Some(all[0].id.clone()), 10).await, []);
    // In the other order, a page after an event that is older begins at the start of the span.
    let (span, first) = (Span { since: at(1_000), ..whole }, all.last().map(|rejected| rejected.id.clone()));
    assert_eq!(list(oldest, span, first, 10).await, [all[1].clone(), all[0].clone()]);
}

async fn one_without_an_account(store: &dyn Rejections, sent_at: Timestamp) {
    let rejection: Rejection = Event::parse("{", sent_at).expect_err("a rejection");
    let rejected = RejectedEvent::new("{", sent_at, &rejection, sent_at);
    store.note_rejection(&rejected, "").await.expect("noted");
    let found = store.find_rejection(&rejected.id).await.expect("an answer").expect("the note");
    assert_eq!((found.account, found.resubmission, found.pointer.as_str()), (None, None, ""));
    assert_eq!(store.find_rejected_body(&rejected.id).await.expect("an answer").as_deref(), Some(""));
    assert!(store.delete_rejection(&rejected.id).await.expect("an answer"));
}
