//! `redrive` over the in-memory store: which jobs it works on, how far, and what it leaves to the next run.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod over_memory;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::job::{LEASE, SETTLE};
use domain::delivery::{Job, JobStatus, Lease};
use domain::destination::Admission;
use domain::value::{AccountId, JobId};
use lambda_runtime::{Context, LambdaEvent};
use ports::{
    AccountPurge, Accounts, Clock, Destinations, FindJob, Held, Jobs, Order, PortError, PortResult, Purged,
    Subscriptions,
};
use redrive::{Deps, handle};
use testing::{MemoryStore, TestClock, account, destination, subscription};

use self::over_memory::deps;

const MINUTE: Duration = Duration::from_secs(60);

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    deps: Arc<Deps>,
}

/// An account `acme` with five destinations and a subscription, and `rival` with one destination.
async fn world() -> World {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::new()));
    for (id, destinations) in [("acme", 5), ("rival", 1)] {
        let id = account(id);
        store.create_account(&id, clock.now()).await.expect("created");
        for n in 0..destinations {
            store.create_destination(&destination(&id, n, "https://a.example/"), 10).await.expect("created");
        }
    }
    let subscribed = subscription(&destination(&account("acme"), 0, "https://a.example/"), 1, &["*"], "*", None);
    store.create_subscription(&subscribed, 10).await.expect("created");
    let purge = store.clone();
    let deps = deps_with(&store, &clock, purge);
    World { store, clock, deps }
}

/// The same with another purge.
fn deps_with(store: &Arc<MemoryStore>, clock: &Arc<TestClock>, purge: Arc<dyn AccountPurge>) -> Arc<Deps> {
    Arc::new(Deps { purge, ..deps(store, &Arc::default(), &Arc::default(), clock) })
}

impl World {
    async fn start(&self, id: &str, n: u8) -> JobId {
        let job = Job::delete_account(JobId::from_entropy([n; 10]), account(id), self.clock.now());
        assert!(self.store.start_deletion(&account(id), &job, None).await.expect("an answer"));
        job.id
    }

    /// Lets the started jobs close the destinations, and then lets running requests and attempts end.
    async fn settle(&self) {
        self.run().await.expect("a run");
        self.clock.advance(SETTLE);
    }

    async fn run(&self) -> Result<(), lambda_runtime::Error> {
        self.run_within(MINUTE).await
    }

    /// One run with this much time.
    async fn run_within(&self, left: Duration) -> Result<(), lambda_runtime::Error> {
        let event = serde_json::from_str(include_str!("../../../events/redrive-scheduled.json")).expect("a sample");
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(left).unix_ms();
        handle(Arc::clone(&self.deps), LambdaEvent::new(event, context)).await
    }

    async fn job(&self, id: &JobId) -> Job {
        self.store.find_job(id).await.expect("an answer").expect("the job")
    }

    async fn destinations(&self, id: &str) -> usize {
        self.store.list_destinations(&account(id), Order::OldestFirst, None, 100).await.expect("a list").len()
    }

    async fn is_registered(&self, id: &str) -> bool {
        self.store.read_account(&account(id)).await.expect("an answer").is_some()
    }
}

#[tokio::test]
async fn with_nothing_to_do_a_run_costs_twenty_one_small_reads() {
    let world = world().await;
    world.run().await.expect("a run");
    world.store.take_calls();
    world.run().await.expect("a run");
    let nothing = [
        vec!["due_deliveries"; 8],
        vec!["watched_destinations"],
        vec!["overdue_runs"; 8],
        vec!["rolled_up_to", "due_roll_ups", "audited_until", "pending_jobs"],
    ]
    .concat();
    assert_eq!(world.store.take_calls(), nothing);
}

#[tokio::test]
async fn a_stretch_with_nothing_in_it_costs_seventeen_small_reads_and_two_writes() {
    let world = world().await;
    world.run().await.expect("a run");
    world.clock.advance(Duration::from_secs(600));
    world.store.take_calls();
    world.run().await.expect("a run");
    let calls = world.store.take_calls();
    let count = |method| calls.iter().filter(|call| **call == method).count();
    assert_eq!((count("move_old_notes"), count("seal_notes"), calls.len()), (1, 16, 21 + 17 + 2));
    assert_eq!((count("set_rolled_up_to"), count("set_audited_until")), (1, 1));
}

