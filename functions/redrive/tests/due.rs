//! What is due is sent, with a delay that is exact to the second. A delivery that was sent is left to its holder until
//! the lease expires.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod over_memory;

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::DeliveryState;
use domain::destination::Destination;
use domain::event::Event;
use domain::value::Timestamp;
use lambda_runtime::{Context, LambdaEvent};
use ports::{Accounts, Clock, Deliveries, Destinations, Events, SealedEvent};
use redrive::{Deps, handle};
use testing::{MemoryQueue, MemoryStore, TestClock, account, destination, event_text, held_until, record, sealed};

use self::over_memory::deps;

const MINUTE: Duration = Duration::from_secs(60);
/// The shortest lease.
const LEASE: Duration = Duration::from_secs(15);

struct World {
    store: Arc<MemoryStore>,
    queue: Arc<MemoryQueue>,
    clock: Arc<TestClock>,
    deps: Arc<Deps>,
    target: Destination,
}

/// An account with one destination under the shortest lease, which is shorter than what a run looks ahead.
async fn world() -> World {
    let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::default()));
    let clock = Arc::new(TestClock::new());
    let target = destination(&account("acme"), 1, "https://a.example/");
    store.create_account(&target.account, clock.now()).await.expect("created");
    store.create_destination(&target, 10).await.expect("created");
    let lease = "15".parse().expect("a lease");
    let deps = Arc::new(Deps { lease, ..deps(&store, &queue, &Arc::default(), &clock) });
    World { store, queue, clock, deps, target }
}

impl World {
    /// A delivery that was attempted once, is due at `due_at` and has `look_at`; its event is sealed.
    async fn waits(&self, due_at: Timestamp, look_at: Timestamp) {
        let event = Event::parse(&event_text(&self.target.account, "evt-1"), self.clock.now());
        let event = event.map_err(|rejection| rejection.detail).expect("an event");
        let state = DeliveryState::Retrying { due_at };
        let waiting = record(&self.target, "evt-1", 1, state).held(held_until(state, Some(look_at)));
        self.store.create_delivery(&waiting).await.expect("recorded");
        let sealed = SealedEvent {
            expires_at: self.clock.now().plus(MINUTE * 60 * 24),
            ..sealed(&event, vec![waiting.delivery], self.clock.now())
        };
        self.store.seal_event(&sealed).await.expect("sealed");
    }

    /// The delays, in seconds, of the messages that one run sends.
    async fn sent(&self) -> Vec<u64> {
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(MINUTE).unix_ms();
        handle(Arc::clone(&self.deps), LambdaEvent::new(serde_json::Value::Null, context)).await.expect("a run");
        self.queue.take_delayed().into_iter().map(|(_, delay)| delay.as_secs()).collect()
    }
}

#[tokio::test]
async fn what_was_sent_ahead_is_not_sent_again_before_its_lease_has_run_out() {
    let world = world().await;
    let due_at = world.clock.now().plus(MINUTE);
    world.waits(due_at, due_at).await;
    assert_eq!(world.sent().await, [60], "sent ahead, with a delay");
    // It has just come due, and is in flight.
    world.clock.advance(MINUTE);
    assert_eq!(world.sent().await, [0; 0]);
    world.clock.advance(LEASE - Duration::from_millis(1));
    assert_eq!(world.sent().await, [0; 0]);
    // There is no outcome, because the message was lost.
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.sent().await, [0]);
}

#[tokio::test]
async fn what_spends_a_short_wait_in_the_queue_is_left_there_until_its_lease_has_run_out() {
    let world = world().await;
    let due_at = world.clock.now().plus(Duration::from_secs(5));
    world.waits(due_at, due_at.plus(LEASE)).await;
    for _ in 0..2 {
        assert_eq!(world.sent().await, [0; 0]);
        world.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(world.sent().await, [0]);
}
