//! Jobs.

use domain::delivery::job::LEASE;
use domain::delivery::{
    Job, JobStatus, Lease, RecoverStatus, Recovered, RecoveredTo, Recovery, Replay, Replayed, ReplayedTo,
};
use domain::value::{AccountId, DestinationId, SubscriptionId, Timestamp};
use ports::{Held, JobPlace, Jobs, ListedJob, Order, StartJob};

use super::accounts::{AccountStore, unused_job};
use super::{after_ms, now};

/// A store of jobs, and of the accounts that they delete.
pub trait JobStore: AccountStore + Jobs {}

impl<S: AccountStore + Jobs> JobStore for S {}

/// Starts a deletion of `account`.
pub(super) async fn start(store: &(impl AccountStore + ?Sized), account: &AccountId, n: u8) -> Job {
    store.create_account(account, now()).await.expect("created");
    let job = unused_job(account, n);
    assert!(store.start_deletion(account, &job, None).await.expect("an answer"));
    job
}

pub async fn jobs(store: &dyn JobStore, account: &AccountId) {
    let mut job = start(store, account, 10).await;
    let pending = async |at| store.pending_jobs(at, 1_000).await.expect("a list").contains(&job.id);
    assert!(!pending(Timestamp::from_unix_ms(now().unix_ms() - 1)).await);
    assert!(pending(now()).await);
    assert!(pending(after_ms(900_000)).await);
    let all = store.pending_jobs_after(now(), None, 1_000).await.expect("a list");
    let mine = all.iter().find(|pending| pending.id == job.id).expect("the job");
    assert_eq!((mine.account.as_ref(), mine.starts_at), (Some(account), job.starts_at));
    let further = store.pending_jobs_after(now(), Some(mine), 1_000).await.expect("a list");
    assert!(!further.contains(mine) && further.iter().all(|pending| pending.starts_at >= mine.starts_at));

    let at = after_ms(100_000);
    let (mine, theirs) = (Lease::taken([1; 16], at), Lease::taken([2; 16], at));
    let taken = store.take_job(&job.id, &mine, at).await.expect("an answer").expect("the job");
    job.status = JobStatus::Running;
    assert_eq!(taken, job);
    assert_eq!(store.take_job(&job.id, &theirs, at).await.expect("an answer"), None);
    assert_eq!(store.record_progress(&job, &theirs).await.expect("an answer"), Held::Lost);
    assert_eq!(store.end_job(&job, &theirs).await.expect("an answer"), Held::Lost);

    job.progressed(7, after_ms(101_000));
    assert_eq!(store.record_progress(&job, &mine.renewed(after_ms(101_000))).await.expect("an answer"), Held::Held);
    assert_eq!(store.find_job(&job.id).await.expect("an answer"), Some(job.clone()));
    // The renewed lease lasts longer than the one that was taken.
    let end = at.plus(LEASE);
    assert_eq!(store.take_job(&job.id, &theirs, end).await.expect("an answer"), None);
    let end = after_ms(101_000).plus(LEASE);
    assert!(store.take_job(&job.id, &theirs, end).await.expect("an answer").is_some());
    assert_eq!(store.record_progress(&job, &mine).await.expect("an answer"), Held::Lost);

    // When it is given back, anyone can take it at once.
    assert_eq!(store.record_progress(&job, &theirs.released(end)).await.expect("an answer"), Held::Held);
    let last = Lease::taken([3; 16], end);
    assert!(store.take_job(&job.id, &last, end).await.expect("an answer").is_some());
    job.failed("no".into(), end);
    assert_eq!(store.end_job(&job, &last).await.expect("an answer"), Held::Held);
    assert_eq!(store.find_job(&job.id).await.expect("an answer"), Some(job.clone()));
    assert!(!store.pending_jobs(after_ms(u64::from(u32::MAX)), 1_000).await.expect("a list").contains(&job.id));
    assert_eq!(store.take_job(&job.id, &mine, after_ms(u64::from(u32::MAX))).await.expect("an answer"), None);
    assert_eq!(store.end_job(&job, &last).await.expect("an answer"), Held::Lost);
}

/// A store of jobs that accounts start.
pub trait StartedJobs: StartJob + Jobs {}

impl<S: StartJob + Jobs> StartedJobs for S {}