#[tokio::test]
async fn a_deletion_waits_until_what_was_under_way_has_ended_and_then_leaves_nothing_of_the_account() {
    let world = world().await;
    let job = world.start("acme", 1).await;
    world.clock.advance(MINUTE);
    world.run().await.expect("a run");
    let listed = world.store.list_destinations(&account("acme"), Order::OldestFirst, None, 100).await.expect("a list");
    assert!(listed.iter().all(|destination| destination.health.admission() == Admission::Closed));
    world.clock.advance(SETTLE - Duration::from_millis(1));
    world.run().await.expect("a run");
    assert_eq!((world.job(&job).await.done, world.destinations("acme").await), (0, 5));

    world.clock.advance(Duration::from_millis(1));
    world.run().await.expect("a run");
    let ended = world.job(&job).await;
    assert_eq!((ended.status, ended.done, ended.error), (JobStatus::Succeeded, 6, None));
    assert!(!world.is_registered("acme").await);
    assert_eq!((world.destinations("acme").await, world.destinations("rival").await), (0, 1));
}

#[tokio::test]
async fn a_job_that_somebody_else_works_on_is_left_alone_until_their_lease_has_run_out() {
    let world = world().await;
    let job = world.start("acme", 1).await;
    world.settle().await;
    let theirs = Lease::taken([9; 16], world.clock.now());
    world.store.take_job(&job, &theirs, world.clock.now()).await.expect("an answer").expect("the job");
    world.run().await.expect("a run");
    assert_eq!(world.destinations("acme").await, 5);
    world.clock.advance(LEASE);
    world.run().await.expect("a run");
    assert_eq!(world.job(&job).await.status, JobStatus::Succeeded);
}

/// A purge that deletes one row in each step, which takes a while, and misbehaves on demand.
struct Slow {
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    step: Duration,
    /// Another holder takes the job during the second step.
    thief: Option<JobId>,
    permanent: bool,
}

impl Slow {
    fn of(world: &World) -> Self {
        let (store, clock) = (world.store.clone(), world.clock.clone());
        Self { store, clock, step: Duration::from_secs(10), thief: None, permanent: false }
    }

    fn within(self, world: World) -> World {
        World { deps: deps_with(&world.store, &world.clock, Arc::new(self)), ..world }
    }
}

#[async_trait]
impl AccountPurge for Slow {
    async fn close_destinations(&self, account: &AccountId) -> PortResult<u64> {
        self.store.close_destinations(account).await
    }

    async fn purge_account(&self, account: &AccountId, _: usize) -> PortResult<Purged> {
        if self.permanent {
            return Err(PortError::permanent("deleting rows", "no permission"));
        }
        self.clock.advance(self.step);
        let purged = self.store.purge_account(account, 1).await?;
        if let Some(job) = &self.thief {
            let later = self.clock.now().plus(LEASE);
            self.store.take_job(job, &Lease::taken([9; 16], later), later).await?;
        }
        Ok(purged)
    }

    async fn end_deletion(&self, account: &AccountId, job: &Job, lease: &Lease) -> PortResult<Held> {
        self.store.end_deletion(account, job, lease).await
    }
}

#[tokio::test]
async fn a_run_stops_before_its_end_writes_down_how_far_it_got_and_the_next_one_goes_on() {
    let world = world().await;
    let job = world.start("acme", 1).await;
    world.settle().await;
    let world = Slow::of(&world).within(world);
    world.run().await.expect("a run");
    // Steps of 10 s begin at 0, 10, 20, 30 and 40 s of the 60 s, of which the last 15 s are reserved.
    let stopped = world.job(&job).await;
    assert_eq!((stopped.status, stopped.done), (JobStatus::Running, 5));
    assert!(world.is_registered("acme").await);
    world.run().await.expect("a run");
    let ended = world.job(&job).await;
    assert_eq!((ended.status, ended.done), (JobStatus::Succeeded, 6));
    assert!(!world.is_registered("acme").await);
}

