//! Destinations that were down or are paused, with something that cannot be read.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::delivery::DeliveryState;
use domain::destination::{Drain, Health, HealthState};
use ports::{Clock, DeletedDestination, DestinationHealth, Destinations, UpdatedDestination, Waiting};

use crate::world::{MINUTE, World, ids, target, world};

#[tokio::test]
async fn a_probe_passes_over_what_cannot_be_read() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 3).await;
    for delivery in &owed {
        world.record(delivery, DeliveryState::Parked, None).await;
    }
    world.store.poison(&owed[0].id);
    world.down("acme").await;
    world.run().await.expect_err("it is told");
    assert_eq!(world.sent(), BTreeSet::from([owed[1].id.clone()]));
}

#[tokio::test]
async fn a_drain_passes_over_what_cannot_be_read_and_ends() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 1_500).await;
    for delivery in &owed {
        world.record(delivery, DeliveryState::Parked, None).await;
    }
    owed[..1_300].iter().for_each(|delivery| world.store.poison(&delivery.id));
    let now = world.clock.now();
    world.set_health("acme", Health { drain: Some(Drain { since: now, next_at: now }), ..Health::default() }).await;
    world.run().await.expect_err("they are told");
    assert_eq!(world.sent(), ids(&owed[1_300..]));
    for _ in 0..4 {
        world.clock.advance(MINUTE);
        let _ = world.run().await;
    }
    assert_eq!((world.health("acme").await.state, world.health("acme").await.drain), (HealthState::Healthy, None));
}

#[tokio::test]
async fn what_was_paused_or_deleted_while_it_was_down_is_looked_at_once_more_and_then_not() {
    let world = world().await;
    let watched = async || world.store.watched_destinations(world.clock.now(), None, 9).await.expect("a list").len();
    let paused = target("acme").paused(world.clock.now()).expect("a change");
    let updated = world.store.update_destination(&target("acme"), &paused).await.expect("an answer");
    assert_eq!(updated, UpdatedDestination::Updated);
    // Both failures were recorded by containers that did not know the other one yet.
    world.down("acme").await;
    let gone = target("rival");
    let deleted = world.store.delete_destination(&gone.account, &gone.id, None).await.expect("an answer");
    assert_eq!(deleted, DeletedDestination::Deleted);
    world.down("rival").await;
    assert_eq!(watched().await, 2);
    world.run().await.expect("a run");
    assert_eq!((watched().await, world.health("acme").await.version), (0, 3));
    world.run().await.expect("a run");
    assert_eq!(world.health("acme").await.version, 3);
    let known = world.store.find_destination_anew(&paused.account, &paused.id).await.expect("an answer").expect("it");
    let resumed = known.resumed(world.clock.now()).expect("a change");
    let updated = world.store.update_destination(&known, &resumed).await.expect("an answer");
    assert_eq!((updated, watched().await), (UpdatedDestination::Updated, 1));
}

#[tokio::test]
async fn a_drain_that_had_no_time_for_its_part_sends_the_rest_at_the_same_pace() {
    let world = World::slow(Duration::from_secs(1)).await;
    let owed = world.owe("acme", "evt-1", 400).await;
    for delivery in &owed {
        world.record(delivery, DeliveryState::Parked, None).await;
    }
    let now = world.clock.now();
    world.set_health("acme", Health { drain: Some(Drain { since: now, next_at: now }), ..Health::default() }).await;
    world.run().await.expect("a run");
    let sent = world.sent().len();
    assert!((1..400).contains(&sent), "{sent}");
    let next_at = world.health("acme").await.drain.expect("a drain").next_at;
    let pace = Duration::from_millis(50) * u32::try_from(sent).expect("few");
    assert!(next_at.since(now) <= pace + Duration::from_secs(1), "the rest waits until {next_at}");
    world.clock.advance(pace);
    world.run().await.expect("a run");
    assert!(!world.sent().is_empty(), "the rest is sent on");
}
