//! Everything the account can read at the end, each list with its filters and over its pages.

use serde_json::Value;

use super::{Cast, id};
use crate::answers::Who;
use crate::world::World;

const NOTHING: Value = Value::Null;

pub async fn play(world: &mut World, cast: &Cast) {
    for path in [
        "/v1/destinations?name_contains=B",
        "/v1/destinations?limit=0",
        "/v1/subscriptions?colour=red",
        "/v1/config",
        "/v1/scopes",
        "/v1/events?event_type=sync_run.completed&scope=connection/xero&status=matched&limit=3",
        "/v1/events?status=unmatched",
        "/v1/events?since=2026-11-23T10:00:00Z&until=2026-11-23T10:05:00%2B00:00",
        "/v1/events?event_type=nothing&status=lost&since=x",
        "/v1/deliveries?event_type=sync_run.missed",
        "/v1/deliveries?scope=connection/stripe&since=2026-11-23T09:45:00Z",
        "/v1/deliveries?status=pending",
        "/v1/ledger",
        "/v1/ledger?since=2026-11-23T09:00:00Z&until=2026-11-23T10:00:00Z",
        "/v1/ledger?since=2026-11-23T09:00:00Z&until=2026-11-22T10:00:00Z",
        "/v1/ledger/deliveries",
        "/v1/ledger/deliveries?recovered_by_audit=true",
        "/v1/ledger/deliveries?status=pending",
    ] {
        world.ask(&cast.viewer, &format!("GET {path}"), NOTHING).await;
    }
    world.ask(&Who::Operator, "GET /admin/v1/rejected-events", NOTHING).await;
    world.ask(&Who::Operator, "GET /admin/v1/accounts/acme/keys?limit=2", NOTHING).await;
    pages(world, cast).await;
    resources(world, cast).await;
}

/// Goes through lists page by page, and uses a cursor with another query.
async fn pages(world: &mut World, cast: &Cast) {
    for path in ["/v1/subscriptions?limit=5", "/v1/deliveries?limit=40", "/v1/ledger?limit=40"] {
        let mut next = String::new();
        loop {
            let page = world.ask(&cast.viewer, &format!("GET {path}{next}"), NOTHING).await;
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("&cursor={cursor}");
        }
        world.ask(&cast.viewer, &format!("GET /v1/events?limit=1{next}"), NOTHING).await;
    }
}

async fn resources(world: &mut World, cast: &Cast) {
    for kind in ["destinations", "subscriptions", "events"] {
        let listed = world.ask(&cast.viewer, &format!("GET /v1/{kind}?limit=100"), NOTHING).await;
        // For events, a few are enough.
        let step = if kind == "events" { 4 } else { 1 };
        for one in listed["data"].as_array().expect("a list").iter().step_by(step) {
            let path = format!("GET /v1/{kind}/{}", id(one));
            world.ask(&cast.viewer, &path, NOTHING).await;
            if kind == "destinations" {
                world.ask(&cast.viewer, &format!("{path}/stats"), NOTHING).await;
                let to = format!("GET /v1/deliveries?destination_id={}&limit=2", id(one));
                world.ask(&cast.viewer, &to, NOTHING).await;
            }
        }
    }
    for status in ["delivered", "retrying", "parked", "exhausted", "cancelled"] {
        let listed = world.ask(&cast.viewer, &format!("GET /v1/deliveries?limit=1&status={status}"), NOTHING).await;
        if let Some(first) = listed["data"].as_array().and_then(|list| list.first()) {
            world.ask(&cast.viewer, &format!("GET /v1/deliveries/{}", id(first)), NOTHING).await;
        }
    }
}
