//! Accounts, keys, sessions, and what is the same for every caller.

use std::time::Duration;

use serde_json::{Value, json};

use super::Cast;
use crate::answers::Who;
use crate::world::World;

const NOTHING: Value = Value::Null;

pub async fn play(world: &mut World) -> Cast {
    accounts(world).await;
    let admin = key(world, "acme", "admin").await;
    let cast = Cast {
        editor: key(world, "acme", "editor").await,
        viewer: key(world, "acme", "viewer").await,
        publisher: key(world, "acme", "publisher").await,
        rival: key(world, "rival", "admin").await,
        admin,
        warehouse: String::new(),
        billing: String::new(),
        flaky: String::new(),
        down: String::new(),
        once: String::new(),
        gone: String::new(),
        pager: String::new(),
    };
    revoked_key(world).await;
    sessions(world).await;
    event_types(world, &cast).await;
    cast
}

async fn accounts(world: &mut World) {
    let accounts = "POST /admin/v1/accounts";
    for id in ["acme", "rival", "acme", "no such/id"] {
        world.ask(&Who::Operator, accounts, json!({ "id": id })).await;
    }
    world.ask(&Who::Nobody, accounts, json!({ "id": "nobody" })).await;
    for path in ["", "?limit=1", "/acme", "/unknown"] {
        world.ask(&Who::Operator, &format!("GET /admin/v1/accounts{path}"), NOTHING).await;
    }
}

async fn key(world: &mut World, account: &str, role: &str) -> Who {
    world.clock.advance(Duration::from_secs(1));
    let path = format!("POST /admin/v1/accounts/{account}/keys");
    let issued = world.ask(&Who::Operator, &path, json!({ "name": format!("the {role}"), "role": role })).await;
    Who::Bearer(issued["key"].as_str().expect("a key").to_owned())
}

async fn revoked_key(world: &mut World) {
    let keys = "/admin/v1/accounts/acme/keys";
    let revoked = key(world, "acme", "viewer").await;
    world.ask(&revoked, "GET /v1/destinations", NOTHING).await;
    let listed = world.ask(&Who::Operator, &format!("GET {keys}"), NOTHING).await;
    let Who::Bearer(text) = &revoked else { return };
    let id = text.split('.').nth(1).expect("an id");
    assert!(listed.to_string().contains(id));
    for _ in 0..2 {
        world.ask(&Who::Operator, &format!("DELETE {keys}/key_{id}"), NOTHING).await;
    }
    world.ask(&revoked, "GET /v1/destinations", NOTHING).await;
    world.ask(&Who::Operator, &format!("POST {keys}"), json!({ "name": "x", "role": "king" })).await;
    world.ask(&Who::Operator, "POST /admin/v1/accounts/unknown/keys", json!({ "name": "x", "role": "admin" })).await;
}

async fn sessions(world: &mut World) {
    let offer = "POST /admin/v1/accounts/acme/sessions";
    let scoped = json!({ "role": "editor", "scope": "connection/xero", "expires_in_seconds": 600 });
    let offered = world.ask(&Who::Operator, offer, scoped).await;
    let token = link(&offered);
    let opened = world.ask(&Who::Nobody, "POST /v1/sessions", json!({ "token": token })).await;
    let visitor = Who::Bearer(opened["token"].as_str().expect("a token").to_owned());
    world.ask(&visitor, "GET /v1/subscriptions", NOTHING).await;
    world.ask(&Who::Nobody, "POST /v1/sessions", json!({ "token": token })).await;
    world.ask(&Who::Nobody, "POST /v1/sessions", json!({ "token": "whl_acme.x.y" })).await;
    let late = link(&world.ask(&Who::Operator, offer, json!({})).await);
    world.clock.advance(Duration::from_secs(301));
    world.ask(&Who::Nobody, "POST /v1/sessions", json!({ "token": late })).await;
    world.ask(&Who::Operator, offer, json!({ "expires_in_seconds": 1 })).await;
    let sessions = "/admin/v1/accounts/acme/sessions";
    let named = world.ask(&Who::Operator, offer, json!({ "subject": "Jane Doe" })).await;
    world.ask(&Who::Operator, &format!("GET {sessions}"), NOTHING).await;
    let id = named["id"].as_str().expect("an id");
    for _ in 0..2 {
        world.ask(&Who::Operator, &format!("DELETE {sessions}/{id}"), NOTHING).await;
    }
    world.ask(&Who::Nobody, "POST /v1/sessions", json!({ "token": link(&named) })).await;
}

/// What follows `#` in an offered link.
pub fn link(offered: &Value) -> String {
    let (_, token) = offered["url"].as_str().and_then(|url| url.split_once('#')).expect("a link");
    token.to_owned()
}

async fn event_types(world: &mut World, cast: &Cast) {
    let types = world.ask(&cast.viewer, "GET /v1/event-types", NOTHING).await;
    for one in types["data"].as_array().expect("a list") {
        let name = one["event_type"].as_str().expect("a type");
        world.ask(&cast.viewer, &format!("GET /v1/event-types/{name}"), NOTHING).await;
    }
    world.ask(&cast.viewer, "GET /v1/event-types/unknown", NOTHING).await;
    for unknown in ["GET /v1/nothing", "PUT /v1/destinations", "GET /v1/jobs/x"] {
        world.ask(&cast.viewer, unknown, NOTHING).await;
    }
}
