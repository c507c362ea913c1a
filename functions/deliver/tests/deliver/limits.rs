//! A destination with a rate limit: which deliveries start, which wait in line, and what happens if others are faster.

use async_trait::async_trait;
use domain::destination::Pace;
use domain::value::DestinationId;
use ports::{Paces, PortResult};

use super::*;

async fn limited() -> World {
    let world = world().await;
    world.change(|destination| destination.settings.rate_limit = 1.try_into().ok()).await;
    world
}

/// A store in which another container is always faster.
struct Busy;

#[async_trait]
impl Paces for Busy {
    async fn store_pace(&self, _: &AccountId, _: &DestinationId, before: Pace, _: Pace) -> PortResult<Option<Pace>> {
        Ok(Some(Pace { free_from: before.free_from + 1, ..before }))
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
    // Turns at 0, 1 and 2 s are waited for; later ones come again.
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
async fn who_gets_no_turn_against_others_stands_in_line_for_seconds() {
    let mut world = limited().await;
    Arc::get_mut(&mut world.deps).expect("nobody else has it").paces = Arc::new(Busy);
    let again = world.handle(vec![message(&world.healthy, "evt-1", "1")]).await;
    assert_eq!((again, world.attempts().len()), (vec!["message-evt-1".to_owned()], 0));
    let wait = in_line(&world, "evt-1").await.expect("a place in line");
    assert!((1..=3).contains(&wait.as_secs()), "{wait:?}");
    let postponed: Vec<_> = world.queue.take_postponed().into_iter().map(|(_, wait)| wait).collect();
    assert_eq!(postponed, [wait]);
}
