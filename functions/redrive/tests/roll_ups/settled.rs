//! What is settled: hours, which are continued, and notes, which the audit need not visit.

use std::time::Duration;

use DeliveryState::{Cancelled, Delivered, Exhausted, Parked};
use domain::delivery::{Delivery, DeliveryState, Settlement};
use domain::value::Horizon;
use ports::{Clock, Destinations, Events, OweMore};
use testing::account;

use crate::world::{MINUTE, ROLLED_UP, World, fresh_world, target, world};

/// A world at eleven past ten. One delivery of that hour, to the first destination, is settled.
async fn settled_world() -> (World, Delivery) {
    let world = world().await;
    world.deliver("evt-1", MINUTE, &[1]).await;
    world.run_later(ROLLED_UP).await;
    world.clock.advance(MINUTE * 24);
    let delivery = world.owe("evt-2", MINUTE, &[1]).await.remove(0);
    world.ended(&delivery, Delivered, 100).await;
    world.run_later(MINUTE * 6).await;
    let begun = world.roll_up(1).await.expect("a roll-up").begun.expect("a beginning");
    assert_eq!((begun.tally.delivered, begun.to.since(delivery.id.occurred_at())), (1, Duration::from_millis(1)));
    (world, delivery)
}

#[tokio::test]
async fn an_hour_is_continued_where_it_is_settled_and_read_whole_if_something_older_comes() {
    let (world, settled) = settled_world().await;
    // This never happens to what was delivered. Here it shows whether the row is read again.
    world.ended(&settled, Exhausted, 15_000).await;
    world.deliver("evt-3", MINUTE, &[1]).await;
    world.run_later(MINUTE * 10).await;
    let day = world.day(1).await;
    assert_eq!((day.delivered, day.failed), (3, 0));
    world.deliver("evt-4", MINUTE * 20, &[1]).await;
    world.run_later(MINUTE * 10).await;
    let day = world.day(1).await;
    assert_eq!((day.delivered, day.failed), (3, 1));
}

#[tokio::test]
async fn what_a_replay_adds_to_a_settled_hour_is_counted() {
    let (world, known) = settled_world().await;
    let added = Delivery { id: format!("{}0", &known.id.as_str()[..53]).parse().expect("an id"), ..known };
    world.ended(&added, Delivered, 100).await;
    let event = world.store.find_event(&added.account, &added.event).await.expect("an answer").expect("the event");
    assert!(world.store.add_owed(&event, &[added], world.clock.now()).await.expect("an answer"));
    world.deliver("evt-3", MINUTE, &[1]).await;
    world.run_later(MINUTE * 10).await;
    assert_eq!(world.day(1).await.delivered, 4);
}

#[tokio::test]
async fn a_note_is_settled_once_everything_of_it_was_seen_to_be_delivered() {
    let world = world().await;
    let events: Vec<_> = (0..12).map(|n| format!("evt-{n}")).collect();
    for id in &events {
        world.deliver(id, MINUTE, &[1, 2]).await;
    }
    world.run_later(ROLLED_UP).await;
    let expected = events.iter().map(|id| (id.parse().expect("an id"), 2)).collect();
    assert_eq!((world.count("note_settled"), world.settled().await), (1, Some(Settlement::of(expected))));
    // With few deliveries, that would cost more than what it saves.
    let few = fresh_world(Horizon::default()).await;
    for id in &events[..9] {
        few.deliver(id, MINUTE, &[1]).await;
    }
    few.run_later(ROLLED_UP).await;
    assert_eq!((few.count("note_settled"), few.settled().await), (0, None));
}

#[tokio::test]
async fn what_is_not_delivered_or_not_known_is_not_settled() {
    for state in [Some(Parked), Some(Exhausted), Some(Cancelled), None] {
        let world = world().await;
        for n in 0..12 {
            world.deliver(&format!("evt-{n}"), MINUTE, &[1]).await;
        }
        let owed = world.owe("last", MINUTE, &[2]).await;
        if let Some(state) = state {
            world.ended(&owed[0], state, 100).await;
        }
        world.run_later(ROLLED_UP).await;
        assert_eq!((world.day(1).await.delivered, world.settled().await), (12, None), "{state:?}");
    }
    // A destination that is gone, and more events than are asked what they owe.
    for (events, gone) in [(12, true), (1_001, false)] {
        let world = world().await;
        for n in 0..events {
            world.deliver(&format!("evt-{n}"), MINUTE, &[1]).await;
        }
        if gone {
            world.store.delete_destination(&account("acme"), &target(1).id, None).await.expect("deleted");
        }
        world.run_later(ROLLED_UP).await;
        assert_eq!(world.settled().await, None, "{events} events");
    }
}
