//! Sealed events: one by one, and in lists, which are newest or oldest first, in pages, and only of one account.

use domain::delivery::{Begun, Delivery, Hour, HourRead, RollUp, Sending, Tally};
use domain::event::{Event, envelope};
use domain::value::{AccountId, DestinationId, Timestamp};
use futures_util::future::join_all;
use ports::{
    EventPlace, Events, ListEvents, ListedEvent, Order, OweMore, PortResult, Reckoning, RollUps, Seal, Sealed,
    SealedEvent, Span, UnmatchedReason, WideEvents,
};

use super::{after, after_ms, in_pages, now};
use crate::samples::event_text;

pub(super) fn sealed(account: &AccountId, id: &str, owed: usize, padding: usize) -> SealedEvent {
    let event = Event::parse(&event_text(account, id), now()).map_err(|r| r.detail).expect("an event");
    // Some came with a trace: those whose ids have an odd length.
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
    let traceparent = traceparent.filter(|_| id.len() % 2 == 1);
    let event = Event { traceparent, ..event };
    let body = format!("{}{}", envelope::build(&event).expect("a body").get(), " ".repeat(padding));
    let path = |n: usize| (n % 2 == 1).then(|| format!("/{}{n}", "p".repeat(200)).try_into().expect("a path"));
    let destination = |n: usize| {
        let [.., a, b] = n.to_be_bytes();
        DestinationId::from_entropy([0, 0, 0, 0, 0, 0, 0, 0, a, b])
    };
    SealedEvent {
        account: account.clone(),
        id: event.id.clone(),
        event_type: event.event_type,
        scope: event.scope.clone(),
        occurred_at: event.occurred_at,
        sealed_at: now(),
        digest: envelope::content_digest(&body),
        body,
        owed: (0..owed).map(|n| Delivery::of_event(&event, destination(n), path(n))).collect(),
        traceparent,
        unmatched: (owed == 0).then_some(UnmatchedReason::NoSubscription),
        expires_at: Timestamp::from_unix_ms(4_000_000_000_000),
    }
}

pub async fn events(store: &dyn Events, account: &AccountId, other: &AccountId) {
    // The last one owes far more than fits beside the largest body in one row.
    for (id, owed, padding) in [("none", 0, 0), ("one", 1, 0), ("many", 5_000, 250_000)] {
        let event = sealed(account, id, owed, padding);
        assert_eq!(store.find_event(account, &event.id).await.expect("an answer"), None);
        assert_eq!(store.seal_event(&event).await.expect("an answer"), Sealed::Sealed);
        let found = store.find_event(account, &event.id).await.expect("an answer").expect("the event");
        assert_eq!(found.owed.len(), event.owed.len());
        assert!(found == event, "{id} was not read back as it was sealed");
        assert!(store.find_body(account, &event.id).await.expect("an answer").as_ref() == Some(&event.body));
        assert_eq!(store.find_body(other, &event.id).await.expect("an answer"), None);
        assert_eq!(store.find_event(other, &event.id).await.expect("an answer"), None);

        let another = sealed(account, id, 2, 7);
        let before = Sealed::Before { digest: event.digest };
        assert_eq!(store.seal_event(&another).await.expect("an answer"), before);
        assert!(store.find_event(account, &event.id).await.expect("an answer").as_ref() == Some(&event));
    }
}

/// Events that are looked up and sealed at the same moment: each gets its own answer, among them one that was sealed before,
/// and one with a long body.
pub async fn events_at_once(store: &impl WideEvents, account: &AccountId) {
    let of = |n: usize| sealed(account, &format!("at-once-{n}"), n % 3, if n == 4 { 3_000 } else { n });
    let events: Vec<_> = (0..12).map(of).collect();
    let before = SealedEvent { digest: [9; 32], ..events[7].clone() };
    assert_eq!(store.seal_event(&before).await.expect("an answer"), Sealed::Sealed);
    let look_up = async || join_all(events.iter().map(|event| store.find_seal(account, &event.id))).await;
    let digest = |seal: PortResult<Option<Seal>>| seal.expect("an answer").map(|seal| seal.digest);
    let found: Vec<_> = look_up().await.into_iter().map(digest).collect();
    assert_eq!(found, (0..12).map(|n| (n == 7).then_some([9; 32])).collect::<Vec<_>>());
    let results = join_all(events.iter().map(|event| store.seal_event(event))).await;
    for (n, result) in results.into_iter().enumerate() {
        let expected = if n == 7 { Sealed::Before { digest: [9; 32] } } else { Sealed::Sealed };
        assert_eq!(result.expect("an answer"), expected);
    }
    let found: Vec<_> = look_up().await.into_iter().map(digest).collect();
    let expected = events.iter().enumerate().map(|(n, event)| Some(if n == 7 { [9; 32] } else { event.digest }));
    assert_eq!(found, expected.collect::<Vec<_>>());
    for event in events.iter().filter(|event| event.id != before.id) {
        assert_eq!(store.find_event(account, &event.id).await.expect("an answer").as_ref(), Some(event));
    }
}

