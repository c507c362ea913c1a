//! What every implementation of the table's and the vault's ports must do. Run on the fakes here, on the real adapters in
//! the end-to-end tests. Each suite works in an account of its own, given by the caller, and panics where a promise is broken.

#![expect(clippy::expect_used, clippy::panic, reason = "a contract suite is a test")]

use super::samples::{destination, event_text, record, subscription};
use crate::domain::api_key::ApiKey;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::envelope;
use crate::domain::event::Event;
use crate::domain::id::{AccountId, DestinationId, KeyId, SubscriptionId};
use crate::domain::secret::SigningSecret;
use crate::domain::subscription::Bucket;
use crate::domain::timestamp::Timestamp;
use crate::ports::{
    Accounts, ApiKeys, Created, CreatedSubscription, DeletedDestination, Deliveries, Destinations, Events, Recorded,
    Sealed, SealedEvent, Subscriptions, UnmatchedReason, Vault,
};

fn now() -> Timestamp {
    Timestamp::from_unix_ms(1_795_426_200_000)
}

pub async fn accounts(store: &dyn Accounts, account: &AccountId) {
    assert_eq!(store.find_account(account).await.expect("an answer"), None);
    assert_eq!(store.create_account(account, now()).await.expect("an answer"), Created::Created);
    assert_eq!(store.create_account(account, Timestamp::from_unix_ms(1)).await.expect("an answer"), Created::Exists);
    assert_eq!(store.find_account(account).await.expect("an answer"), Some(now()));
}

pub async fn api_keys(store: &dyn ApiKeys, account: &AccountId, other: &AccountId) {
    let id = KeyId::from_entropy([5; 10]);
    let name = "ci".to_owned().try_into().expect("a name");
    let (key, _) = ApiKey::issue(id.clone(), account.clone(), name, [9; 32], now());
    assert_eq!(store.find_key(account, &id).await.expect("an answer"), None);
    store.store_key(&key).await.expect("stored");
    assert_eq!(store.find_key(account, &id).await.expect("an answer"), Some(key));
    assert_eq!(store.find_key(other, &id).await.expect("an answer"), None);
}

pub async fn destinations(store: &dyn Destinations, account: &AccountId, other: &AccountId) {
    let all: Vec<_> = (1..=5).map(|n| destination(account, n, "https://example.com/hooks")).collect();
    for one in &all {
        store.create_destination(one).await.expect("created");
    }
    store.create_destination(&destination(other, 9, "https://example.org/")).await.expect("created");
    assert_eq!(store.find_destination(account, &all[0].id).await.expect("an answer").as_ref(), Some(&all[0]));
    assert_eq!(store.find_destination(other, &all[0].id).await.expect("an answer"), None);

    let first = store.list_destinations(account, None, 3).await.expect("a page");
    assert_eq!(first, all[..3]);
    let second = store.list_destinations(account, Some(&first[2].id), 3).await.expect("a page");
    assert_eq!(second, all[3..]);

    let gone = &all[0].id;
    assert_eq!(store.delete_destination(other, gone).await.expect("an answer"), DeletedDestination::NotFound);
    assert_eq!(store.delete_destination(account, gone).await.expect("an answer"), DeletedDestination::Deleted);
    assert_eq!(store.delete_destination(account, gone).await.expect("an answer"), DeletedDestination::NotFound);
    assert_eq!(store.find_destination(account, gone).await.expect("an answer"), None);
}

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

fn sealed(account: &AccountId, id: &str, owed: usize, padding: usize) -> SealedEvent {
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

pub async fn deliveries(store: &dyn Deliveries, account: &AccountId, other: &AccountId) {
    use DeliveryState::{Cancelled, Delivered, Exhausted};
    let target = destination(account, 1, "https://example.com/hooks");
    let due =
        |seconds: u64| DeliveryState::Retrying { due_at: Timestamp::from_unix_ms(1_795_426_200_000 + seconds * 1000) };
    let states =
        [(0, Cancelled), (1, due(1)), (1, Delivered), (2, due(2)), (2, Delivered), (2, Exhausted), (3, Cancelled)];
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

pub async fn vault(vault: &dyn Vault, account: &AccountId, other: &AccountId) {
    let (mine, theirs) = (DestinationId::from_entropy([1; 10]), DestinationId::from_entropy([2; 10]));
    let secret = SigningSecret::from_entropy([42; 32]);
    let sealed = vault.seal(account, &mine, &secret).await.expect("sealed");
    let opened = vault.open(account, &mine, &sealed).await.expect("opened");
    assert_eq!(opened.key(), secret.key());
    for (account, destination) in [(account, &theirs), (other, &mine)] {
        match vault.open(account, destination, &sealed).await {
            Err(error) => assert!(!format!("{error:?}").contains("KioqKio"), "the error shows the secret"),
            Ok(_) => panic!("a secret opened for another account or destination"),
        }
    }
    let mut broken = sealed.clone();
    if let Some(byte) = broken.sealed.first_mut() {
        *byte ^= 1;
    }
    assert!(vault.open(account, &mine, &broken).await.is_err(), "an altered secret opened");
}

#[cfg(test)]
mod tests {
    use super::super::{MemoryStore, PlainVault, account};
    use super::*;

    #[tokio::test]
    async fn the_memory_store_keeps_the_contracts() {
        let (a, b) = (account("a"), account("b"));
        accounts(&MemoryStore::default(), &a).await;
        api_keys(&MemoryStore::default(), &a, &b).await;
        destinations(&MemoryStore::default(), &a, &b).await;
        subscriptions(&MemoryStore::default(), &a, &b).await;
        events(&MemoryStore::default(), &a, &b).await;
        deliveries(&MemoryStore::default(), &a, &b).await;
    }

    #[tokio::test]
    async fn the_plain_vault_keeps_the_contract() {
        vault(&PlainVault, &account("a"), &account("b")).await;
    }
}
