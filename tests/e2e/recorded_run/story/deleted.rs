//! The other account, with an event that owes more than fits in one row, and its deletion.

use std::time::Duration;

use domain::delivery::Delivery;
use domain::event::Event;
use domain::value::DestinationId;
use ports::{Clock, Events};
use serde_json::{Value, json};

use super::{Cast, Moments, sync_run, text};
use crate::answers::Who;
use crate::world::World;

const NOTHING: Value = Value::Null;
/// About twice as many as fit in a row.
const OWED: u32 = 2_500;

pub async fn play(world: &mut World, cast: &Cast, moments: &mut Moments) {
    wide_event(world).await;
    world.ask(&cast.rival, "GET /v1/events", NOTHING).await;
    moments.push(("the other account", world.table.rows("rival").await));
    let path = "/admin/v1/accounts/rival";
    let job = world.ask(&Who::Operator, &format!("DELETE {path}"), NOTHING).await;
    let read = format!("GET /admin/v1/jobs/{}", job["id"].as_str().expect("a job"));
    for request in [&format!("DELETE {path}"), &format!("GET {path}"), &read, &format!("POST {path}/keys")] {
        let body = if request.starts_with("POST") { json!({ "name": "x", "role": "admin" }) } else { NOTHING };
        world.ask(&Who::Operator, request, body).await;
    }
    world.ask(&cast.rival, "GET /v1/destinations", NOTHING).await;
    world.minutes(1).await;
    moments.push(("the other account, about to be deleted", world.table.rows("rival").await));
    world.later(Duration::from_secs(100)).await;
    world.minutes(2).await;
    for request in [&read, &format!("GET {path}"), "GET /admin/v1/accounts"] {
        world.ask(&Who::Operator, request, NOTHING).await;
    }
    moments.push(("the other account, deleted", world.table.rows("rival").await));
}

/// This would need thousands of subscriptions, so the event is sealed here as `fanout` would seal it.
async fn wide_event(world: &World) {
    let now = world.clock.now();
    let mut event = sync_run(now, "evt-wide", ("xero", "invoices"), "succeeded");
    event["account"] = json!("rival");
    let event = Event::parse(&text(event), now).map_err(|rejection| rejection.detail).expect("an event");
    let destination = |n: u32| {
        let mut entropy = [0; 10];
        entropy[..4].copy_from_slice(&n.to_be_bytes());
        DestinationId::from_entropy(entropy)
    };
    let path = |n: u32| format!("/{}/{n}", "x".repeat(200)).try_into().expect("a path");
    let owed = (0..OWED).map(|n| Delivery::of_event(&event, destination(n), Some(path(n)))).collect();
    let sealed = testing::sealed(&event, owed, now);
    world.store.seal_event(&sealed).await.expect("sealed");
}
