//! Events that cannot be accepted, and what the operator does about them.

use ports::Clock;
use serde_json::{Value, json};

use super::delivered::XERO;
use super::{Cast, id, sync_run, text};
use crate::answers::Who;
use crate::world::World;

const NOTHING: Value = Value::Null;
const LIST: &str = "/admin/v1/rejected-events";

pub async fn play(world: &mut World, cast: &Cast) {
    pushed(world).await;
    let listed = world.ask(&Who::Operator, &format!("GET {LIST}"), NOTHING).await;
    for query in ["code=invalid_event", "account=acme&limit=2", "since=2026-11-23T09:30:00Z", "code=unknown"] {
        world.ask(&Who::Operator, &format!("GET {LIST}?{query}"), NOTHING).await;
    }
    let all: Vec<_> = listed["data"].as_array().expect("a list").iter().map(id).collect();
    for id in all.iter().chain([&"rej_x".to_owned()]) {
        world.ask(&Who::Operator, &format!("GET {LIST}/{id}"), NOTHING).await;
    }
    resubmitted(world, &all).await;
    for id in [&all[0], &all[0]] {
        world.ask(&Who::Operator, &format!("DELETE {LIST}/{id}"), NOTHING).await;
    }
    world.ask(&cast.admin, &format!("GET {LIST}"), NOTHING).await;
}

async fn pushed(world: &mut World) {
    let good = sync_run(world.clock.now(), "evt-rejected", XERO, "succeeded");
    world.push("{\"id\": ").await;
    for (name, value) in [
        ("type", json!("sync_run.exploded")),
        ("occurred_at", json!("2026-01-01T00:00:00Z")),
        ("scope", json!("connection/xero")),
        ("id", json!("evt-1")),
    ] {
        let mut event = good.clone();
        event[name] = value;
        world.push(&text(event)).await;
    }
    let mut event = good.clone();
    event["data"]["records"]["read"] = json!("many");
    world.push(&text(event)).await;
}

/// The last one is corrected, sent again, and accepted once.
async fn resubmitted(world: &mut World, all: &[String]) {
    let resubmit = format!("POST {LIST}/{}/resubmit", all[0]);
    world.ask(&Who::Operator, &resubmit, NOTHING).await;
    let mended = sync_run(world.clock.now(), "evt-rejected", XERO, "succeeded");
    for _ in 0..2 {
        world.ask(&Who::Operator, &resubmit, mended.clone()).await;
        world.work().await;
    }
    let mut stranger = mended.clone();
    stranger["account"] = json!("stranger");
    world.ask(&Who::Operator, &resubmit, stranger).await;
    world.ask(&Who::Operator, &format!("GET {LIST}/{}", all[0]), NOTHING).await;
}
