//! A destination with a rate limit: which deliveries start, which wait in line, and how often turns are asked for.

use async_trait::async_trait;
use domain::destination::{Pace, Reserved, Wish};
use ports::Paces;
use tokio::sync::Notify;

use super::*;

async fn limited() -> World {
    let world = world().await;
    world.change(|destination| destination.settings.rate_limit = 1.try_into().ok()).await;
    world
}

/// A store that answers late about one destination: only after a question about another one.
struct Slow {
    store: Arc<MemoryStore>,
    slow: DestinationId,
    other_asked: Notify,
}

#[async_trait]
impl Paces for Slow {
    async fn reserve(&self, account: &AccountId, id: &DestinationId, known: Pace, wish: &Wish) -> PortResult<Reserved> {
        if *id == self.slow {
            self.other_asked.notified().await;
        } else {
            self.other_asked.notify_one();
        }
        self.store.reserve(account, id, known, wish).await
    }

    async fn clear_lines(&self, account: &AccountId, id: &DestinationId) -> PortResult<()> {
        self.store.clear_lines(account, id).await
    }
}

/// How long the event's delivery waits in line; none if it does not.
async fn in_line(world: &World, id: &str) -> Option<Duration> {
    let row = world.row(&world.healthy, id).await.filter(|row| row.held.is_in_line() && row.attempts.count() == 0)?;
    let DeliveryState::Retrying { due_at } = row.state() else { return None };
    Some(due_at.since(world.clock.now()))
}

#[tokio::test(start_paused = true)]
async fn what_is_over_the_limit_waits_in_line_and_is_no_failure() {
    let world = limited().await;
    let ids: Vec<String> = (0..5).map(|n| format!("evt-{n}")).collect();
    let again = world.handle(ids.iter().map(|id| message(&world.healthy, id, "1")).collect()).await;
    // The batch waits for the turns at 0, 1 and 2 s; the other messages come again later.
    assert_eq!((world.attempts().len(), again.len(), world.queue.take_postponed().len()), (3, 2, 2));
    let mut waits = Vec::new();
    for id in &ids {
        waits.extend(in_line(&world, id).await.map(|wait| wait.as_secs()));
    }
    waits.sort_unstable();
    assert_eq!(waits, [3, 4]);
    let health = world.store.find_destination(&world.healthy.account, &world.healthy.id).await.expect("an answer");
    assert_eq!(health.expect("the destination").health.failures, 0);
}

#[tokio::test]
async fn a_place_in_line_takes_two_steps_and_then_one() {
    let world = limited().await;
    let (account, id) = (&world.healthy.account, &world.healthy.id);
    // Another container was handed the turns of ten seconds. This one learns of that when it asks.
    for _ in 0..10 {
        let wish = Wish { until: u64::MAX, ..Wish::turns(1.try_into().expect("a limit"), world.clock.now(), false) };
        world.store.reserve(account, id, Pace::default(), &wish).await.expect("turns");
    }
    world.store.take_calls();
    for (event, asked, wait) in [("evt-1", 2, 10), ("evt-2", 1, 11)] {
        let again = world.handle(vec![message(&world.healthy, event, "1")]).await;
        assert_eq!((again.len(), world.attempts().len()), (1, 0));
        let calls = world.store.take_calls().into_iter().filter(|call| *call == "reserve").count();
        assert_eq!((calls, in_line(&world, event).await), (asked, Some(Duration::from_secs(wait))), "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_turns_at_one_destination_holds_up_no_other() {
    let mut world = limited().await;
    let limited = |destination: &Destination| {
        let mut settings = destination.settings.clone();
        settings.rate_limit = 1.try_into().ok();
        destination.changed(settings, world.clock.now())
    };
    let other = limited(&world.other);
    let updated = world.store.update_destination(&world.other, &other).await.expect("an answer");
    assert_eq!(updated, UpdatedDestination::Updated);
    let slow = Slow { store: world.store.clone(), slow: world.healthy.id.clone(), other_asked: Notify::new() };
    Arc::get_mut(&mut world.deps).expect("nobody else has it").paces = Arc::new(slow);
    let batch = vec![message(&world.healthy, "evt-1", "1"), message(&world.other, "evt-1", "1")];
    let handled = tokio::time::timeout(Duration::from_secs(60), world.handle(batch)).await;
    assert_eq!((handled.expect("nobody waits for ever").len(), world.attempts().len()), (0, 2));
}
