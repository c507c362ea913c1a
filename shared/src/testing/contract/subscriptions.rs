//! Subscriptions, and the buckets they are found in.

use super::super::samples::{destination, subscription};
use crate::domain::id::{AccountId, DestinationId, SubscriptionId};
use crate::domain::subscription::Bucket;
use crate::ports::{CreatedSubscription, DeletedDestination, Destinations, Subscriptions};

pub async fn subscriptions<S: Subscriptions + Destinations>(store: &S, account: &AccountId, other: &AccountId) {
    let target = destination(account, 1, "https://example.com/hooks");
    store.create_destination(&target).await.expect("created");
    let types = ["sync_run.completed", "insight_population.completed", "sync_run.completed"];
    let wide = subscription(&target, 1, &["*"], "*", None);
    let narrow = subscription(&target, 2, &types, "connection/xero/endpoint/invoices", Some("/sync"));
    for one in [&wide, &narrow] {
        assert_eq!(store.create_subscription(one).await.expect("an answer"), CreatedSubscription::Created);
    }
    let mut orphan = subscription(&target, 3, &["*"], "*", None);
    orphan.destination = DestinationId::from_entropy([99; 10]);
    assert_eq!(store.create_subscription(&orphan).await.expect("an answer"), CreatedSubscription::NoDestination);

    assert_eq!(store.find_subscription(account, &narrow.id).await.expect("an answer").as_ref(), Some(&narrow));
    assert_eq!(store.find_subscription(other, &narrow.id).await.expect("an answer"), None);
    assert_eq!(store.find_subscription(account, &orphan.id).await.expect("an answer"), None);
    let page = store.list_subscriptions(account, None, 10).await.expect("a page");
    assert_eq!(page, [wide.clone(), narrow.clone()]);
    assert_eq!(
        store.list_subscriptions(account, Some(&wide.id), 10).await.expect("a page"),
        std::slice::from_ref(&narrow)
    );

    let buckets = Bucket::of_event("sync_run.completed".parse().expect("a type"), &narrow.scope);
    let mut found = store.find_subscriptions(account, &buckets).await.expect("an answer");
    found.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(found, [wide.clone(), narrow.clone()]);
    assert_eq!(store.find_subscriptions(other, &buckets).await.expect("an answer"), []);

    assert_eq!(store.delete_destination(account, &target.id).await.expect("an answer"), DeletedDestination::InUse);
    assert!(!store.delete_subscription(other, &narrow.id).await.expect("an answer"));
    assert!(store.delete_subscription(account, &narrow.id).await.expect("an answer"));
    assert!(!store.delete_subscription(account, &narrow.id).await.expect("an answer"));
    assert_eq!(store.find_subscriptions(account, &buckets).await.expect("an answer"), std::slice::from_ref(&wide));
    assert!(store.delete_subscription(account, &wide.id).await.expect("an answer"));
    assert!(!store.delete_subscription(account, &SubscriptionId::from_entropy([50; 10])).await.expect("an answer"));
    assert_eq!(store.delete_destination(account, &target.id).await.expect("an answer"), DeletedDestination::Deleted);
}
