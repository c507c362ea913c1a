//! Destinations, secrets, subscriptions, setups, tests, dry runs, and the configuration as one document.

use domain::attempt::Answer;
use serde_json::{Value, json};
use testing::Step;

use super::{Cast, id};
use crate::answers::Who;
use crate::world::World;

const NOTHING: Value = Value::Null;
const DESTINATIONS: &str = "POST /v1/destinations";
const SUBSCRIPTIONS: &str = "POST /v1/subscriptions";
/// A secret of the owner's own: 32 bytes.
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub async fn play(world: &mut World, cast: &mut Cast) {
    destinations(world, cast).await;
    refused_destinations(world, cast).await;
    changes(world, cast).await;
    secrets(world, cast).await;
    subscriptions(world, cast).await;
    refused_subscriptions(world, cast).await;
    tests_and_setups(world, cast).await;
    dry_runs(world, cast).await;
    document(world, cast).await;
}

async fn destinations(world: &mut World, cast: &mut Cast) {
    let admin = cast.admin.clone();
    let mut create = async |body: Value| id(&world.ask(&admin, DESTINATIONS, body).await);
    cast.warehouse = create(json!({
        "name": "Warehouse", "url": "https://warehouse.example/hooks?tenant=7", "description": "two\nlines",
        "headers": { "X-Team": "data", "x-b": "2" }, "secret": SECRET
    }))
    .await;
    cast.billing = create(json!({
        "name": "Billing", "url": "https://BILLING.example", "timeout_seconds": 5, "rate_limit": 1, "retry_policy": "short"
    }))
    .await;
    let waits = json!([10, 400, 3600]);
    cast.flaky = create(json!({
        "name": "Flaky", "url": "https://flaky.example/in", "timeout_seconds": 1, "retry_policy": waits
    }))
    .await;
    cast.down = create(json!({ "name": "Down", "url": "https://down.example/" })).await;
    cast.once = create(json!({ "name": "Once", "url": "https://once.example/", "retry_policy": "none" })).await;
    cast.gone = create(json!({ "name": "Gone", "url": "https://gone.example/" })).await;
    cast.pager = create(json!({ "name": "Pager & <co>", "url": "https://pager.example/page" })).await;
    world.ask(&cast.rival, DESTINATIONS, json!({ "name": "Theirs", "url": "https://theirs.example/" })).await;
}

async fn refused_destinations(world: &mut World, cast: &Cast) {
    for body in [
        json!({ "name": "Inside", "url": "https://internal.example/" }),
        json!({ "name": "Inside", "url": "https://10.0.0.1/" }),
        json!({ "name": "Own", "url": "https://page.example/" }),
        json!({ "name": "Plain", "url": "http://plain.example/" }),
        json!({ "name": "Billing", "url": "https://other.example/" }),
        json!({ "name": "", "url": "nonsense", "surprise": 1 }),
        json!({ "name": "H", "url": "https://h.example/", "headers": { "host": "x" } }),
        json!({ "name": "R", "url": "https://r.example/", "retry_policy": [5, 0] }),
        json!([1]),
    ] {
        world.ask(&cast.editor, DESTINATIONS, body).await;
    }
    world.ask(&cast.viewer, DESTINATIONS, json!({ "name": "V", "url": "https://v.example/" })).await;
    world.ask(&Who::Nobody, DESTINATIONS, json!({ "name": "N", "url": "https://n.example/" })).await;
    world.ask_with(&cast.admin, DESTINATIONS, &[], Some("{\"name\":")).await;
    world.ask_with(&cast.admin, DESTINATIONS, &[("content-type", "text/plain")], Some("{}")).await;
    world.ask(&cast.rival, &format!("GET /v1/destinations/{}", cast.warehouse), NOTHING).await;
}

async fn changes(world: &mut World, cast: &Cast) {
    let path = format!("/v1/destinations/{}", cast.billing);
    let read = world.ask_with(&cast.viewer, &format!("GET {path}"), &[], None).await;
    let etag = read.headers["etag"].to_str().expect("text").to_owned();
    let patch = json!({ "headers": { "x-cost-center": "42" }, "description": "invoices" }).to_string();
    for _ in 0..2 {
        let merge = [("content-type", "application/merge-patch+json"), ("if-match", etag.as_str())];
        world.ask_with(&cast.editor, &format!("PATCH {path}"), &merge, Some(&patch)).await;
    }
    for body in [json!({}), json!({ "name": null }), json!({ "timeout_seconds": 31 }), json!({ "name": "Flaky" })] {
        world.ask(&cast.editor, &format!("PATCH {path}"), body).await;
    }
}

