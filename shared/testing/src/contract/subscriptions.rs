//! Subscriptions, and the buckets they are found in.

use domain::destination::Destination;
use domain::event::{Event, Scope};
use domain::routing::subscription::deliveries;
use domain::routing::{
    AwaitedTransition, Bucket, Hearing, MAX_CONDITION_BYTES, Subscription, Transition, Work, listeners,
};
use domain::value::{AccountId, DestinationId, SubscriptionId};
use ports::{
    Accounts, CreatedSubscription, DeletedDestination, DeletedSubscription, Destinations, FindListeners, Order,
    Subscriptions, UpdatedSubscription,
};
use serde_json::json;

use super::now;
use crate::samples::{destination, event_text, subscription};

const MOST: u32 = 3;

async fn create(store: &impl Subscriptions, subscription: &Subscription) -> CreatedSubscription {
    store.create_subscription(subscription, MOST).await.expect("an answer")
}

pub async fn subscriptions<S: Subscriptions + FindListeners + Destinations + Accounts>(
    store: &S,
    account: &AccountId,
    other: &AccountId,
) {
    for registered in [account, other] {
        store.create_account(registered, now()).await.expect("registered");
    }
    let targets = [1, 2].map(|n| destination(account, n, "https://example.com/hooks"));
    for target in &targets {
        store.create_destination(target, MOST).await.expect("created");
    }
    let types = ["sync_run.completed", "insight_population.completed", "sync_run.completed"];
    let wide = subscription(&targets[0], 1, &["*"], "*", None);
    let mut narrow = subscription(&targets[0], 2, &types, "connection/xero/endpoint/invoices", Some("/sync"));
    let condition = json!({"records": {"inserted": [{"numeric": [">", 0.5]}, 5.0, 5]}, "status": [null]});
    narrow.settings.condition = Some(serde_json::from_value(condition).expect("a condition"));
    narrow.settings.transition = Some(AwaitedTransition::Recovered);
    for one in [&wide, &narrow] {
        assert_eq!(create(store, one).await, CreatedSubscription::Created);
    }
    refuse(store, &wide).await;

    assert_eq!(store.find_subscription(account, &narrow.id).await.expect("an answer").as_ref(), Some(&narrow));
    assert_eq!(store.find_subscription(other, &narrow.id).await.expect("an answer"), None);
    let named = store.find_subscription_named(account, &narrow.settings.name).await.expect("an answer");
    assert_eq!(named.as_ref(), Some(&narrow.id));
    let page = store.list_subscriptions(account, Order::OldestFirst, None, 10).await.expect("a page");
    assert_eq!(page, [wide.clone(), narrow.clone()]);
    let page = store.list_subscriptions(account, Order::OldestFirst, Some(&wide.id), 10).await.expect("a page");
    assert_eq!(page, std::slice::from_ref(&narrow));
    let page = store.list_subscriptions(account, Order::NewestFirst, None, 10).await.expect("a page");
    assert_eq!(page, [narrow.clone(), wide.clone()]);
    let page = store.list_subscriptions(account, Order::NewestFirst, Some(&narrow.id), 10).await.expect("a page");
    assert_eq!(page, std::slice::from_ref(&wide));
    check_found(store, account, "connection/xero/endpoint/invoices", &[&wide, &narrow]).await;
    check_found(store, other, "connection/xero/endpoint/invoices", &[]).await;

    let narrow = change(store, &wide, &narrow, &targets[1].id).await;
    let answer = store.delete_destination(account, &targets[1].id, None).await.expect("an answer");
    assert_eq!(answer, DeletedDestination::InUse);
    assert_eq!(delete(store, other, &narrow, None).await, DeletedSubscription::NotFound);
    for (one, version, answer) in [
        (&narrow, Some(narrow.version + 1), DeletedSubscription::Changed),
        (&narrow, Some(narrow.version), DeletedSubscription::Deleted),
        (&narrow, Some(narrow.version), DeletedSubscription::NotFound),
        (&wide, None, DeletedSubscription::Deleted),
    ] {
        assert_eq!(delete(store, account, one, version).await, answer);
    }
    check_found(store, account, "connection/xero/endpoint/invoices", &[]).await;
    conditions(store, &targets[0]).await;
    for target in &targets {
        let answer = store.delete_destination(account, &target.id, None).await.expect("an answer");
        assert_eq!(answer, DeletedDestination::Deleted);
    }
}