pub async fn started_jobs(store: &dyn StartedJobs, account: &AccountId) {
    let recovery = Recovery {
        account: account.clone(),
        destination_id: DestinationId::from_entropy([1; 10]),
        since: after_ms(0),
        until: after_ms(1),
        statuses: RecoverStatus::USUAL.to_vec(),
    };
    let first = Job::recover(recovery.clone(), now());
    let start = async |job| store.start_job(job, 20).await.expect("an answer").expect("not too many");
    assert_eq!(start(&first).await, first);
    assert_eq!(store.find_job(&first.id).await.expect("an answer"), Some(first.clone()));
    let second = Job::recover(Recovery { until: after_ms(2), ..recovery }, after_ms(5_000));
    assert_eq!(start(&second).await, first, "one at a time");

    let lease = Lease::taken([1; 16], now());
    let mut job = store.take_job(&first.id, &lease, now()).await.expect("an answer").expect("the job");
    for to in [
        RecoveredTo::Delivery { id: format!("dlv_{}", "1".repeat(50)).parse().expect("an id") },
        RecoveredTo::EveryDelivery,
        RecoveredTo::Event { occurred_at: after_ms(1), id: "evt-1".parse().expect("an id") },
        RecoveredTo::End,
    ] {
        job.recovered = Some(Recovered { resent: 3, set_aside: 4, to });
        job.progressed(7, after_ms(10));
        assert_eq!(store.record_progress(&job, &lease).await.expect("an answer"), Held::Held);
        assert_eq!(store.find_job(&job.id).await.expect("an answer"), Some(job.clone()));
        assert_eq!(start(&second).await, job, "one at a time");
    }
    job.succeeded(after_ms(20));
    assert_eq!(store.end_job(&job, &lease).await.expect("an answer"), Held::Held);

    // A job that has ended is followed by another one, which keeps nothing of it.
    assert_eq!(start(&second).await, second);
    assert_eq!(store.find_job(&second.id).await.expect("an answer"), Some(second.clone()));
    assert_eq!(store.record_progress(&job, &lease).await.expect("an answer"), Held::Lost);
    let mut job = store.take_job(&second.id, &lease, after_ms(5_000)).await.expect("an answer").expect("the job");
    job.failed("no".into(), after_ms(6_000));
    assert_eq!(store.end_job(&job, &lease).await.expect("an answer"), Held::Held);
    assert!(!store.pending_jobs(after_ms(u64::from(u32::MAX)), 1_000).await.expect("a list").contains(&job.id));
}

pub async fn replays(store: &dyn StartedJobs, account: &AccountId) {
    let replay = Replay {
        account: account.clone(),
        subscription_id: SubscriptionId::from_entropy([1; 10]),
        since: after_ms(0),
        until: after_ms(1),
    };
    let first = Job::replay(replay, now());
    assert_eq!(store.start_job(&first, 20).await.expect("an answer").as_ref(), Some(&first));
    let pending = async |at| store.pending_jobs(at, 1_000).await.expect("a list").contains(&first.id);
    assert!(!pending(now()).await && pending(first.starts_at).await);
    let lease = Lease::taken([1; 16], first.starts_at);
    let mut job = store.take_job(&first.id, &lease, first.starts_at).await.expect("an answer").expect("the job");
    for to in [None, Some(ReplayedTo { occurred_at: after_ms(1), id: "evt-1".parse().expect("an id") })] {
        let replayed = Replayed { matched: 5, sent: 3, set_aside: 2, unjudged: 1, unreadable: 4, to };
        job.replayed = Some(replayed);
        job.progressed(7, after_ms(10));
        assert_eq!(store.record_progress(&job, &lease).await.expect("an answer"), Held::Held);
        assert_eq!(store.find_job(&job.id).await.expect("an answer"), Some(job.clone()));
    }
    job.succeeded(after_ms(20));
    assert_eq!(store.end_job(&job, &lease).await.expect("an answer"), Held::Held);
    assert_eq!(store.find_job(&job.id).await.expect("an answer"), Some(job));
}

