//! The purge of an account.

use domain::access::{ApiKey, Role};
use domain::delivery::{DeliveryState, Lease, Sending};
use domain::event::UnregisteredAccount;
use domain::value::{AccountId, KeyId};
use ports::{
    AccountPurge, BegunRequest, CreatedAccount, Deliveries, Destinations, Held, Jobs, KeptAnswers, Order, SealedEvent,
    StartJob, Subscriptions, UnregisteredAccounts, WideEvents,
};

use super::accounts::AccountStore;
use super::events::sealed;
use super::jobs::{recovery, start};
use super::kept_answers;
use super::now;
use crate::samples::{destination, record, subscription};

/// A store of everything that belongs to an account.
pub trait WholeStore:
    AccountStore
    + Jobs
    + StartJob
    + AccountPurge
    + Destinations
    + Subscriptions
    + WideEvents
    + Deliveries
    + UnregisteredAccounts
{
}

impl<S> WholeStore for S where
    S: AccountStore
        + Jobs
        + StartJob
        + AccountPurge
        + Destinations
        + Subscriptions
        + WideEvents
        + Deliveries
        + UnregisteredAccounts
{
}

/// Fills an account with two each of subscriptions, destinations (the second is deleted again), events and deliveries.
async fn fill(store: &dyn WholeStore, account: &AccountId) -> Vec<SealedEvent> {
    store.create_account(account, now()).await.expect("created");
    let name = "ci".to_owned().try_into().expect("a name");
    let (key, _) = ApiKey::issue(KeyId::from_entropy([7; 10]), account.clone(), name, Role::Admin, [9; 32], now());
    store.create_key(&key).await.expect("created");
    let (kept, gone) = (destination(account, 1, "https://a.example/"), destination(account, 2, "https://b.example/"));
    let mut events = Vec::new();
    for (to, id) in [(&kept, "evt-1"), (&gone, "evt-2")] {
        store.create_destination(to, 10).await.expect("created");
        let record = record(to, id, 1, DeliveryState::Delivered);
        let event = SealedEvent { owed: vec![record.delivery.clone()], ..sealed(account, id, 1, 0) };
        store.seal_plan(&event).await.expect("sealed");
        let sending = Sending::from(0);
        assert!(store.note_sending(account, &event.id, None, &sending, event.expires_at).await.expect("noted"));
        store.create_delivery(&record).await.expect("recorded");
        events.push(event);
    }
    for n in [1, 2] {
        let types = ["sync_run.completed", "*"];
        store.create_subscription(&subscription(&kept, n, &types, "*", None), 100).await.expect("created");
    }
    store.delete_destination(account, &gone.id, None).await.expect("deleted");
    events
}

async fn is_empty(store: &dyn WholeStore, account: &AccountId, events: &[SealedEvent]) -> bool {
    let mut found = store.list_keys(account, Order::OldestFirst, None, 9).await.expect("a list").len();
    found += store.list_destinations(account, Order::OldestFirst, None, 9).await.expect("a list").len();
    found += store.list_subscriptions(account, Order::OldestFirst, None, 9).await.expect("a list").len();
    let of = destination(account, 1, "https://a.example/");
    let subscribed = subscription(&of, 1, &["sync_run.completed", "*"], "*", None);
    for bucket in subscribed.buckets() {
        found += store.find_subscriptions(account, &bucket, None, 100).await.expect("a list").len();
    }
    found += usize::from(store.find_destination_named(account, &of.settings.name).await.expect("an answer").is_some());
    let named = store.find_subscription_named(account, &subscribed.settings.name).await.expect("an answer");
    found += usize::from(named.is_some());
    for event in events {
        found += usize::from(store.find_event(account, &event.id).await.expect("an answer").is_some());
        found += usize::from(store.find_sending(account, &event.id).await.expect("an answer").is_some());
        for owed in &event.owed {
            found += usize::from(store.find_delivery(account, &owed.id).await.expect("an answer").is_some());
        }
    }
    found == 0
}