#[tokio::test]
async fn a_run_without_time_takes_no_job() {
    let world = world().await;
    world.start("acme", 1).await;
    world.settle().await;
    world.store.take_calls();
    world.run_within(Duration::from_secs(15)).await.expect("a run");
    assert!(!world.store.take_calls().contains(&"take_job"));
}

#[tokio::test]
async fn a_crash_at_any_step_leaves_a_job_that_the_next_run_finishes() {
    // How many times storing progress fails as well, so that the lease is not given back, as if the process had ended
    // there.
    for (method, unrecorded) in
        [("take_job", 0), ("read_account", 1), ("purge_account", 1), ("record_progress", 2), ("end_deletion", 0)]
    {
        let world = world().await;
        let job = world.start("acme", 1).await;
        world.settle().await;
        world.store.fail("record_progress", unrecorded);
        if method != "record_progress" {
            world.store.fail(method, 1);
        }
        assert!(world.run().await.is_err(), "{method}");
        assert!(world.is_registered("acme").await, "{method}");
        world.clock.advance(LEASE);
        world.run().await.expect("a run");
        assert_eq!(world.job(&job).await.status, JobStatus::Succeeded, "{method}");
        assert_eq!((world.is_registered("acme").await, world.destinations("acme").await), (false, 0), "{method}");
        assert_eq!(world.destinations("rival").await, 1);
    }
}

#[tokio::test]
async fn who_lost_the_lease_deletes_no_further() {
    let world = world().await;
    let job = world.start("acme", 1).await;
    world.settle().await;
    let world = Slow { thief: Some(job.clone()), ..Slow::of(&world) }.within(world);
    world.run().await.expect("a run");
    assert_eq!((world.job(&job).await.status, world.job(&job).await.done), (JobStatus::Running, 0));
    assert!(world.destinations("acme").await >= 4);
    assert!(world.is_registered("acme").await);
}

#[tokio::test]
async fn what_trying_again_does_not_mend_fails_the_job_and_no_other() {
    let world = world().await;
    let job = world.start("acme", 1).await;
    world.settle().await;
    let world = Slow { permanent: true, ..Slow::of(&world) }.within(world);
    world.run().await.expect("a run");
    let failed = world.job(&job).await;
    assert_eq!((failed.status, failed.error.as_deref()), (JobStatus::Failed, Some("deleting rows failed")));
    assert!(world.is_registered("acme").await);
    world.run().await.expect("a run");
    assert_eq!(world.job(&job).await, failed);
}

#[tokio::test]
async fn a_failing_job_does_nothing_to_the_others() {
    let world = world().await;
    let (first, second) = (world.start("acme", 1).await, world.start("rival", 2).await);
    world.settle().await;
    world.store.fail("purge_account", 1);
    assert!(world.run().await.is_err());
    // Each minute begins with another one.
    let statuses = [world.job(&first).await.status, world.job(&second).await.status];
    assert!(statuses.contains(&JobStatus::Running) && statuses.contains(&JobStatus::Succeeded), "{statuses:?}");
    world.run().await.expect("a run");
    for job in [&first, &second] {
        assert_eq!(world.job(job).await.status, JobStatus::Succeeded);
    }
}

#[tokio::test]
async fn an_account_that_does_not_name_the_job_is_not_touched() {
    let world = world().await;
    let job = world.start("acme", 1).await;
    let newer = Job::delete_account(JobId::from_entropy([2; 10]), account("acme"), world.clock.now().plus(MINUTE));
    assert!(world.store.start_deletion(&account("acme"), &newer, Some(&job)).await.expect("an answer"));
    world.settle().await;
    world.run().await.expect("a run");
    assert_eq!((world.job(&job).await.status, world.destinations("acme").await), (JobStatus::Failed, 5));
    assert!(!world.job(&newer.id).await.has_ended());
}
