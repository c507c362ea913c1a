//! The audit after roll-ups that saw what was delivered.

use std::time::Duration;

use domain::delivery::{Delivery, DeliveryState};
use domain::value::{Span, Timestamp};
use ports::{Audit, Clock, Events, OweMore, SealNote};
use testing::account;

use crate::world::{MINUTE, World, ids, numbered, world};

/// When an event that was sealed just now is rolled up, and how much later it is audited.
const ROLLED_UP: Duration = Duration::from_secs(11 * 60);
const AUDITED_AFTER: Duration = Duration::from_secs(60 * 60);

/// So many events, with a delivery each, that it is worth settling them.
async fn deliver_twelve(world: &World) -> Vec<Delivery> {
    let mut all = Vec::new();
    for n in 0..12 {
        all.extend(world.owe("acme", &format!("evt-{n}"), 1).await);
    }
    for delivery in &all {
        world.record(delivery, DeliveryState::Delivered, None).await;
    }
    all
}

/// Rolls up; returns whether each note is settled.
async fn roll_up(world: &World) -> Vec<bool> {
    world.clock.advance(ROLLED_UP);
    world.run().await.expect("a run");
    let ever = Span { since: Timestamp::from_unix_ms(0), until: world.clock.now() };
    let notes = world.store.seal_notes(SealNote::shard_of(&account("acme")), ever, None, 9).await;
    notes.expect("a list").into_iter().map(|listed| listed.settled.is_some()).collect()
}

/// Audits; returns whether it read what events owe.
async fn audit(world: &World) -> bool {
    world.store.take_calls();
    world.clock.advance(AUDITED_AFTER);
    world.run().await.expect("a run");
    assert!(world.store.seal_notes_left().is_empty());
    let calls = world.store.take_calls();
    assert!(calls.contains(&"forget_note"));
    calls.contains(&"find_owed")
}

#[tokio::test]
async fn what_was_settled_is_not_read_again() {
    let world = world().await;
    deliver_twelve(&world).await;
    assert_eq!(roll_up(&world).await, [true]);
    assert!(!audit(&world).await);
    assert!(world.sent().is_empty());
}

#[tokio::test]
async fn a_lost_delivery_is_found_though_all_others_were_delivered() {
    let world = world().await;
    deliver_twelve(&world).await;
    let lost = world.owe("acme", "evt-12", 1).await;
    assert_eq!(roll_up(&world).await, [false]);
    assert!(audit(&world).await);
    assert_eq!(world.sent(), ids(&lost));
}

#[tokio::test]
async fn an_event_that_is_listed_late_is_audited() {
    let world = world().await;
    let sealed_at = world.clock.now();
    deliver_twelve(&world).await;
    assert_eq!(roll_up(&world).await, [true]);
    let lost = world.seal("acme", "evt-12", 1, sealed_at).await;
    assert!(audit(&world).await);
    assert_eq!(world.sent(), ids(&lost));
}

#[tokio::test]
async fn what_a_replay_adds_to_settled_events_is_audited() {
    let world = world().await;
    let first = deliver_twelve(&world).await.remove(0);
    assert_eq!(roll_up(&world).await, [true]);
    let event = world.store.find_event(&first.account, &first.event).await.expect("an answer").expect("the event");
    let added = numbered(&first, 5, 5);
    assert!(world.store.add_owed(&event, std::slice::from_ref(&added), world.clock.now()).await.expect("an answer"));
    assert!(audit(&world).await);
    assert_eq!(world.sent(), ids(&[added]));
}

#[tokio::test]
async fn what_a_roll_up_did_not_get_to_is_audited() {
    for method in ["list_events", "find_owed", "list_results", "store_roll_up", "note_settled"] {
        let world = world().await;
        deliver_twelve(&world).await;
        // Where nothing was read, nobody knows whether something is lost.
        let lost = if method == "note_settled" { vec![] } else { world.owe("acme", "evt-12", 1).await };
        world.clock.advance(ROLLED_UP);
        for fails in [true, false] {
            world.store.fail(method, u32::from(method != "note_settled" || fails));
            assert_eq!(world.run().await.is_err(), fails, "{method}");
            world.clock.advance(MINUTE);
        }
        assert!(audit(&world).await, "{method}");
        assert_eq!(world.sent(), ids(&lost), "{method}");
    }
}

#[tokio::test]
async fn a_note_without_a_settlement_is_audited() {
    let world = world().await;
    deliver_twelve(&world).await;
    let note = world.store.seal_notes_left().remove(0);
    assert_eq!(roll_up(&world).await, [true]);
    // Another container of `fanout`, or of an older release, writes it anew.
    ports::SealNotes::note_seal(&*world.store, &note, world.clock.now()).await.expect("noted");
    assert!(audit(&world).await);
}