/// A wide event is read like any other. Its seal says how many deliveries were planned, also after a replay. Only one
/// caller at a time can record how far they were sent.
pub async fn wide_events(store: &(impl WideEvents + OweMore + Reckoning), account: &AccountId, other: &AccountId) {
    let narrow = sealed(account, "narrow", 2, 0);
    assert_eq!(store.find_seal(account, &narrow.id).await.expect("an answer"), None);
    store.seal_event(&narrow).await.expect("sealed");
    let seal = Some(Seal { digest: narrow.digest, planned: None });
    assert_eq!(store.find_seal(account, &narrow.id).await.expect("an answer"), seal);

    let wide = sealed(account, "wide", 5_000, 250_000);
    assert_eq!(store.seal_plan(&wide).await.expect("an answer"), Sealed::Sealed);
    let seal = Some(Seal { digest: wide.digest, planned: Some(5_000) });
    assert_eq!(store.find_seal(account, &wide.id).await.expect("an answer"), seal);
    assert_eq!(store.find_seal(other, &wide.id).await.expect("an answer"), None);
    assert!(store.find_event(account, &wide.id).await.expect("an answer").as_ref() == Some(&wide));
    // A caller that is too late notices it, and changes nothing.
    let before = Sealed::Before { digest: wide.digest };
    assert_eq!(store.seal_plan(&sealed(account, "wide", 4_000, 1)).await.expect("an answer"), before);
    assert_eq!(store.seal_event(&sealed(account, "wide", 2, 1)).await.expect("an answer"), before);
    let more = sealed(account, "wide", 5_010, 250_000).owed.split_off(5_000);
    assert!(store.add_owed(&wide, &more, wide.sealed_at).await.expect("an answer"));
    assert_eq!(store.find_seal(account, &wide.id).await.expect("an answer"), seal);
    let found = store.find_event(account, &wide.id).await.expect("an answer").expect("the event");
    assert!(found.owed[..5_000] == wide.owed, "the plan comes first");
    let (shown, count) = store.find_event_with(account, &wide.id, 100).await.expect("an answer").expect("the event");
    assert!((100..=5_010).contains(&shown.owed.len()) && count == 5_010, "{} of {count}", shown.owed.len());
    assert!(shown.owed[..] == found.owed[..shown.owed.len()] && shown.body == found.body);
    let owed = store.find_owed(account, std::slice::from_ref(&wide.id)).await.expect("an answer");
    assert_eq!(owed.into_iter().map(|(_, owed)| owed.len()).collect::<Vec<_>>(), [5_010]);

    let note = async |before: Option<&Sending>, after: &Sending| {
        store.note_sending(account, &wide.id, before, after, wide.expires_at).await.expect("an answer")
    };
    let found = async || store.find_sending(account, &wide.id).await.expect("an answer");
    let begun = Sending::from(0).begin(1_000, after_ms(59_999));
    let (sent, other_end) = (begun.sent_to(1_000), begun.begin(1_000, after_ms(60_000)));
    assert_eq!(found().await, None);
    assert!(!note(Some(&begun), &sent).await, "nothing is noted yet");
    assert!(note(None, &begun).await);
    assert!(!note(None, &sent).await, "another one has begun");
    for wrong in [&sent, &other_end, &begun.begin(1_001, after_ms(59_999))] {
        assert!(!note(Some(wrong), &sent).await, "{wrong:?} is not what is noted");
    }
    assert_eq!(found().await, Some(begun.clone()));
    assert!(note(Some(&begun), &sent).await);
    assert_eq!(found().await, Some(sent));
    assert_eq!(store.find_sending(other, &wide.id).await.expect("an answer"), None);
}

