//! Sealed events and deliveries.

use domain::delivery::{Delivery, DeliveryState};
use domain::event::{Event, envelope};
use domain::value::{AccountId, DestinationId, Timestamp};
use ports::{Deliveries, Events, ListEvents, OweMore, Recorded, Sealed, SealedEvent, Span, UnmatchedReason};

use super::super::samples::{destination, event_text, record};
use super::now;

pub(super) fn sealed(account: &AccountId, id: &str, owed: usize, padding: usize) -> SealedEvent {
    let event = Event::parse(&event_text(account, id), now()).map_err(|r| r.detail).expect("an event");
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
        assert_eq!(store.find_event(other, &event.id).await.expect("an answer"), None);

        let another = sealed(account, id, 2, 7);
        let before = Sealed::Before { digest: event.digest };
        assert_eq!(store.seal_event(&another).await.expect("an answer"), before);
        assert!(store.find_event(account, &event.id).await.expect("an answer").as_ref() == Some(&event));
    }
}

/// What a store is whose events come to owe more.
pub trait OwingStore: OweMore + ListEvents {}

impl<S: OweMore + ListEvents> OwingStore for S {}

pub async fn owing_more(store: &dyn OwingStore, account: &AccountId) {
    // What is added to the last one fills several rows, as what it owes does already.
    for (id, owed, padding, more) in [("none", 0, 0, 2), ("one", 1, 0, 1), ("many", 3_000, 250_000, 3_000)] {
        let event = sealed(account, id, owed, padding);
        let added = sealed(account, id, owed + more, padding).owed.split_off(owed);
        assert!(!store.add_owed(&event, &added).await.expect("an answer"), "{id} is not sealed yet");
        assert_eq!(store.seal_event(&event).await.expect("an answer"), Sealed::Sealed);
        assert!(store.add_owed(&event, &[]).await.expect("an answer"));
        assert!(store.find_event(account, &event.id).await.expect("an answer").as_ref() == Some(&event));

        assert!(store.add_owed(&event, &added).await.expect("an answer"));
        let expected =
            SealedEvent { owed: [event.owed.clone(), added.clone()].concat(), unmatched: None, ..event.clone() };
        let found = store.find_event(account, &event.id).await.expect("an answer").expect("the event");
        assert_eq!(found.owed.len(), owed + more);
        assert!(found == expected, "{id} owes something else");
        assert!(!store.add_owed(&event, &added).await.expect("an answer"), "{id} owes more by now");
        assert!(store.find_event(account, &event.id).await.expect("an answer").as_ref() == Some(&expected));

        let until = event.occurred_at.plus(std::time::Duration::from_millis(1));
        let listed =
            store.list_events(account, Span { since: event.occurred_at, until }, None, 10).await.expect("a list");
        let listed = listed.into_iter().find(|listed| listed.place.id == event.id).expect("the event");
        assert_eq!((listed.owed_count, listed.unmatched), (owed + more, None));
    }
}

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
