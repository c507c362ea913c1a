//! The statistics of a destination for the last day, which come from its roll-up.

use std::time::Duration;

use domain::attempt::Latencies;
use domain::delivery::{Hour, HourRead, RollUp, Tally};
use ports::{Clock, RollUps};
use serde_json::{Value, json};

use crate::recovery::{target, with_destination};
use crate::world::{As, World, check_problem};

const HOUR: Duration = Duration::from_secs(3_600);

fn path() -> String {
    format!("/v1/destinations/{}/stats", target(1).id)
}

/// Stores a roll-up, as `redrive` does. Each hour is given as a number of hours before the present one.
async fn roll_up(world: &World, hours: impl IntoIterator<Item = (u64, Tally)>) {
    let (now, target) = (world.clock.now(), target(1));
    let read = |(back, tally): (u64, Tally)| {
        (Hour(Hour::of(now).0 - back), HourRead { at: now, owed: tally.count(), tally, unsure: false })
    };
    let read = hours.into_iter().map(read).collect();
    let rolled_up = RollUp::with(None, &target.account, &target.id, read, now);
    assert!(world.store.store_roll_up(None, &rolled_up, None).await.expect("an answer"));
}

fn tally(delivered: u64, failed: u64, parked: u64) -> Tally {
    let mut latencies = Latencies::default();
    (0..delivered).for_each(|n| latencies.add(Duration::from_millis(if n < 9 { 100 } else { 2_000 })));
    Tally { delivered, failed, parked, cancelled: 7, waiting: 7, latencies, ..Tally::default() }
}

async fn stats(world: &World) -> Value {
    let (status, stats) = world.call(As::Role("acme", "viewer"), "GET", &path(), None).await;
    assert_eq!(status, 200, "{stats}");
    stats
}

#[tokio::test]
async fn a_destination_that_was_owed_nothing_has_24_hours_of_nothing() {
    let world = with_destination().await;
    let mut stats = stats(&world).await;
    let hours = stats["hours"].take();
    let hours = hours.as_array().expect("hours");
    assert_eq!(hours.len(), 24);
    for (hour, start) in [(&hours[0], "2026-11-22T10:00:00.000Z"), (&hours[23], "2026-11-23T09:00:00.000Z")] {
        assert_eq!(*hour, json!({"start": start, "delivered": 0, "failed": 0, "parked": 0}));
    }
    let expected = json!({
        "destination_id": target(1).id, "since": "2026-11-22T10:00:00.000Z", "until": "2026-11-23T10:00:00.000Z",
        "computed_at": null, "hours": null, "delivered": 0, "failed": 0, "parked": 0, "success_rate": null,
        "latency_ms": null, "partial": false
    });
    assert_eq!(stats, expected);
}

#[tokio::test]
async fn the_hours_of_the_last_day_are_told_and_added_up_and_earlier_ones_are_not() {
    let world = with_destination().await;
    roll_up(&world, [(23, tally(2, 0, 1)), (3, tally(9, 3, 0)), (0, tally(10, 4, 2))]).await;
    let stats_now = stats(&world).await;
    let hour = |back: usize| stats_now["hours"][23 - back].clone();
    assert_eq!(hour(3), json!({"start": "2026-11-23T06:00:00.000Z", "delivered": 9, "failed": 3, "parked": 0}));
    assert_eq!((hour(0)["parked"].clone(), hour(1)["delivered"].clone()), (json!(2), json!(0)));
    assert_eq!(
        (&stats_now["delivered"], &stats_now["failed"], &stats_now["parked"]),
        (&json!(21), &json!(7), &json!(3))
    );
    assert_eq!((&stats_now["success_rate"], &stats_now["partial"]), (&json!(0.75), &json!(false)));
    assert_eq!(stats_now["computed_at"], "2026-11-23T09:30:00.000Z");
    let latency = |of: &str| stats_now["latency_ms"][of].as_f64().expect("a number");
    assert!((latency("median") - 100.0).abs() <= 5.0 && (latency("p95") - 100.0).abs() <= 5.0, "{stats_now}");

    world.clock.advance(HOUR * 21);
    let later = stats(&world).await;
    assert_eq!((&later["delivered"], &later["hours"][2]["delivered"]), (&json!(10), &json!(10)));
    assert_eq!(later["since"], "2026-11-23T07:00:00.000Z");
    let p95 = later["latency_ms"]["p95"].as_f64().expect("a number");
    assert!((p95 - 2_000.0).abs() <= 100.0, "{later}");
}

#[tokio::test]
async fn a_partial_hour_makes_the_day_partial() {
    let world = with_destination().await;
    roll_up(&world, [(2, Tally { partial: true, ..tally(5, 0, 0) })]).await;
    let partial = stats(&world).await;
    assert_eq!((&partial["partial"], &partial["success_rate"]), (&json!(true), &json!(1.0)));
}

#[tokio::test]
async fn reading_it_costs_two_reads_and_is_for_those_who_may_read_and_own_it() {
    let world = with_destination().await;
    roll_up(&world, [(2, tally(5, 0, 0))]).await;
    world.store.take_calls();
    stats(&world).await;
    assert_eq!(world.store.take_calls(), ["find_destination", "find_roll_up"]);
    let foreign = world.call(As::Account("rival"), "GET", &path(), None).await;
    let absent =
        world.call(As::Account("acme"), "GET", &format!("/v1/destinations/{}/stats", target(9).id), None).await;
    assert_eq!(foreign, absent);
    check_problem(foreign, 404, "not_found", None);
    check_problem(world.call(As::Role("acme", "publisher"), "GET", &path(), None).await, 403, "forbidden", None);
}
