//! Events that arrive: pushed by producers and posted, matched or not, with every status of a run, duplicates, and one
//! whose messages are lost.

use ports::Clock;
use serde_json::{Value, json};

use super::{Cast, insight, sync_run, text};
use crate::world::World;

pub const XERO: (&str, &str) = ("xero", "invoices");
const HUBSPOT: (&str, &str) = ("hubspot", "contacts");

pub async fn play(world: &mut World, cast: &Cast) {
    // The first run of the schedule begins the audit.
    world.minutes(1).await;
    pushed(world).await;
    transitions(world).await;
    posted(world, cast).await;
    lost(world).await;
    awaited(world).await;
}

async fn pushed(world: &mut World) {
    let first = text(sync_run(world.clock.now(), "evt-1", XERO, "succeeded"));
    world.push(&first).await;
    world.push_again(&first).await;
    let failed = text(sync_run(world.clock.now(), "evt-2", ("xero", "bills"), "failed"));
    world.push(&failed).await;
    let populated = text(insight(world.clock.now(), "evt-insight"));
    world.push(&populated).await;
    // Nobody listens at the first place, and at the second place no condition matches.
    let mut nobody = insight(world.clock.now(), "evt-nobody");
    nobody["scope"] = json!("connection/zoho/insight/cash-flow");
    nobody["data"]["connection"]["id"] = json!("zoho");
    world.push(&text(nobody)).await;
    let unwanted = text(sync_run(world.clock.now(), "evt-unwanted", ("zoho", "leads"), "partial"));
    world.push(&unwanted).await;
    let mut stranger = sync_run(world.clock.now(), "evt-stranger", XERO, "succeeded");
    stranger["account"] = json!("stranger");
    world.push(&text(stranger)).await;
    let mut theirs = sync_run(world.clock.now(), "evt-1", XERO, "succeeded");
    theirs["account"] = json!("rival");
    world.push(&text(theirs)).await;
}

async fn transitions(world: &mut World) {
    for (n, status) in ["succeeded", "partial", "failed", "failed", "succeeded"].into_iter().enumerate() {
        let event = text(sync_run(world.clock.now(), &format!("evt-hubspot-{n}"), HUBSPOT, status));
        world.push(&event).await;
    }
}

async fn posted(world: &mut World, cast: &Cast) {
    let whole = sync_run(world.clock.now(), "evt-posted", XERO, "succeeded");
    let with = |change: Value| {
        let mut event = whole.clone();
        event.as_object_mut().expect("an event").remove("account");
        for (name, value) in change.as_object().expect("fields") {
            event[name] = value.clone();
        }
        event
    };
    for body in [with(json!({})), with(json!({})), with(json!({ "id": null })), with(json!({ "account": "rival" }))] {
        world.ask(&cast.publisher, "POST /v1/events", body).await;
        world.work().await;
    }
    for change in [
        json!({ "scope": "connection/xero/endpoint/bills" }),
        json!({ "id": "evt bad" }),
        json!({ "id": "evt-x", "type": "destination.failing" }),
        json!({ "id": "evt-x", "data": { "status": "succeeded" } }),
        json!({ "id": "evt-x", "occurred_at": "2020-01-01T00:00:00Z" }),
    ] {
        world.ask(&cast.publisher, "POST /v1/events", with(change)).await;
    }
    world.ask(&cast.editor, "POST /v1/events", with(json!({}))).await;
    let mut unnamed = with(json!({}));
    let members = unnamed.as_object_mut().expect("an event");
    members.remove("id");
    members.remove("occurred_at");
    let body = text(unnamed);
    for id in ["evt-by-header", "not an id"] {
        world.ask_with(&cast.admin, "POST /v1/events", &[("idempotency-key", id)], Some(&body)).await;
        world.work().await;
    }
    world.ask_with(&cast.admin, "POST /v1/events", &[], Some(&body)).await;
    world.work().await;
}

/// Its messages are lost; the audit finds it.
async fn lost(world: &mut World) {
    let event = text(sync_run(world.clock.now(), "evt-lost", XERO, "succeeded"));
    world.push_and_lose(&event).await;
}

/// Announces a run that does not come.
async fn awaited(world: &mut World) {
    let now = world.clock.now();
    let mut event = sync_run(now, "evt-awaited", ("xero", "payments"), "succeeded");
    event["data"]["next_run_at"] = json!(now.plus(std::time::Duration::from_secs(300)));
    world.push(&text(event)).await;
}
