//! Roll-ups of each destination's deliveries: when they are made, from what, at what cost, and what happens after a
//! failure.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

#[path = "../over_memory/mod.rs"]
mod over_memory;
mod settled;
mod world;

use std::time::Duration;

use DeliveryState::{Delivered, Exhausted, Parked};
use domain::delivery::{Delivery, DeliveryState, Hour};
use domain::value::{Horizon, Timestamp};
use ports::{Clock, DestinationHealth, Destinations};
use testing::account;

use self::world::{MINUTE, ROLLED_UP, fresh_world, target, world, world_under};

#[tokio::test]
async fn what_was_owed_is_rolled_up_soon_after_its_stretch_in_one_write_for_each_destination() {
    let world = world().await;
    for n in 0..40 {
        world.deliver(&format!("evt-{n}"), MINUTE, &[1, 2]).await;
    }
    for (id, state, took_ms) in [("given-up", Exhausted, 15_000), ("failed", Parked, 15_000), ("set-aside", Parked, 0)]
    {
        let owed = world.owe(id, MINUTE, &[1]).await;
        world.ended(&owed[0], state, took_ms).await;
    }
    world.run_later(ROLLED_UP - Duration::from_millis(1)).await;
    assert_eq!(world.roll_up(1).await, None);
    world.store.take_calls();
    world.run_later(Duration::from_millis(1)).await;
    assert_eq!(world.count("store_roll_up"), 2);
    let (first, second) = (world.day(1).await, world.day(2).await);
    assert_eq!((first.delivered, first.failed, first.parked, first.count()), (40, 2, 1, 43));
    assert_eq!((second.delivered, second.count(), world.roll_up(3).await), (40, 40, None));
    assert!(second.latencies.quantile(50).expect("a median").abs_diff(100) <= 5);
    // They occurred a minute before half past nine.
    let rolled_up = world.roll_up(2).await.expect("a roll-up");
    assert_eq!(rolled_up.hours.keys().collect::<Vec<_>>(), [&Hour::of(world.clock.now())]);
    assert_eq!(rolled_up.computed_at, world.clock.now());
}

#[tokio::test]
async fn what_was_sealed_before_the_first_run_is_rolled_up_by_it() {
    let world = fresh_world(Horizon::default()).await;
    world.deliver("evt-1", MINUTE, &[1]).await;
    world.run_later(ROLLED_UP).await;
    assert_eq!(world.day(1).await.delivered, 1);
}

#[tokio::test]
async fn an_hour_is_read_again_until_nothing_of_it_is_open_and_then_never() {
    let world = world().await;
    let owed = world.owe("evt-1", MINUTE, &[1]).await;
    world.ended(&owed[0], Exhausted, 15_000).await;
    world.run_later(ROLLED_UP).await;
    assert_eq!(world.day(1).await.failed, 1);
    world.store.take_calls();
    world.run_later(MINUTE).await;
    assert_eq!(world.count("list_results"), 0, "a stretch has not passed");
    // Somebody sends it again.
    world.ended(&owed[0], Delivered, 100).await;
    world.run_later(MINUTE * 9).await;
    let day = world.day(1).await;
    assert_eq!((day.delivered, day.failed), (1, 0));
    world.store.take_calls();
    for _ in 0..30 {
        world.run_later(MINUTE * 60).await;
    }
    assert_eq!(world.count("list_results"), 0);
}

#[tokio::test]
async fn what_is_recorded_late_is_found_because_it_was_known_to_be_owed() {
    let world = world().await;
    let owed = world.owe("evt-1", MINUTE, &[1, 2]).await;
    world.ended(&owed[0], Delivered, 100).await;
    world.run_later(ROLLED_UP).await;
    assert_eq!((world.day(1).await.delivered, world.day(2).await.count()), (1, 0));
    world.ended(&owed[1], Delivered, 100).await;
    world.run_later(MINUTE * 10).await;
    assert_eq!(world.day(2).await.delivered, 1);
}

#[tokio::test]
async fn an_event_that_comes_long_after_it_occurred_is_counted_where_it_occurred() {
    let world = world().await;
    world.deliver("evt-1", MINUTE, &[1]).await;
    world.run_later(ROLLED_UP).await;
    world.deliver("evt-2", MINUTE * 60 * 5, &[1]).await;
    // It belongs to another day and is counted nowhere.
    world.deliver("evt-3", MINUTE * 60 * 30, &[2]).await;
    world.run_later(MINUTE * 10).await;
    let rolled_up = world.roll_up(1).await.expect("a roll-up");
    let hours: Vec<_> = rolled_up.hours.iter().map(|(hour, read)| (hour.begin(), read.tally.delivered)).collect();
    let hour = |text| Timestamp::parse(text).expect("a time");
    assert_eq!(hours, [(hour("2026-11-23T04:00:00Z"), 1), (hour("2026-11-23T09:00:00Z"), 1)]);
    assert_eq!(world.roll_up(2).await, None);
}

#[tokio::test]
async fn an_account_with_very_many_events_is_rolled_up_without_asking_each_what_it_owes() {
    let world = world().await;
    for n in 0..1_001 {
        world.deliver(&format!("evt-{n}"), MINUTE, &[1]).await;
    }
    let late = world.owe("late", MINUTE, &[1]).await;
    world.store.take_calls();
    world.run_later(ROLLED_UP).await;
    let calls = world.store.take_calls();
    let count = |method| calls.iter().filter(|call| **call == method).count();
    assert_eq!((count("find_owed"), count("list_destinations"), count("store_roll_up")), (10, 1, 1));
    assert_eq!((world.day(1).await.delivered, world.roll_up(2).await), (1_001, None));
    // Nobody knows that it is owed, so each hour is read once more.
    world.ended(&late[0], Delivered, 100).await;
    world.run_later(MINUTE * 10).await;
    assert_eq!(world.day(1).await.delivered, 1_002);
}