async fn delete(
    store: &impl Subscriptions,
    account: &AccountId,
    one: &Subscription,
    version: Option<u64>,
) -> DeletedSubscription {
    store.delete_subscription(account, &one.id, version).await.expect("an answer")
}

/// A subscription that cannot be created leaves nothing behind.
async fn refuse<S: Subscriptions>(store: &S, wide: &Subscription) {
    let mut orphan = wide.clone();
    orphan.id = SubscriptionId::from_entropy([3; 10]);
    assert_eq!(create(store, &orphan).await, CreatedSubscription::NameTaken);
    orphan.settings.name = "Orphan".to_owned().try_into().expect("a name");
    orphan.settings.destination_id = DestinationId::from_entropy([99; 10]);
    assert_eq!(create(store, &orphan).await, CreatedSubscription::NoDestination);
    assert_eq!(store.find_subscription(&wide.account, &orphan.id).await.expect("an answer"), None);
    orphan.settings.destination_id = wide.settings.destination_id.clone();
    assert_eq!(create(store, &orphan).await, CreatedSubscription::Created);
    let mut surplus = orphan.clone();
    surplus.id = SubscriptionId::from_entropy([4; 10]);
    surplus.settings.name = "Surplus".to_owned().try_into().expect("a name");
    assert_eq!(create(store, &surplus).await, CreatedSubscription::LimitReached);
    assert_eq!(delete(store, &wide.account, &orphan, None).await, DeletedSubscription::Deleted);
}

