//! Where a delivery waits for its next attempt: in the queue for up to two minutes, in the table for longer.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

impl World {
    /// Delivers something else to the destination, so that it does not count as down.
    async fn reach(&self) {
        let known = self.store.find_destination_anew(&self.healthy.account, &self.healthy.id).await.expect("an answer");
        let known = known.expect("the destination");
        if let Some(well) = known.health.succeeded(self.clock.now(), false) {
            assert!(self.store.update_health(&known, &well).await.expect("an answer"));
        }
        self.clock.advance(KEEP);
    }
}

#[tokio::test]
async fn twice_500_then_200_is_one_delivery_in_three_attempts() {
    let world = world().await;
    world.sender.script(HEALTHY, [Step::Answer(500), Step::Answer(500), Step::Answer(200)]);
    assert_eq!(world.handle(vec![message(&world.healthy, "evt-1", "1")]).await, ["message-evt-1"]);
    let (receipt, wait) = world.queue.take_postponed().pop().expect("postponed");
    assert_eq!(receipt, "receipt-evt-1");
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    let due_at = world.clock.now().plus(wait);
    // Its message may be lost, so it is looked at when the lease has passed after it was due.
    let look_at = Some(due_at.plus(900 * SECOND));
    assert_eq!((row.state(), row.look_at()), (DeliveryState::Retrying { due_at }, look_at));

    world.clock.advance(wait);
    assert!(world.handle(vec![message(&world.healthy, "evt-1", "2")]).await.is_empty(), "it waits in the table now");
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    let DeliveryState::Retrying { due_at } = row.state() else { panic!("{row:?}") };
    assert!((240..=360).contains(&due_at.since(world.clock.now()).as_secs()));
    assert_eq!(row.look_at(), Some(due_at));

    world.clock.advance(due_at.since(world.clock.now()));
    assert!(world.handle(vec![message_for(&world.healthy, "evt-1", "1", Purpose::Again)]).await.is_empty());
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    assert_eq!((row.state(), row.look_at()), (DeliveryState::Delivered, None));
    assert_eq!(row.attempts.kept().iter().map(|a| a.number).collect::<Vec<_>>(), [1, 2, 3]);
    let id = row.delivery.id.to_string();
    assert_eq!(world.attempts(), ["1", "2", "3"].map(|n| (id.clone(), n.to_owned())));
}

#[tokio::test]
async fn the_schedule_ends_in_exhausted_which_is_looked_at_once_more() {
    let world = world().await;
    world.sender.script(HEALTHY, vec![Step::Answer(503); 10]);
    for _ in 1..=10 {
        world.handle(vec![message_for(&world.healthy, "evt-1", "1", Purpose::Again)]).await;
        world.clock.advance(Duration::from_secs(2 * 86_400));
        world.reach().await;
    }
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    assert_eq!((row.state(), row.attempts.count()), (DeliveryState::Exhausted, 10));
    assert!(row.look_at().is_some(), "somebody has to be told");
}

#[tokio::test]
async fn retry_after_lengthens_the_wait() {
    let world = world().await;
    world.sender.script(HEALTHY, [Step::AnswerRetryAfter(429, 90 * SECOND), Step::AnswerRetryAfter(429, 121 * SECOND)]);
    world.handle(vec![message(&world.healthy, "evt-1", "1")]).await;
    assert_eq!(world.queue.take_postponed(), [("receipt-evt-1".to_owned(), 90 * SECOND)]);
    world.clock.advance(91 * SECOND);
    assert!(world.handle(vec![message(&world.healthy, "evt-2", "1")]).await.is_empty());
    let row = world.row(&world.healthy, "evt-2").await.expect("a row");
    assert_eq!(row.state(), DeliveryState::Retrying { due_at: world.clock.now().plus(121 * SECOND) });
}

#[tokio::test]
async fn a_delivery_that_is_not_due_waits_on_where_it_waits() {
    let world = world().await;
    for (id, wait, kept) in [("evt-1", 50_400, false), ("evt-2", 1, false), ("evt-3", 120, true), ("evt-4", 1, true)] {
        let due_at = world.clock.now().plus(wait * SECOND);
        let state = DeliveryState::Retrying { due_at };
        let look_at = if kept { due_at.plus(900 * SECOND) } else { due_at };
        let retrying = record(&world.healthy, id, 7, state).held(held_until(state, Some(look_at)));
        world.store.create_delivery(&retrying).await.expect("recorded");
        assert_eq!(world.handle(vec![message(&world.healthy, id, "9")]).await.len(), usize::from(kept), "{id}");
        let waits: Vec<_> = world.queue.take_postponed().into_iter().map(|(_, wait)| wait).collect();
        assert_eq!(waits, if kept { vec![wait * SECOND] } else { vec![] }, "{id}");
    }
    assert!(world.sender.requests().is_empty());
}

#[tokio::test]
async fn a_message_received_often_is_left_to_the_table_before_it_is_dead_lettered() {
    let world = world().await;
    world.sender.script(HEALTHY, [Step::Answer(500)]);
    assert!(world.handle(vec![message(&world.healthy, "evt-1", "10")]).await.is_empty());
    let row = world.row(&world.healthy, "evt-1").await.expect("a row");
    let DeliveryState::Retrying { due_at } = row.state() else { panic!("{row:?}") };
    assert_eq!(row.look_at(), Some(due_at));
}
