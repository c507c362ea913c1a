//! Jobs, and the purge of an account.

use std::time::Duration;

use domain::access::{ApiKey, Role};
use domain::delivery::job::LEASE;
use domain::delivery::{DeliveryState, Job, JobStatus, Lease, RecoverStatus, Recovered, RecoveredTo, Recovery};
use domain::value::{AccountId, DestinationId, KeyId, Timestamp};
use ports::{
    AccountPurge, CreatedAccount, Deliveries, Destinations, Events, Held, Jobs, SealedEvent, StartJob, Subscriptions,
};

use super::accounts::{AccountStore, unused_job};
use super::ledger::sealed;
use super::now;
use crate::{destination, record, subscription};

/// What a store of everything that belongs to an account is.
pub trait WholeStore: AccountStore + Jobs + AccountPurge + Destinations + Subscriptions + Events + Deliveries {}

impl<S: AccountStore + Jobs + AccountPurge + Destinations + Subscriptions + Events + Deliveries> WholeStore for S {}

fn after(ms: u64) -> Timestamp {
    now().plus(Duration::from_millis(ms))
}

/// A deletion of `account` that was just asked for.
async fn start(store: &dyn WholeStore, account: &AccountId, n: u8) -> Job {
    store.create_account(account, now()).await.expect("created");
    let job = unused_job(account, n);
    assert!(store.start_deletion(account, &job, None).await.expect("an answer"));
    job
}

pub async fn jobs(store: &dyn WholeStore, account: &AccountId) {
    let mut job = start(store, account, 10).await;
    let pending = async |at| store.pending_jobs(at, 1_000).await.expect("a list").contains(&job.id);
    assert!(!pending(Timestamp::from_unix_ms(now().unix_ms() - 1)).await);
    assert!(pending(now()).await);
    assert!(pending(after(900_000)).await);

    let at = after(100_000);
    let (mine, theirs) = (Lease::taken([1; 16], at), Lease::taken([2; 16], at));
    let taken = store.take_job(&job.id, &mine, at).await.expect("an answer").expect("the job");
    job.status = JobStatus::Running;
    assert_eq!(taken, job);
    assert_eq!(store.take_job(&job.id, &theirs, at).await.expect("an answer"), None);
    assert_eq!(store.record_progress(&job, &theirs).await.expect("an answer"), Held::Lost);
    assert_eq!(store.end_job(&job, &theirs).await.expect("an answer"), Held::Lost);

    job.progressed(7, after(101_000));
    assert_eq!(store.record_progress(&job, &mine.renewed(after(101_000))).await.expect("an answer"), Held::Held);
    assert_eq!(store.find_job(&job.id).await.expect("an answer"), Some(job.clone()));
    // The lease that was renewed lasts longer than the one that was taken.
    let end = at.plus(LEASE);
    assert_eq!(store.take_job(&job.id, &theirs, end).await.expect("an answer"), None);
    let end = after(101_000).plus(LEASE);
    assert!(store.take_job(&job.id, &theirs, end).await.expect("an answer").is_some());
    assert_eq!(store.record_progress(&job, &mine).await.expect("an answer"), Held::Lost);

    // Given back, it is anyone's at once.
    assert_eq!(store.record_progress(&job, &theirs.released(end)).await.expect("an answer"), Held::Held);
    let last = Lease::taken([3; 16], end);
    assert!(store.take_job(&job.id, &last, end).await.expect("an answer").is_some());
    job.failed("no".into(), end);
    assert_eq!(store.end_job(&job, &last).await.expect("an answer"), Held::Held);
    assert_eq!(store.find_job(&job.id).await.expect("an answer"), Some(job.clone()));
    assert!(!store.pending_jobs(after(u64::from(u32::MAX)), 1_000).await.expect("a list").contains(&job.id));
    assert_eq!(store.take_job(&job.id, &mine, after(u64::from(u32::MAX))).await.expect("an answer"), None);
    assert_eq!(store.end_job(&job, &last).await.expect("an answer"), Held::Lost);
}

/// Fills an account with two of each: subscriptions, destinations (the second is deleted again), events, deliveries.
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
        store.seal_event(&event).await.expect("sealed");
        store.record_delivery(&record).await.expect("recorded");
        events.push(event);
    }
    for n in [1, 2] {
        let types = ["sync_run.completed", "*"];
        store.create_subscription(&subscription(&kept, n, &types, "*", None), 100).await.expect("created");
    }
    store.delete_destination(account, &gone.id).await.expect("deleted");
    events
}