pub async fn purge(store: &dyn WholeStore, answers: &dyn KeptAnswers, account: &AccountId, other: &AccountId) {
    let (mine, theirs) = (fill(store, account).await, fill(store, other).await);
    for account in [account, other] {
        assert_eq!(kept_answers::asked(answers, account).await, BegunRequest::Begun);
    }
    let recovery = recovery(account, 1);
    assert_eq!(store.start_job(&recovery, 1).await.expect("an answer").as_ref(), Some(&recovery));
    let job = start(store, account, 11).await;
    // Nothing new can be created in the meantime.
    let late = destination(account, 3, "https://c.example/");
    assert!(store.create_destination(&late, 10).await.is_err());
    let subscribed = subscription(&destination(account, 1, "https://a.example/"), 3, &["*"], "*", None);
    assert!(store.create_subscription(&subscribed, 100).await.is_err());
    let mut deleted = 0;
    loop {
        assert!(deleted < 100, "a purge has an end");
        let purged = store.purge_account(account, 1).await.expect("purged");
        deleted += purged.deleted;
        if !purged.more {
            break;
        }
    }
    assert!(deleted >= 9, "a key, a request, two subscriptions, two events, two deliveries, a destination: {deleted}");
    assert!(is_empty(store, account, &mine).await);
    assert!(!is_empty(store, other, &theirs).await);
    assert_eq!(kept_answers::asked(answers, other).await, BegunRequest::UnderWay);
    assert_eq!(kept_answers::asked(answers, account).await, BegunRequest::Begun, "it is forgotten");
    assert_eq!(store.purge_account(account, 1).await.expect("purged").deleted, 1);
    // A job that the account started outlives the account's rows, and leaves no row when it ends.
    let lease = Lease::taken([3; 16], recovery.starts_at);
    let mut taken = store.take_job(&recovery.id, &lease, lease.until).await.expect("an answer").expect("the recovery");
    taken.failed("the destination was deleted".into(), recovery.starts_at);
    assert_eq!(store.end_job(&taken, &lease).await.expect("an answer"), Held::Held);
    let again = store.purge_account(account, 1).await.expect("purged");
    assert_eq!((again.deleted, again.more), (0, false));
    assert_eq!(store.create_account(account, now()).await.expect("an answer"), CreatedAccount::BeingDeleted);

    // An event that comes now belongs to no registered account.
    let noted = UnregisteredAccount {
        account: account.clone(),
        first_at: now(),
        last_at: now(),
        last_event: mine[0].id.clone(),
        events: 1,
        expires_at: mine[0].expires_at,
    };
    store.note_unregistered(&noted).await.expect("noted");

    // The account is deleted when its own job ends, not when another job does.
    let (at, lease) = (job.starts_at, Lease::taken([1; 16], job.starts_at));
    let mut job = store.take_job(&job.id, &lease, at).await.expect("an answer").expect("the job");
    job.succeeded(at);
    let stranger = Lease::taken([2; 16], at);
    assert_eq!(store.end_deletion(account, &job, &stranger).await.expect("an answer"), Held::Lost);
    assert_eq!(store.end_deletion(other, &job, &lease).await.expect("an answer"), Held::Lost);
    assert!(store.read_account(account).await.expect("an answer").is_some());
    assert_eq!(store.end_deletion(account, &job, &lease).await.expect("an answer"), Held::Held);
    assert_eq!(store.read_account(account).await.expect("an answer"), None);
    assert_eq!(store.find_job(&job.id).await.expect("an answer"), Some(job.clone()));
    assert!(store.find_account(other).await.expect("an answer").is_some());

    let noted = store.list_unregistered(None, 1_000).await.expect("a list");
    assert!(noted.iter().all(|noted| noted.account != *account), "the note that events named it is deleted with it");

    // An account that is registered again is not affected.
    assert_eq!(store.create_account(account, now()).await.expect("an answer"), CreatedAccount::Created);
    assert_eq!(store.end_deletion(account, &job, &lease).await.expect("an answer"), Held::Lost);
    assert!(store.find_account(account).await.expect("an answer").is_some());
}