async fn secrets(world: &mut World, cast: &Cast) {
    let rotate = format!("POST /v1/destinations/{}/secrets/rotate", cast.warehouse);
    for body in [json!({ "overlap_seconds": 3_600 }), json!({}), json!({}), json!({ "overlap_seconds": -1 })] {
        world.ask(&cast.admin, &rotate, body).await;
    }
    world.ask(&cast.editor, &rotate, json!({})).await;
    let rotate = format!("POST /v1/destinations/{}/secrets/rotate", cast.pager);
    world.ask(&cast.admin, &rotate, json!({ "overlap_seconds": 0, "secret": SECRET })).await;
}

async fn subscriptions(world: &mut World, cast: &Cast) {
    let failed = json!({ "status": ["failed"] });
    let many =
        json!({ "records": { "read": [{ "numeric": [">", 300] }] }, "status": [{ "anything-but": ["partial"] }] });
    for body in [
        json!({ "name": "Everything of Xero", "destination_id": cast.warehouse, "event_types": ["*"],
            "scope": "connection/xero" }),
        json!({ "name": "Invoices", "destination_id": cast.billing, "event_types": ["sync_run.completed"],
            "scope": "connection/xero/endpoint/invoices", "path": "/invoices", "condition": many }),
        json!({ "name": "Insights", "destination_id": cast.warehouse, "path": "/insights/%7Bnew%7D",
            "event_types": ["insight_population.completed"], "scope": "connection/xero/insight/cash-flow" }),
        json!({ "name": "Broken", "destination_id": cast.flaky, "event_types": ["sync_run.completed"], "scope": "*",
            "transition": "broke" }),
        json!({ "name": "Mended", "destination_id": cast.flaky, "event_types": ["sync_run.completed"],
            "scope": "connection/hubspot", "transition": "changed", "path": "/mended" }),
        json!({ "name": "Stripe", "destination_id": cast.down, "event_types": ["sync_run.completed"],
            "scope": "connection/stripe" }),
        json!({ "name": "Failures", "destination_id": cast.once, "event_types": ["sync_run.completed"],
            "scope": "connection/sage", "condition": failed }),
        json!({ "name": "Sage", "destination_id": cast.gone, "event_types": ["sync_run.completed"],
            "scope": "connection/sage/endpoint/ledgers" }),
        json!({ "name": "Missed", "destination_id": cast.pager, "event_types": ["sync_run.missed"], "scope": "*",
            "grace_seconds": 120 }),
        json!({ "name": "Ourselves", "destination_id": cast.pager, "scope": "*", "event_types":
            ["destination.failing", "destination.recovered", "destination.disabled", "delivery.exhausted"] }),
        json!({ "name": "Off", "destination_id": cast.billing, "event_types": ["sync_run.completed"], "scope": "*",
            "enabled": false }),
    ] {
        id(&world.ask(&cast.editor, SUBSCRIPTIONS, body).await);
    }
    let theirs = world.ask(&cast.rival, "GET /v1/destinations", NOTHING).await;
    let body = json!({ "name": "All", "destination_id": theirs["data"][0]["id"], "event_types": ["*"], "scope": "*" });
    id(&world.ask(&cast.rival, SUBSCRIPTIONS, body).await);
}

async fn refused_subscriptions(world: &mut World, cast: &Cast) {
    let with = |change: Value| {
        let mut body = json!({
            "name": "New", "destination_id": cast.billing, "event_types": ["sync_run.completed"], "scope": "*"
        });
        for (name, value) in change.as_object().expect("fields") {
            body[name] = value.clone();
        }
        body
    };
    for change in [
        json!({ "destination_id": "dst_0000000000000000" }),
        json!({ "name": "Invoices" }),
        json!({ "scope": "connection/" }),
        json!({ "event_types": [] }),
        json!({ "event_types": ["sync_run.exploded"] }),
        json!({ "condition": { "status": [] } }),
        json!({ "condition": { "records": { "read": [{ "numeric": [">", "x"] }] } } }),
        json!({ "path": "no-slash", "grace_seconds": 1 }),
    ] {
        world.ask(&cast.editor, SUBSCRIPTIONS, with(change)).await;
    }
}