async fn is_empty(store: &dyn WholeStore, account: &AccountId, events: &[SealedEvent]) -> bool {
    let mut found = store.list_keys(account, None, 9).await.expect("a list").len();
    found += store.list_destinations(account, None, 9).await.expect("a list").len();
    found += store.list_subscriptions(account, None, 9).await.expect("a list").len();
    let of = destination(account, 1, "https://a.example/");
    let subscribed = subscription(&of, 1, &["sync_run.completed", "*"], "*", None);
    found += store.find_subscriptions(account, &subscribed.buckets()).await.expect("a list").len();
    found += usize::from(store.find_destination_named(account, &of.settings.name).await.expect("an answer").is_some());
    let named = store.find_subscription_named(account, &subscribed.settings.name).await.expect("an answer");
    found += usize::from(named.is_some());
    for event in events {
        found += usize::from(store.find_event(account, &event.id).await.expect("an answer").is_some());
        for owed in &event.owed {
            found += usize::from(store.find_delivery(account, &owed.id).await.expect("an answer").is_some());
        }
    }
    found == 0
}

pub async fn purge(store: &dyn WholeStore, account: &AccountId, other: &AccountId) {
    let (mine, theirs) = (fill(store, account).await, fill(store, other).await);
    let job = start(store, account, 11).await;
    // Nothing new is created meanwhile.
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
    assert!(deleted >= 8, "a key, two subscriptions, two events, two deliveries, a destination: {deleted}");
    assert!(is_empty(store, account, &mine).await);
    assert!(!is_empty(store, other, &theirs).await);
    let again = store.purge_account(account, 1).await.expect("purged");
    assert_eq!((again.deleted, again.more), (0, false));
    assert_eq!(store.create_account(account, now()).await.expect("an answer"), CreatedAccount::BeingDeleted);

    // The account goes with the end of its job, and with that of no other.
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

    // An account that is registered anew has nothing to do with it.
    assert_eq!(store.create_account(account, now()).await.expect("an answer"), CreatedAccount::Created);
    assert_eq!(store.end_deletion(account, &job, &lease).await.expect("an answer"), Held::Lost);
    assert!(store.find_account(account).await.expect("an answer").is_some());
}

/// What a store of jobs that accounts start is.
pub trait StartedJobs: StartJob + Jobs {}

impl<S: StartJob + Jobs> StartedJobs for S {}

pub async fn started_jobs(store: &dyn StartedJobs, account: &AccountId) {
    let recovery = Recovery {
        account: account.clone(),
        destination_id: DestinationId::from_entropy([1; 10]),
        since: after(0),
        until: after(1),
        statuses: RecoverStatus::USUAL.to_vec(),
    };
    let first = Job::recover(recovery.clone(), now());
    assert_eq!(store.start_job(&first).await.expect("an answer"), first);
    assert_eq!(store.find_job(&first.id).await.expect("an answer"), Some(first.clone()));
    let second = Job::recover(Recovery { until: after(2), ..recovery }, after(5_000));
    assert_eq!(store.start_job(&second).await.expect("an answer"), first, "one at a time");

    let lease = Lease::taken([1; 16], now());
    let mut job = store.take_job(&first.id, &lease, now()).await.expect("an answer").expect("the job");
    for to in [
        RecoveredTo::Delivery { id: format!("dlv_{}", "1".repeat(50)).parse().expect("an id") },
        RecoveredTo::EveryDelivery,
        RecoveredTo::Event { occurred_at: after(1), id: "evt-1".parse().expect("an id") },
        RecoveredTo::End,
    ] {
        job.recovered = Some(Recovered { resent: 3, set_aside: 4, to });
        job.progressed(7, after(10));
        assert_eq!(store.record_progress(&job, &lease).await.expect("an answer"), Held::Held);
        assert_eq!(store.find_job(&job.id).await.expect("an answer"), Some(job.clone()));
        assert_eq!(store.start_job(&second).await.expect("an answer"), job, "one at a time");
    }
    job.succeeded(after(20));
    assert_eq!(store.end_job(&job, &lease).await.expect("an answer"), Held::Held);

    // What has ended is followed by another one, which knows nothing of it.
    assert_eq!(store.start_job(&second).await.expect("an answer"), second);
    assert_eq!(store.find_job(&second.id).await.expect("an answer"), Some(second.clone()));
    assert_eq!(store.record_progress(&job, &lease).await.expect("an answer"), Held::Lost);
    let mut job = store.take_job(&second.id, &lease, after(5_000)).await.expect("an answer").expect("the job");
    job.failed("no".into(), after(6_000));
    assert_eq!(store.end_job(&job, &lease).await.expect("an answer"), Held::Held);
    assert!(!store.pending_jobs(after(u64::from(u32::MAX)), 1_000).await.expect("a list").contains(&job.id));
}
