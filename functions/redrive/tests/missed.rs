//! Runs that were announced and do not come are reported once to those who wait for them. A run that comes late takes
//! its place again.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod over_memory;

use std::sync::Arc;
use std::time::Duration;

use domain::event::Event;
use domain::routing::{AwaitedRun, Subscription};
use lambda_runtime::{Context, LambdaEvent};
use ports::{Accounts, AwaitRuns, Clock, Destinations, Subscriptions};
use redrive::{Deps, handle};
use serde_json::Value;
use testing::{MemoryQueue, MemoryStore, TestClock, account, destination, event_text, subscription};

use self::over_memory::deps;

const MINUTE: Duration = Duration::from_secs(60);
/// The time from the test clock's start to the announced run.
const ANNOUNCED: Duration = Duration::from_secs(58 * 60);

struct World {
    store: Arc<MemoryStore>,
    queue: Arc<MemoryQueue>,
    clock: Arc<TestClock>,
    deps: Arc<Deps>,
}

async fn world() -> World {
    let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::default()));
    let clock = Arc::new(TestClock::new());
    store.create_account(&account("acme"), clock.now()).await.expect("created");
    let deps = Arc::new(deps(&store, &queue, &Arc::default(), &clock));
    World { store, queue, clock, deps }
}

impl World {
    /// A subscriber who waits this long for runs of any table.
    async fn watch(&self, n: u8, grace: u64) -> Subscription {
        let target = destination(&account("acme"), n, "https://a.example/");
        self.store.create_destination(&target, 10).await.expect("created");
        let mut one = subscription(&target, n, &["sync_run.missed"], "*", None);
        one.settings.grace = grace.try_into().expect("a grace");
        self.store.create_subscription(&one, 10).await.expect("created");
        one
    }

    /// A run completes, and announces the next one.
    async fn completed(&self) {
        self.completed_with(|_| ()).await;
    }

    async fn completed_with(&self, change: impl FnOnce(&mut Value)) {
        self.completed_at("connection/xero/endpoint/invoices", change).await;
    }

    async fn completed_at(&self, place: &str, change: impl FnOnce(&mut Value)) {
        let mut text: Value = serde_json::from_str(&event_text(&account("acme"), "evt-1")).expect("JSON");
        text["scope"] = place.into();
        change(&mut text["data"]);
        let event = Event::parse(&text.to_string(), self.clock.now()).map_err(|r| r.detail).expect("an event");
        let shortest = 60.try_into().expect("a grace");
        let awaited = AwaitedRun::after(&event, &text["data"], shortest, self.clock.now()).expect("a run");
        self.store.await_run(&awaited).await.expect("kept");
    }

    /// The graces of what one invocation reports as missed.
    async fn told(&self) -> Vec<u64> {
        self.run().await.expect("a run");
        let grace = |text: String| {
            let event: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(event["type"], "sync_run.missed");
            event["data"]["grace_seconds"].as_u64().expect("seconds")
        };
        self.queue.take_events().into_iter().map(grace).collect()
    }

    async fn run(&self) -> Result<(), lambda_runtime::Error> {
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(MINUTE).unix_ms();
        handle(Arc::clone(&self.deps), LambdaEvent::new(Value::Null, context)).await
    }
}

#[tokio::test]
async fn a_run_that_does_not_come_is_told_once_to_each_who_waited_long_enough() {
    let world = world().await;
    for (n, grace) in [(1, 60), (2, 900), (3, 900)] {
        world.watch(n, grace).await;
    }
    world.completed().await;
    world.clock.advance(ANNOUNCED);
    assert_eq!(world.told().await, [0; 0]);
    world.clock.advance(MINUTE);
    assert_eq!(world.told().await, [60]);
    assert_eq!(world.told().await, [0; 0]);
    world.clock.advance(14 * MINUTE);
    assert_eq!(world.told().await, [900]);
    world.clock.advance(1_000 * MINUTE);
    assert_eq!(world.told().await, [0; 0]);
}

#[tokio::test]
async fn a_late_run_cancels_it_and_one_that_announces_nothing_ends_the_watch() {
    let world = world().await;
    world.watch(1, 900).await;
    world.completed().await;
    world.clock.advance(ANNOUNCED + 14 * MINUTE);
    world.completed_with(|data| data["completed_at"] = "2026-11-23T10:40:00Z".into()).await;
    world.clock.advance(1_000 * MINUTE);
    assert_eq!(world.told().await, [0; 0], "it announced no later one");
    world
        .completed_with(|data| {
            data["completed_at"] = "2026-11-23T10:50:00Z".into();
            data["next_run_at"] = Value::Null;
        })
        .await;
    world.clock.advance(1_000 * MINUTE);
    assert_eq!(world.told().await, [0; 0]);
}

#[tokio::test]
async fn nobody_is_told_who_does_not_listen_any_more() {
    let world = world().await;
    let watching = world.watch(1, 60).await;
    world.completed().await;
    world.store.delete_subscription(&watching.account, &watching.id, None).await.expect("deleted");
    world.clock.advance(ANNOUNCED + 10 * MINUTE);
    assert_eq!(world.told().await, [0; 0]);
    world.watch(2, 60).await;
    assert_eq!(world.told().await, [0; 0], "the watch begins with the next run");
}

#[tokio::test]
async fn a_place_that_cannot_be_looked_at_keeps_no_other_from_being_told() {
    let world = world().await;
    world.watch(1, 60).await;
    for table in 0..20 {
        world.completed_at(&format!("connection/xero/endpoint/table-{table}"), |_| ()).await;
    }
    world.clock.advance(ANNOUNCED + MINUTE);
    world.store.fail("find_awaited_run", 3);
    world.run().await.expect_err("a failure");
    assert_eq!(world.queue.take_events().len(), 17);
    assert_eq!(world.told().await, [60; 3]);
}

#[tokio::test]
async fn what_could_not_be_written_down_is_told_again_as_the_same_event() {
    let world = world().await;
    world.watch(1, 60).await;
    world.completed().await;
    world.clock.advance(ANNOUNCED + MINUTE);
    world.store.fail("update_awaited_run", 1);
    world.run().await.expect_err("a failure");
    let first = world.queue.take_events();
    world.clock.advance(MINUTE);
    world.run().await.expect("a run");
    assert_eq!((first.len(), &first), (1, &world.queue.take_events()));
}
