//! Subscriptions, and the buckets they are found in.

use domain::routing::{AwaitedTransition, Bucket, Subscription};
use domain::value::{AccountId, DestinationId, SubscriptionId};
use ports::{
    Accounts, CreatedSubscription, DeletedDestination, DeletedSubscription, Destinations, Subscriptions,
    UpdatedSubscription,
};
use serde_json::json;

use super::now;
use crate::samples::{destination, subscription};

const MOST: u32 = 3;

async fn create(store: &impl Subscriptions, subscription: &Subscription) -> CreatedSubscription {
    store.create_subscription(subscription, MOST).await.expect("an answer")
}

pub async fn subscriptions<S: Subscriptions + Destinations + Accounts>(
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
    let page = store.list_subscriptions(account, None, 10).await.expect("a page");
    assert_eq!(page, [wide.clone(), narrow.clone()]);
    let page = store.list_subscriptions(account, Some(&wide.id), 10).await.expect("a page");
    assert_eq!(page, std::slice::from_ref(&narrow));
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

async fn check_found(store: &impl Subscriptions, account: &AccountId, place: &str, expected: &[&Subscription]) {
    let place = place.parse().expect("a scope");
    let buckets = Bucket::of_event("sync_run.completed".parse().expect("a type"), &place);
    let mut found = store.find_subscriptions(account, &buckets).await.expect("an answer");
    found.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(found.iter().map(|found| &**found).collect::<Vec<_>>(), expected, "{place}");
}

/// A change moves a subscription to its new buckets and its new destination, all at once.
async fn change<S: Subscriptions>(
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
