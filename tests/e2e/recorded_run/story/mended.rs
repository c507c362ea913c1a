//! What owners do about failures: resume, send again, cancel, recover, replay, delete. And what recovers by itself: a
//! destination that works again, and a delivery that the audit finds.

use std::time::Duration;

use ports::Clock;
use serde_json::{Value, json};
use testing::Step;

use super::{Cast, id, sync_run, text};
use crate::answers::Who;
use crate::world::World;

const NOTHING: Value = Value::Null;
const MINUTE: Duration = Duration::from_secs(60);

pub async fn play(world: &mut World, cast: &Cast) {
    resumed(world, cast).await;
    sent_again(world, cast).await;
    cancelled(world, cast).await;
    replayed(world, cast).await;
    // The destination that was down works again, its parked deliveries are drained, and roll-ups are made.
    world.minutes(12).await;
    recovered(world, cast).await;
    // After the horizon.
    for _ in 0..6 {
        world.later(15 * MINUTE).await;
    }
    world.minutes(3).await;
    deleted(world, cast).await;
    in_trouble_again(world, cast).await;
}

async fn resumed(world: &mut World, cast: &Cast) {
    for id in [&cast.warehouse, &cast.gone] {
        world.ask(&cast.editor, &format!("POST /v1/destinations/{id}/resume"), NOTHING).await;
    }
    world.minutes(3).await;
    world.ask(&cast.viewer, &format!("POST /v1/destinations/{}/pause", cast.gone), NOTHING).await;
}

/// The newest deliveries of the account that have this status.
async fn with_status(world: &mut World, cast: &Cast, status: &str) -> Vec<String> {
    let listed = world.ask(&cast.viewer, &format!("GET /v1/deliveries?limit=2&status={status}"), NOTHING).await;
    listed["data"].as_array().expect("a list").iter().map(id).collect()
}

async fn sent_again(world: &mut World, cast: &Cast) {
    for status in ["exhausted", "delivered", "parked"] {
        let found = with_status(world, cast, status).await;
        let first = found.first().expect("a delivery");
        for _ in 0..2 {
            world.ask(&cast.editor, &format!("POST /v1/deliveries/{first}/resend"), NOTHING).await;
        }
        world.work().await;
        world.ask(&cast.viewer, &format!("GET /v1/deliveries/{first}"), NOTHING).await;
    }
    world.ask(&cast.rival, "GET /v1/deliveries", NOTHING).await;
    world.ask(&cast.editor, "POST /v1/deliveries/dlv_x/resend", NOTHING).await;
}

async fn cancelled(world: &mut World, cast: &Cast) {
    for status in ["retrying", "parked", "delivered"] {
        let found = with_status(world, cast, status).await;
        let first = found.first().expect("a delivery");
        world.ask(&cast.editor, &format!("POST /v1/deliveries/{first}/cancel"), NOTHING).await;
    }
}

/// A subscription that is created late.
async fn replayed(world: &mut World, cast: &Cast) {
    let body = json!({
        "name": "Late", "destination_id": cast.pager, "event_types": ["*"], "scope": "connection/zoho", "path": "/late"
    });
    id(&world.ask(&cast.editor, "POST /v1/subscriptions", body).await);
    for event in ["evt-nobody", "evt-nobody", "evt-1", "evt-hubspot-2", "evt-unknown"] {
        world.ask(&cast.editor, &format!("POST /v1/events/{event}/replay"), NOTHING).await;
        world.work().await;
    }
}

async fn recovered(world: &mut World, cast: &Cast) {
    let recover = format!("POST /v1/destinations/{}/recover", cast.once);
    let body = json!({ "since": "2026-11-23T00:00:00Z", "statuses": ["exhausted", "cancelled"] });
    let job = id(&world.ask(&cast.editor, &recover, body.clone()).await);
    world.ask(&cast.editor, &recover, body).await;
    world.ask(&cast.editor, &recover, json!({ "since": "2026-11-23T09:00:00Z" })).await;
    world.ask(&cast.editor, &recover, json!({ "since": "tomorrow" })).await;
    world.ask(&cast.viewer, &format!("GET /v1/jobs/{job}"), NOTHING).await;
    world.minutes(3).await;
    world.ask(&cast.viewer, &format!("GET /v1/jobs/{job}"), NOTHING).await;
    world.ask(&cast.rival, &format!("GET /v1/jobs/{job}"), NOTHING).await;
}

/// A destination is deleted while it is owed a delivery that waits.
async fn deleted(world: &mut World, cast: &Cast) {
    world.sender.script("https://gone.example/", [Step::Answer(500)]);
    let event = text(sync_run(world.clock.now(), "evt-orphan", ("sage", "ledgers"), "succeeded"));
    world.push(&event).await;
    let path = format!("/v1/destinations/{}", cast.gone);
    for query in ["", "?cascade=maybe", "?cascade=true", ""] {
        world.ask(&cast.editor, &format!("DELETE {path}{query}"), NOTHING).await;
    }
    world.minutes(7).await;
    let listed = world.ask(&cast.viewer, "GET /v1/subscriptions?name_contains=insights", NOTHING).await;
    let path = format!("/v1/subscriptions/{}", id(&listed["data"][0]));
    let patch = json!({ "name": "Cash flow", "condition": { "status": ["succeeded"] }, "grace_seconds": 60 });
    world.ask(&cast.editor, &format!("PATCH {path}"), patch).await;
    world.ask(&cast.editor, &format!("PATCH {path}"), json!({ "scope": "everywhere" })).await;
    let off = world.ask(&cast.viewer, "GET /v1/subscriptions?name_contains=PAYPAL", NOTHING).await;
    let path = format!("/v1/subscriptions/{}", id(&off["data"][0]));
    for who in [&cast.viewer, &cast.editor, &cast.editor] {
        world.ask(who, &format!("DELETE {path}"), NOTHING).await;
    }
    world.ask(&Who::Nobody, &format!("GET {path}"), NOTHING).await;
}

/// Gives the pages something to show: deliveries that are retried, parked, given up, and one that is lost.
async fn in_trouble_again(world: &mut World, cast: &Cast) {
    world.sender.script("https://down.example/", (0..8).map(|_| Step::Answer(502)));
    for n in 0..7 {
        let id = format!("evt-down-again-{n}");
        let event = text(sync_run(world.clock.now(), &id, ("stripe", "refunds"), "succeeded"));
        world.push(&event).await;
    }
    world.sender.script("https://once.example/", [Step::Answer(404)]);
    let event = text(sync_run(world.clock.now(), "evt-once-more", ("sage", "invoices"), "failed"));
    world.push(&event).await;
    let patch = json!({ "retry_policy": [3_600] });
    world.ask(&cast.editor, &format!("PATCH /v1/destinations/{}", cast.flaky), patch).await;
    world.sender.script("https://flaky.example/in", [Step::Answer(500)]);
    for (n, status) in ["succeeded", "failed"].into_iter().enumerate() {
        let event = text(sync_run(world.clock.now(), &format!("evt-retried-{n}"), ("xero", "quotes"), status));
        world.push(&event).await;
    }
    let event = text(sync_run(world.clock.now(), "evt-pending", ("xero", "quotes"), "succeeded"));
    world.push_and_lose(&event).await;
    world.minutes(1).await;
    world.ask(&cast.viewer, &format!("GET /v1/destinations/{}", cast.down), NOTHING).await;
}