async fn tests_and_setups(world: &mut World, cast: &Cast) {
    let test = format!("POST /v1/destinations/{}/test", cast.warehouse);
    let full = Answer::new(202, [("x-served-by", &b"cache-1"[..])].into_iter(), b"thanks".to_vec(), false);
    let url = "https://warehouse.example/hooks/try?tenant=7";
    world.sender.script(url, [Step::AnswerInFull(full), Step::Answer(401), Step::Answer(204), Step::Answer(400)]);
    let proof = json!({ "event_type": "sync_run.completed", "status": "partial", "path": "/try", "prove": true });
    world.ask(&cast.editor, &test, proof).await;
    for (status, step) in [("failed", Step::Blocked), ("failed", Step::Unreachable), ("lost", Step::Answer(200))] {
        world.sender.script("https://warehouse.example/hooks?tenant=7", [step]);
        world.ask(&cast.editor, &test, json!({ "event_type": "sync_run.completed", "status": status })).await;
    }
    let new = json!({
        "destination": { "name": "Set up", "url": "https://setup.example/", "secret": SECRET },
        "event_types": ["sync_run.completed", "insight_population.completed"], "scope": "connection/quickbooks",
        "test": { "prove": true }
    });
    world.ask(&cast.editor, "POST /v1/setups", new.clone()).await;
    world.ask(&cast.editor, "POST /v1/setups", new).await;
    let existing = json!({
        "destination": { "id": cast.down }, "event_types": ["sync_run.completed"], "scope": "connection/paypal",
        "name": "PayPal", "condition": { "trigger": ["manual"] }, "transition": "recovered", "path": "/paypal"
    });
    world.ask(&cast.editor, "POST /v1/setups", existing).await;
}

async fn dry_runs(world: &mut World, cast: &Cast) {
    for body in [
        json!({ "sample": { "event_type": "sync_run.completed", "status": "failed" } }),
        json!({ "sample": { "event_type": "sync_run.missed", "scope": "connection/stripe/endpoint/charges" } }),
        json!({ "sample": { "event_type": "destination.failing" } }),
        json!({ "event": { "type": "sync_run.completed", "scope": "connection/xero/endpoint/invoices", "data": {} } }),
        json!({}),
    ] {
        world.ask(&cast.viewer, "POST /v1/subscriptions/match?limit=100", body).await;
    }
}

async fn document(world: &mut World, cast: &Cast) {
    let read = world.ask_with(&cast.viewer, "GET /v1/config", &[], None).await;
    world.ask_with(&cast.viewer, "GET /v1/config", &[("accept", "application/yaml")], None).await;
    let mut document: Value = serde_json::from_str(&read.text).expect("JSON");
    world.ask(&cast.editor, "PUT /v1/config", document.clone()).await;
    let destinations = document["destinations"].as_array_mut().expect("a list");
    let extra = json!({ "name": "Archive", "url": "https://archive.example/", "paused": true, "retry_policy": "none" });
    destinations.push(extra);
    let subscriptions = document["subscriptions"].as_array_mut().expect("a list");
    subscriptions.retain(|subscription| subscription["name"] != "Off");
    let changed = subscriptions.iter_mut().find(|subscription| subscription["name"] == "Failures").expect("Failures");
    changed["grace_seconds"] = json!(600);
    let all = json!({ "name": "All: yes", "destination": "Archive", "event_types": ["*"], "scope": "connection/hubspot", "path": "/all" });
    subscriptions.push(all);
    world.ask(&cast.editor, "PUT /v1/config?dry_run=true", document.clone()).await;
    world.ask(&cast.editor, "PUT /v1/config", document.clone()).await;
    let etag = read.headers["etag"].to_str().expect("text").to_owned();
    world.ask_with(&cast.editor, "PUT /v1/config", &[("if-match", &etag)], Some(&document.to_string())).await;
    document["subscriptions"][0]["destination"] = json!("Nowhere");
    world.ask(&cast.editor, "PUT /v1/config", document).await;
    let yaml = [("content-type", "application/yaml")];
    world.ask_with(&cast.editor, "PUT /v1/config", &yaml, Some("destinations: &a []\nsubscriptions: *a\n")).await;
}