async fn check_found<S: Subscriptions + FindListeners>(
    store: &S,
    account: &AccountId,
    place: &str,
    expected: &[&Subscription],
) {
    let place = place.parse().expect("a scope");
    let buckets = Bucket::of_event("sync_run.completed".parse().expect("a type"), &place);
    let mut found = Vec::new();
    for bucket in &buckets {
        let filed =
            async |after, most| store.find_subscriptions(account, bucket, after, most).await.expect("an answer");
        let all = filed(None, 10).await;
        for (place, one) in all.iter().enumerate() {
            assert_eq!(filed(Some(&one.id), 1).await, all[place + 1..].iter().take(1).cloned().collect::<Vec<_>>());
        }
        assert!(filed(None, 0).await.is_empty());
        found.extend(all);
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found.dedup();
    assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{place}");
    check_heard(store, account, &place, &buckets, expected).await;
}

/// The listeners of a bucket give the same result as asking each subscription.
async fn check_heard<S: FindListeners>(
    store: &S,
    account: &AccountId,
    place: &Scope,
    buckets: &[Bucket],
    expected: &[&Subscription],
) {
    let heard = store.find_listeners(account, buckets).await.expect("an answer");
    let mut event = Event::parse(&event_text(account, "evt-1"), now()).expect("an event");
    event.scope = place.clone();
    let data = json!({"status": null, "records": {"inserted": 5}});
    let recovered = Some(Transition::Recovered);
    let expected = deliveries(&event, &data, recovered, expected).len();
    assert!(expected > 0 || heard.iter().all(|heard| !Hearing::of(&event, &[&**heard]).by_any));
    let owed = listeners::owed(&event, &data, recovered, &heard, &Work::default()).expect("not too costly");
    assert_eq!(owed.len(), expected, "{place}");
}

/// All conditions of an account together are limited, and deleting or changing a subscription makes room.
async fn conditions<S: Subscriptions>(store: &S, target: &Destination) {
    let account = &target.account;
    let long = |bytes: usize| {
        let text = "x".repeat(bytes - r#"{"a":[""]}"#.len());
        serde_json::from_value(json!({"a": [text]})).expect("a condition")
    };
    let one = |n: usize, bytes: usize| {
        let mut one = subscription(target, 0, &["*"], "*", None);
        let mut id = [7; 10];
        id[..8].copy_from_slice(&n.to_be_bytes());
        one.id = SubscriptionId::from_entropy(id);
        one.settings.name = format!("long {n}").try_into().expect("a name");
        one.settings.condition = Some(long(bytes));
        one
    };
    let most = 1_000;
    let create = async |one: &Subscription| store.create_subscription(one, most).await.expect("an answer");
    let (each, all) = (2_048, MAX_CONDITION_BYTES / 2_048);
    for n in 0..all {
        assert_eq!(create(&one(n, each)).await, CreatedSubscription::Created, "{n} of {all}");
    }
    assert_eq!(create(&one(all, 100)).await, CreatedSubscription::TooManyConditions);
    let without = subscription(target, 1, &["*"], "*", None);
    assert_eq!(create(&without).await, CreatedSubscription::Created, "it has no condition");
    let first = one(0, each);
    let shorter = first.changed(one(0, each - 100).settings, now());
    let update = async |before, after| store.update_subscription(before, after).await.expect("an answer");
    assert_eq!(update(&first, &shorter).await, UpdatedSubscription::Updated);
    assert_eq!(create(&one(all, 101)).await, CreatedSubscription::TooManyConditions);
    assert_eq!(create(&one(all, 100)).await, CreatedSubscription::Created);
    let longer = shorter.changed(first.settings.clone(), now());
    assert_eq!(update(&shorter, &longer).await, UpdatedSubscription::TooManyConditions);
    assert_eq!(delete(store, account, &one(all, 100), None).await, DeletedSubscription::Deleted);
    assert_eq!(update(&shorter, &longer).await, UpdatedSubscription::Updated);
    for n in 0..all {
        assert_eq!(delete(store, account, &one(n, each), None).await, DeletedSubscription::Deleted);
    }
    assert_eq!(delete(store, account, &without, None).await, DeletedSubscription::Deleted);
}

/// A change moves a subscription to its new buckets and its new destination, all at once.
async fn change<S: Subscriptions + FindListeners>(
    store: &S,
    wide: &Subscription,
    narrow: &Subscription,
    other_target: &DestinationId,
) -> Subscription {
    let account = &narrow.account;
    let mut settings = narrow.settings.clone();
    settings.scope = "connection/hubspot".parse().expect("a scope");
    settings.event_types = vec!["*".to_owned().try_into().expect("a filter")].try_into().expect("a list");
    settings.name = "Moved".to_owned().try_into().expect("a name");
    settings.destination_id = other_target.clone();
    settings.condition = None;
    let moved = narrow.changed(settings, now());
    let answer = store.update_subscription(narrow, &moved).await.expect("an answer");
    assert_eq!(answer, UpdatedSubscription::Updated);
    assert_eq!(store.update_subscription(narrow, &moved).await.expect("an answer"), UpdatedSubscription::Changed);
    assert_eq!(store.find_subscription(account, &narrow.id).await.expect("an answer").as_ref(), Some(&moved));
    check_found(store, account, "connection/xero/endpoint/invoices", &[wide]).await;
    check_found(store, account, "connection/hubspot/endpoint/deals", &[wide, &moved]).await;
    assert_eq!(store.find_subscription_named(account, &narrow.settings.name).await.expect("an answer"), None);

    let mut settings = moved.settings.clone();
    settings.name = wide.settings.name.clone();
    let taken = moved.changed(settings, now());
    assert_eq!(store.update_subscription(&moved, &taken).await.expect("an answer"), UpdatedSubscription::NameTaken);
    let mut settings = moved.settings.clone();
    settings.destination_id = DestinationId::from_entropy([99; 10]);
    let lost = moved.changed(settings, now());
    assert_eq!(store.update_subscription(&moved, &lost).await.expect("an answer"), UpdatedSubscription::NoDestination);
    assert_eq!(store.find_subscription(account, &narrow.id).await.expect("an answer").as_ref(), Some(&moved));
    moved
}