/// A store of events to which more deliveries can be added.
pub trait OwingStore: OweMore + ListEvents + RollUps {}

impl<S: OweMore + ListEvents + RollUps> OwingStore for S {}

/// What is added holds the roll-up of its destination open, and nobody who read it before can store it.
pub async fn holding(store: &dyn OwingStore, account: &AccountId) {
    let event = sealed(account, "held", 1, 0);
    let added = sealed(account, "held", 2, 0).owed.split_off(1);
    let id = added[0].destination.clone();
    let find = async || store.find_roll_up(account, &id).await.expect("an answer");
    assert_eq!(store.seal_event(&event).await.expect("an answer"), Sealed::Sealed);
    assert!(store.add_owed(&event, &[], event.sealed_at).await.expect("an answer"));
    assert_eq!(find().await, None);
    let begun = Begun { stays: true, ..Begun::open(Hour(2)) };
    let begun = Begun { to: after(3), tally: Tally { delivered: 7, ..Tally::default() }, ..begun };
    let (computed_at, held_until) = (after(1), None);
    let hours = [(Hour(2), HourRead { at: after(1), tally: begun.tally.clone(), owed: 7, unsure: false })].into();
    let (account, destination) = (account.clone(), id.clone());
    let known = RollUp { account, destination, computed_at, hours, begun: Some(begun.clone()), held_until };
    assert!(store.store_roll_up(None, &known, None).await.expect("an answer"));
    assert_eq!(find().await.as_ref(), Some(&known));
    assert!(store.add_owed(&event, &added, after(60)).await.expect("an answer"));
    let held = find().await.expect("a roll-up");
    assert_eq!(Some(&held), known.held(RollUp::hold_at(after(60))).as_ref());
    assert_eq!((held.hours.clone(), held.begun.clone()), (known.hours.clone(), Some(Begun::open(Hour(2)))));
    assert!(!store.store_roll_up(Some(known.computed_at), &known, None).await.expect("an answer"));
    // Without a delivery that may be missing, nothing has begun.
    let event = SealedEvent { owed: [event.owed.clone(), added].concat(), ..event };
    let more = sealed(&event.account, "held", 3, 0).owed.split_off(2);
    let begun = Some(Begun { stays: false, ..begun });
    let settled = RollUp { begun, destination: more[0].destination.clone(), ..known };
    assert!(store.store_roll_up(None, &settled, None).await.expect("an answer"));
    assert!(store.add_owed(&event, &more, after(60)).await.expect("an answer"));
    let held = store.find_roll_up(&settled.account, &settled.destination).await.expect("an answer");
    assert_eq!(held.expect("a roll-up").begun, None);
}

pub async fn owing_more(store: &dyn OwingStore, account: &AccountId) {
    // What is added to the last event fills several rows, and so does what it owes already.
    for (id, owed, padding, more) in [("none", 0, 0, 2), ("one", 1, 0, 1), ("many", 3_000, 250_000, 3_000)] {
        let event = sealed(account, id, owed, padding);
        let added = sealed(account, id, owed + more, padding).owed.split_off(owed);
        assert!(!store.add_owed(&event, &added, event.sealed_at).await.expect("an answer"), "{id} is not sealed yet");
        assert_eq!(store.seal_event(&event).await.expect("an answer"), Sealed::Sealed);
        assert!(store.add_owed(&event, &[], event.sealed_at).await.expect("an answer"));
        assert!(store.find_event(account, &event.id).await.expect("an answer").as_ref() == Some(&event));

        assert!(store.add_owed(&event, &added, event.sealed_at).await.expect("an answer"));
        let expected =
            SealedEvent { owed: [event.owed.clone(), added.clone()].concat(), unmatched: None, ..event.clone() };
        let found = store.find_event(account, &event.id).await.expect("an answer").expect("the event");
        assert_eq!(found.owed.len(), owed + more);
        assert!(found == expected, "{id} owes something else");
        assert!(!store.add_owed(&event, &added, event.sealed_at).await.expect("an answer"), "{id} owes more by now");
        assert!(store.find_event(account, &event.id).await.expect("an answer").as_ref() == Some(&expected));

        let until = event.occurred_at.plus(std::time::Duration::from_millis(1));
        let (span, order) = (Span { since: event.occurred_at, until }, Order::NewestFirst);
        let listed = store.list_events(account, span, order, None, 10).await.expect("a list");
        let listed = listed.into_iter().find(|listed| listed.place.id == event.id).expect("the event");
        assert_eq!((listed.owed_count, listed.unmatched), (owed + more, None));
    }
}

