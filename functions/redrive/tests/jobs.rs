//! Very many jobs of one account over the in-memory store: how long the jobs of another account wait.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail them")]

mod over_memory;

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::job::SETTLE;
use domain::delivery::{DeliveryState, Job, JobStatus, RecoverStatus, Recovery};
use domain::value::{AccountId, DestinationId, JobId, Timestamp};
use lambda_runtime::{Context, LambdaEvent};
use ports::{Accounts, Clock, Deliveries, Destinations, FindJob, StartJob};
use redrive::{Deps, handle};
use testing::{MemoryQueue, MemoryStore, TestClock, account, destination, record};

use self::over_memory::deps;

const MINUTE: Duration = Duration::from_secs(60);

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    deps: Arc<Deps>,
}

impl World {
    async fn run(&self) {
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(MINUTE).unix_ms();
        let event = LambdaEvent::new(serde_json::Value::Null, context);
        handle(Arc::clone(&self.deps), event).await.expect("a run");
    }

    async fn recover(&self, account: &AccountId, destination_id: DestinationId) -> JobId {
        let recovery = Recovery {
            account: account.clone(),
            destination_id,
            since: Timestamp::from_unix_ms(0),
            until: self.clock.now(),
            statuses: RecoverStatus::USUAL.to_vec(),
        };
        // More than the API lets an account have.
        let job = Job::recover(recovery, self.clock.now());
        self.store.start_job(&job, 1_000).await.expect("started").expect("not too many").id
    }

    async fn has_succeeded(&self, job: &JobId) -> bool {
        let found = self.store.find_job(job).await.expect("an answer").expect("the job");
        found.status == JobStatus::Succeeded
    }
}

/// The number of runs after which another account's recovery and deletion end, beside `crowd` recoveries of one account
/// that each have something to send.
async fn runs_beside(crowd: u8) -> (u32, u32) {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::new()));
    for id in ["acme", "rival", "third"] {
        store.create_account(&account(id), clock.now()).await.expect("created");
    }
    let deps = Arc::new(deps(&store, &Arc::new(MemoryQueue::default()), &Arc::default(), &clock));
    let world = World { store, clock, deps };
    let receivers = (0..crowd).map(|n| ("acme", n)).chain([("rival", 1)]);
    let mut jobs = Vec::new();
    for (of, n) in receivers {
        let receiver = destination(&account(of), n, "https://a.example/");
        world.store.create_destination(&receiver, 1_000).await.expect("created");
        let exhausted = record(&receiver, "evt-1", 1, DeliveryState::Exhausted);
        world.store.create_delivery(&exhausted).await.expect("recorded");
        jobs.push(world.recover(&receiver.account, receiver.id).await);
    }
    let recovery = jobs.pop().expect("a job");
    let deletion =
        Job::delete_account("job_0000000000000000".parse().expect("an id"), account("third"), world.clock.now());
    assert!(world.store.start_deletion(&account("third"), &deletion, None).await.expect("an answer"));
    world.clock.advance(SETTLE);
    // Each step of a job takes a while.
    world.clock.advance_with_each_look(Duration::from_millis(200));
    let (mut recovered, mut deleted) = (None, None);
    for run in 1..=20 {
        world.run().await;
        if recovered.is_none() && world.has_succeeded(&recovery).await {
            recovered = Some(run);
        }
        if deleted.is_none() && world.has_succeeded(&deletion.id).await {
            deleted = Some(run);
        }
        if let (Some(recovered), Some(deleted)) = (recovered, deleted) {
            let mut left = 0;
            for job in &jobs {
                left += u32::from(!world.has_succeeded(job).await);
            }
            assert!(crowd == 0 || left > 0, "the crowd was too small to be in the way");
            return (recovered, deleted);
        }
    }
    panic!("not within 20 runs: {recovered:?}, {deleted:?}");
}

#[tokio::test]
async fn a_hundred_recoveries_of_one_account_delay_those_of_others_and_a_deletion_by_no_more_than_a_run() {
    let (alone, crowded) = (runs_beside(0).await, runs_beside(100).await);
    assert!(crowded.0 <= alone.0 + 1 && crowded.1 <= alone.1 + 1, "{alone:?}, {crowded:?}");
}
