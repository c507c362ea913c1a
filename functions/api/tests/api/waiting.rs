//! What a delivery waits for, as the API tells it.

use std::time::Duration;

use domain::delivery::{DeliveryState, Held};
use domain::destination::{DisabledReason, Health, HealthState};
use ports::{Clock, DestinationHealth, Destinations};
use serde_json::{Value, json};
use testing::{held, held_until};

use crate::deliveries::{deliver, get, target};
use crate::world::{World, world};

/// The only delivery of destination `n` in the list, and read by itself: what both say that it waits for.
async fn waiting(world: &World, n: u8) -> Value {
    let (_, page) = get(world, &format!("/v1/deliveries?destination_id={}", target(n).id)).await;
    let listed = &page["data"][0];
    let (_, read) = get(world, &format!("/v1/deliveries/{}", listed["id"].as_str().expect("an id"))).await;
    assert_eq!(read["waiting"], listed["waiting"]);
    let (_, all) = get(world, "/v1/deliveries").await;
    let all = all["data"].as_array().expect("a list");
    assert!(all.iter().any(|other| other["id"] == listed["id"] && other["waiting"] == listed["waiting"]));
    listed["waiting"].clone()
}

#[tokio::test]
async fn a_delivery_says_what_it_waits_for_and_until_when() {
    let world = world().await;
    let (now, later) = (world.clock.now(), world.clock.now().plus(Duration::from_secs(60)));
    let due = |due_at| DeliveryState::Retrying { due_at };
    for (n, state, in_line, expected) in [
        (1, DeliveryState::Delivered, false, Value::Null),
        (2, DeliveryState::Exhausted, false, Value::Null),
        (3, due(now), false, json!({"for": "attempt", "until": null})),
        (4, due(later), false, json!({"for": "retry", "until": later})),
        (5, due(later), true, json!({"for": "turn", "until": later})),
        (6, DeliveryState::Parked, false, Value::Null),
    ] {
        deliver(&world, n, &format!("evt-{n}"), 0, |record| {
            let waits = held_until(state, Some(later));
            record.held = if in_line { waits.in_line() } else { waits };
        })
        .await;
        assert_eq!(waiting(&world, n).await, expected, "{state:?}, its destination was deleted");
    }
    let failing = |next_probe_at, half_open| {
        let state = HealthState::Failing { since: now, probes: 1, next_probe_at, half_open };
        Health { state, ..Health::default() }
    };
    let asked_to_wait = |until| Health { held_until: Some(until), ..Health::default() };
    let gone = HealthState::Disabled { since: now, reason: DisabledReason::Gone };
    for (n, paused, health, expected) in [
        (11, false, Health::default(), json!({"for": "drain", "until": null})),
        (12, false, failing(later, false), json!({"for": "destination_failing", "until": later})),
        (13, false, failing(now, true), json!({"for": "destination_failing", "until": null})),
        (16, false, asked_to_wait(later), json!({"for": "destination_held", "until": later})),
        (17, false, asked_to_wait(now), json!({"for": "drain", "until": null})),
        (14, true, failing(later, false), json!({"for": "destination_paused", "until": null})),
        (15, false, Health { state: gone, ..Health::default() }, json!({"for": "destination_disabled", "until": null})),
        (18, true, Health { state: gone, ..Health::default() }, json!({"for": "destination_paused", "until": null})),
        (19, true, asked_to_wait(later), json!({"for": "destination_paused", "until": null})),
    ] {
        let mut destination = target(n);
        destination.settings.paused = paused;
        world.store.create_destination(&destination, 100).await.expect("created");
        let health = Health { version: 1, ..health };
        assert!(world.store.update_health(&destination, &health).await.expect("an answer"));
        deliver(&world, n, &format!("evt-{n}"), 0, |record| record.held = Held::ByDestination).await;
        assert_eq!(waiting(&world, n).await, expected);
    }
    // A destination that cannot be read keeps nobody from reading the list.
    world.store.poison(&target(15).id);
    assert_eq!(waiting(&world, 15).await, Value::Null);
}

#[tokio::test]
async fn a_page_reads_each_destination_of_what_is_parked_once() {
    let world = world().await;
    for n in 0..3 {
        world.store.create_destination(&target(n), 100).await.expect("created");
        for m in 0..10 {
            let state = if n == 2 { DeliveryState::Exhausted } else { DeliveryState::Parked };
            deliver(&world, n, &format!("evt-{n}-{m}"), m, |record| record.held = held(state)).await;
        }
    }
    for (path, reads) in [
        ("/v1/deliveries".to_owned(), 2),
        ("/v1/deliveries?status=exhausted".to_owned(), 0),
        (format!("/v1/deliveries?destination_id={}", target(0).id), 1),
    ] {
        world.store.take_calls();
        get(&world, &path).await;
        let calls = world.store.take_calls();
        assert_eq!(calls.iter().filter(|call| **call == "find_destination").count(), reads, "{path}");
    }
}