#[tokio::test]
async fn an_event_that_owes_very_much_is_rolled_up_without_holding_what_it_owes() {
    let world = world().await;
    let owed = world.owe("evt-1", MINUTE, &[1; 10_001]).await;
    world.ended(&owed[0], Delivered, 100).await;
    world.store.take_calls();
    world.run_later(ROLLED_UP).await;
    let calls = world.store.take_calls();
    assert!(!calls.contains(&"find_owed") && calls.contains(&"list_destinations"));
    assert_eq!(world.day(1).await.delivered, 1);
}

#[tokio::test]
async fn an_hour_with_more_deliveries_than_are_read_says_that_it_is_partial() {
    let world = world().await;
    world.deliver("evt-1", MINUTE * 60, &[1]).await;
    let owed = world.owe("evt-2", MINUTE, &[1]).await.remove(0);
    for n in 0..20_500 {
        let id = format!("{}{n:024}", &owed.id.as_str()[..30]).parse().expect("an id");
        world.ended(&Delivery { id, ..owed.clone() }, Delivered, 100).await;
    }
    world.run_later(ROLLED_UP).await;
    let day = world.day(1).await;
    assert_eq!((day.delivered, day.partial), (20_001, true));
    // The hour before has a delivery of its own.
    let hours = world.roll_up(1).await.expect("a roll-up").hours;
    let partial: Vec<_> = hours.values().map(|read| (read.tally.delivered, read.tally.partial)).collect();
    assert_eq!(partial, [(1, false), (20_000, true)]);
}

#[tokio::test]
async fn a_failure_at_any_step_is_made_good_by_the_next_run() {
    for method in [
        "rolled_up_to",
        "seal_notes",
        "list_events",
        "find_owed",
        "find_roll_up",
        "find_destination_anew",
        "list_results",
        "store_roll_up",
        "set_rolled_up_to",
        "due_roll_ups",
    ] {
        let world = world().await;
        world.deliver("evt-1", MINUTE, &[1, 2, 3]).await;
        world.clock.advance(ROLLED_UP);
        world.store.fail(method, 1);
        assert!(world.run().await.is_err(), "{method}");
        world.run_later(MINUTE).await;
        for n in 1..=3 {
            assert_eq!(world.day(n).await.delivered, 1, "{method}");
        }
        world.store.take_calls();
        world.run_later(MINUTE).await;
        assert_eq!(world.count("find_roll_up"), 0, "{method}: it is done");
    }
}

#[tokio::test]
async fn under_the_shortest_horizon_nothing_is_audited_before_it_is_rolled_up() {
    let horizon: Horizon = "60".parse().expect("a horizon");
    for seconds in 0..30 {
        let world = world_under(horizon).await;
        // Each run is a few seconds late.
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(seconds));
            world.deliver(&format!("evt-{}", world.clock.now().unix_ms()), Duration::ZERO, &[1]).await;
            world.run_later(Duration::from_secs(67 - seconds)).await;
        }
        world.run_later(MINUTE).await;
        assert_eq!(world.day(1).await.delivered, 3, "{seconds} s after a run");
    }
}

#[tokio::test]
async fn what_fails_twice_is_passed_over_and_what_it_missed_is_read_with_what_comes_next() {
    let world = world().await;
    world.deliver("evt-1", MINUTE, &[1]).await;
    world.clock.advance(ROLLED_UP);
    for fails in [true, false] {
        world.store.fail("find_owed", 1);
        assert_eq!(world.run().await.is_err(), fails, "the second time it is only logged");
        world.clock.advance(MINUTE);
    }
    world.run().await.expect("a run");
    assert_eq!(world.roll_up(1).await, None);
    world.deliver("evt-2", MINUTE, &[1]).await;
    world.run_later(MINUTE * 60).await;
    assert_eq!(world.day(1).await.delivered, 2);
}

#[tokio::test]
async fn a_run_without_time_leaves_what_it_did_not_get_to_to_the_next_one() {
    let world = world().await;
    world.deliver("evt-1", MINUTE, &[1, 2, 3]).await;
    world.clock.advance(ROLLED_UP);
    world.clock.advance_with_each_look(Duration::from_millis(1_500));
    let (mut runs, mut done) = (0, 0);
    while done < 3 {
        runs += 1;
        assert!(runs < 10, "{done} of three are done");
        world.run().await.expect("a run");
        done = 0;
        for n in 1..=3 {
            done += world.day(n).await.delivered;
        }
    }
    assert!(runs > 1, "there was time for everything");
}

#[tokio::test]
async fn nothing_is_written_of_a_destination_that_is_gone_or_closed_and_what_was_is_forgotten() {
    let world = world().await;
    for to in [1, 2] {
        let owed = world.owe(&format!("evt-{to}"), MINUTE, &[to]).await;
        world.ended(&owed[0], Parked, 100).await;
    }
    world.run_later(ROLLED_UP).await;
    assert!(world.roll_up(1).await.is_some());
    let closed = target(1).health.closed().expect("a change");
    assert!(world.store.update_health(&target(1), &closed).await.expect("an answer"));
    world.store.delete_destination(&account("acme"), &target(2).id, None).await.expect("deleted");
    world.deliver("evt-3", MINUTE, &[1, 2]).await;
    world.run_later(ROLLED_UP).await;
    assert_eq!((world.roll_up(1).await, world.roll_up(2).await), (None, None));
}