fn always() -> Span {
    Span { since: Timestamp::from_unix_ms(0), until: Timestamp::from_unix_ms(u64::MAX) }
}

fn ids(events: &[ListedEvent]) -> Vec<&str> {
    events.iter().map(|event| event.place.id.as_str()).collect()
}

pub async fn listed_events(store: &(impl Events + ListEvents), account: &AccountId, other: &AccountId) {
    // They are sealed in another order than they occurred in; two occurred in the same millisecond.
    for (id, ms, owed) in [("b", 20, 0), ("a", 20, 2), ("late", 30, 5_000), ("early", 10, 1)] {
        let mut event = sealed(account, id, owed, 0);
        event.occurred_at = after_ms(ms);
        store.seal_event(&event).await.expect("sealed");
    }
    let list = async |order: Order, span: Span, after: Option<EventPlace>, limit: usize| {
        store.list_events(account, span, order, after.as_ref(), limit).await.expect("a list")
    };
    let [newest, oldest] = [Order::NewestFirst, Order::OldestFirst];
    let all = list(newest, always(), None, 10).await;
    assert_eq!(ids(&all), ["late", "b", "a", "early"]);
    for listed in &all {
        let event = store.find_event(account, &listed.place.id).await.expect("an answer").expect("the event");
        assert_eq!(listed.place.occurred_at, event.occurred_at);
        assert_eq!((listed.event_type, &listed.scope), (event.event_type, &event.scope));
        assert_eq!((listed.sealed_at, listed.expires_at), (event.sealed_at, event.expires_at));
        assert_eq!((listed.owed_count, listed.unmatched), (event.owed.len(), event.unmatched));
    }
    // Pages of any size together give the whole list.
    let mut turned = all.clone();
    turned.reverse();
    for (order, all) in [(newest, &all), (oldest, &turned)] {
        for limit in 1..=4 {
            let page = async |after| list(order, always(), after, limit).await;
            let seen = in_pages(limit, |event: &ListedEvent| event.place.clone(), page).await;
            assert_eq!(seen, *all, "{order:?} in pages of {limit}");
        }
    }
    for (since, until, expected) in [
        (10, 31, &["late", "b", "a", "early"][..]),
        (10, 30, &["b", "a", "early"]),
        (11, 21, &["b", "a"]),
        (20, 20, &[]),
        (21, 20, &[]),
        (31, 99, &[]),
    ] {
        let span = Span { since: after_ms(since), until: after_ms(until) };
        assert_eq!(ids(&list(newest, span, None, 10).await), expected, "{since} to {until}");
        let turned: Vec<_> = expected.iter().rev().copied().collect();
        assert_eq!(ids(&list(oldest, span, None, 10).await), turned, "{since} to {until}, oldest first");
    }
    // A page after an event that is newer than the span begins at the end of the span.
    let (span, after) =
        (Span { since: after_ms(0), until: after_ms(20) }, all.first().map(|event| event.place.clone()));
    assert_eq!(ids(&list(newest, span, after, 10).await), ["early"]);
    // In the other order, a page after an event that is older begins at the start of the span.
    let (span, after) =
        (Span { since: after_ms(21), until: after_ms(31) }, all.last().map(|event| event.place.clone()));
    assert_eq!(ids(&list(oldest, span, after, 10).await), ["late"]);
    let latest = all.first().map(|event| event.place.clone());
    assert_eq!(list(oldest, span, latest, 10).await, []);
    for order in [newest, oldest] {
        assert_eq!(store.list_events(other, always(), order, None, 10).await.expect("a list"), []);
    }
}