/// Creates three jobs, and lists them from both ends in pages; returns them, newest first. Jobs created at the same
/// time are sorted by id.
pub async fn jobs_in_order(store: &dyn StartJob, account: &AccountId, other: &AccountId) -> [(JobPlace, Job); 3] {
    let at = |job: Job, ms: u64| Job { created_at: after_ms(ms), ..job };
    let [one, two, three] = [(1, 10), (2, 20), (3, 20)].map(|(n, ms)| at(recovery(account, n), ms));
    for job in [&one, &two, &three, &at(recovery(other, 9), 15)] {
        assert!(store.start_job(job, 9).await.expect("an answer").is_some());
    }
    let mut all = [one, two, three].map(|job| (place(&job), job));
    all.sort_by(|a, b| b.0.cmp(&a.0));
    let newest = all.clone().map(|(place, job)| ListedJob { place, job: Some(job) });
    let mut oldest = newest.clone();
    oldest.reverse();
    for (expected, order) in [(newest, Order::NewestFirst), (oldest, Order::OldestFirst)] {
        let list = async |after: Option<&ListedJob>, limit: usize| {
            let after = after.map(|listed| &listed.place);
            store.list_jobs(account, order, after, limit).await.expect("a list")
        };
        assert_eq!(list(None, 9).await, expected);
        assert_eq!(list(None, 2).await, expected[..2]);
        assert_eq!(list(Some(&expected[0]), 2).await, expected[1..]);
        assert_eq!(list(Some(&expected[1]), 2).await, expected[2..]);
        assert_eq!(list(Some(&expected[2]), 2).await, []);
    }
    all
}

fn place(job: &Job) -> JobPlace {
    JobPlace { created_at: job.created_at, id: job.id.clone() }
}

pub async fn listed_jobs(store: &dyn StartedJobs, account: &AccountId, other: &AccountId) {
    let [_, before, (first, one)] = jobs_in_order(store, account, other).await;
    // A job that has ended stays in the list, and its successor has a position of its own.
    let lease = Lease::taken([1; 16], now());
    let mut ended = store.take_job(&one.id, &lease, now()).await.expect("an answer").expect("the job");
    ended.succeeded(after_ms(30));
    assert_eq!(store.end_job(&ended, &lease).await.expect("an answer"), Held::Held);
    let listed = store.list_jobs(account, Order::NewestFirst, Some(&before.0), 1).await.expect("a list");
    assert_eq!(listed, [ListedJob { place: first.clone(), job: Some(ended) }]);
    let again = Job { created_at: after_ms(40), ..one };
    assert_eq!(store.start_job(&again, 9).await.expect("an answer").as_ref(), Some(&again));
    let mut listed = store.list_jobs(account, Order::NewestFirst, None, 9).await.expect("a list");
    assert_eq!(listed[0], ListedJob { place: place(&again), job: Some(again) });
    assert_eq!(listed[3], ListedJob { place: first, job: None });
    listed.reverse();
    assert_eq!(store.list_jobs(account, Order::OldestFirst, None, 9).await.expect("a list"), listed);
}

/// A recovery of the account's destination number `n`.
pub(super) fn recovery(account: &AccountId, n: u8) -> Job {
    let recovery = Recovery {
        account: account.clone(),
        destination_id: DestinationId::from_entropy([n; 10]),
        since: after_ms(0),
        until: after_ms(1),
        statuses: RecoverStatus::USUAL.to_vec(),
    };
    Job::recover(recovery, now())
}

pub async fn limited_jobs(store: &dyn StartedJobs, account: &AccountId) {
    let [one, two, three] = [1, 2, 3].map(|n| recovery(account, n));
    let lease = Lease::taken([1; 16], now());
    let start = async |job: &Job| store.start_job(job, 2).await.expect("an answer").map(|job| job.id);
    for job in [&one, &two, &one] {
        assert_eq!(start(job).await.as_ref(), Some(&job.id));
    }
    assert_eq!(start(&three).await, None);
    assert_eq!(store.find_job(&three.id).await.expect("an answer"), None);
    assert_eq!(start(&two).await, Some(two.id.clone()), "it is pending already");

    // Two simultaneous starts cannot both take the last place.
    let mut ended = store.take_job(&one.id, &lease, now()).await.expect("an answer").expect("the job");
    ended.failed("no".into(), now());
    assert_eq!(store.end_job(&ended, &lease).await.expect("an answer"), Held::Held);
    assert_eq!(store.end_job(&ended, &lease).await.expect("an answer"), Held::Lost, "and does not free another place");
    let both = tokio::join!(start(&one), start(&three));
    assert_eq!([&both.0, &both.1].iter().filter(|started| started.is_some()).count(), 1, "{both:?}");
}
