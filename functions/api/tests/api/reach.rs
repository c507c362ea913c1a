//! Which events can match a subscription: settings that can never match are refused, and settings that depend on the producer cause warnings.

use domain::routing::Subscription;
use serde_json::{Value, json};
use testing::{account, destination, subscription};

use crate::world::{As, World, check_problem, world};

const CONFIG: &str = "/v1/config";
const FAIL: &str = r#"can never match: `status` is "succeeded", "failed" or "partial""#;

fn new(destination: &Value, settings: &Value) -> Value {
    let mut body = json!({"name": "s", "destination_id": destination["id"], "event_types": ["*"], "scope": "*"});
    body.as_object_mut().expect("an object").extend(settings.as_object().expect("an object").clone());
    body
}

async fn put(world: &World, path: &str, document: &Value) -> (u16, Value) {
    world.call(As::Account("acme"), "PUT", path, Some(&document.to_string())).await
}

/// Settings of a subscription that are refused, with the place and a part of the reason.
fn refused() -> [(Value, &'static str, &'static str); 7] {
    let at = |types: &[&str], scope: &str| json!({"event_types": types, "scope": scope});
    let place = "Use such a scope or a wider one";
    [
        (json!({"condition": {"status": ["fail"]}}), "/condition/status/0", FAIL),
        (json!({"condition": {"status": ["failed", {"prefix": "x"}]}}), "/condition/status/1", FAIL),
        (json!({"condition": {"duration_ms": ["42"]}}), "/condition/duration_ms/0", "`duration_ms` is an integer"),
        (at(&["destination.failing", "delivery.exhausted"], "connection/xero"), "/scope", place),
        (at(&["sync_run.completed"], "connection/xero/insight/cash-flow"), "/scope", place),
        (at(&["insight_population.completed"], "connection/xero/endpoint/invoices"), "/scope", place),
        (
            json!({"event_types": ["destination.failing"], "transition": "broke"}),
            "/transition",
            "reports a run that fails or succeeds",
        ),
    ]
}

#[tokio::test]
async fn what_can_never_come_is_refused_wherever_a_subscription_is_set() {
    let world = world().await;
    let to = world.destination("acme").await;
    let (status, created) = world.post("acme", "/v1/subscriptions", new(&to, &json!({"name": "old"}))).await;
    assert_eq!((status, &created["warnings"]), (201, &json!([])), "{created}");
    let patched = format!("/v1/subscriptions/{}", created["id"].as_str().expect("an id"));
    for (settings, pointer, detail) in refused() {
        let told = |answer: (u16, Value), pointer: &str| {
            assert!(answer.1["errors"][0]["detail"].as_str().is_some_and(|told| told.contains(detail)), "{}", answer.1);
            check_problem(answer, 422, "validation_failed", Some(pointer));
        };
        told(world.post("acme", "/v1/subscriptions", new(&to, &settings)).await, pointer);
        told(world.call(As::Account("acme"), "PATCH", &patched, Some(&settings.to_string())).await, pointer);
        let mut setup = new(&to, &settings);
        setup.as_object_mut().expect("an object").remove("destination_id");
        setup["destination"] = json!({"name": "d", "url": "https://example.com/"});
        told(world.post("acme", "/v1/setups", setup).await, pointer);
        let mut wanted = new(&to, &settings);
        wanted.as_object_mut().expect("an object").remove("destination_id");
        wanted["destination"] = json!("d");
        let document =
            json!({"destinations": [{"name": "d", "url": "https://example.com/"}], "subscriptions": [wanted]});
        for path in [CONFIG, "/v1/config?dry_run=true"] {
            told(put(&world, path, &document).await, &format!("/subscriptions/0{pointer}"));
        }
    }
    let (_, list) = world.call(As::Account("acme"), "GET", "/v1/destinations", None).await;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "nothing was set up");
    assert_eq!(world.call(As::Account("acme"), "GET", &patched, None).await.1, created);
}

#[tokio::test]
async fn what_depends_on_the_producer_is_taken_and_warned_of() {
    let world = world().await;
    let to = world.destination("acme").await;
    let settings = json!({"condition": {"statuss": ["failed"]}, "event_types": ["sync_run.completed"]});
    let detail = "the schema of sync_run.completed describes no field `statuss`: this matches only if your producer sends it; \
                  did you mean `status`?";
    let warnings = json!([{"pointer": "/condition/statuss", "detail": detail}]);
    let (status, created) = world.post("acme", "/v1/subscriptions", new(&to, &settings)).await;
    assert_eq!((status, &created["warnings"]), (201, &warnings), "{created}");
    let path = format!("/v1/subscriptions/{}", created["id"].as_str().expect("an id"));
    assert_eq!(world.call(As::Account("acme"), "GET", &path, None).await.1, created);
    let patch = json!({"condition": {"statuss": null, "status": ["failed"]}}).to_string();
    let (status, mended) = world.call(As::Account("acme"), "PATCH", &path, Some(&patch)).await;
    assert_eq!((status, &mended["warnings"]), (200, &json!([])), "{mended}");

    let mut setup = new(&to, &settings);
    setup["name"] = json!("set up");
    setup.as_object_mut().expect("an object").remove("destination_id");
    setup["destination"] = json!({"id": to["id"]});
    let (status, made) = world.post("acme", "/v1/setups", setup).await;
    assert_eq!((status, &made["steps"][1]["warnings"]), (201, &warnings), "{made}");

    // A document causes warnings about what it changes.
    let (_, mut document) = world.call(As::Account("acme"), "GET", CONFIG, None).await;
    assert_eq!(put(&world, CONFIG, &document).await.1["warnings"], json!([]));
    let place = document["subscriptions"].as_array().expect("a list").iter().position(|s| s["name"] == "s");
    let pointer = format!("/subscriptions/{}/event_types/1", place.expect("a place"));
    let changed = &mut document["subscriptions"][place.expect("a place")];
    changed["event_types"] = json!(["sync_run.completed", "destination.failing"]);
    changed["scope"] = json!("connection/xero");
    for path in ["/v1/config?dry_run=true", CONFIG] {
        let (status, plan) = put(&world, path, &document).await;
        assert_eq!((status, plan["warnings"].as_array().map(Vec::len)), (200, Some(1)), "{plan}");
        assert_eq!(plan["warnings"][0]["pointer"], json!(pointer));
    }
}

#[tokio::test]
async fn what_was_set_before_is_read_and_changed_on() {
    let world = world().await;
    let to = destination(&account("acme"), 1, "https://example.com/");
    ports::Destinations::create_destination(&*world.store, &to, 10).await.expect("created");
    let sample = subscription(&to, 1, &["sync_run.completed"], "*", None);
    let mut settings = serde_json::to_value(&sample.settings).expect("JSON");
    settings["condition"] = json!({"status": ["fail"]});
    let settings = serde_json::from_value(settings).expect("settings");
    world.store.put_subscription(Subscription { settings, ..sample.clone() });
    let path = format!("/v1/subscriptions/{}", sample.id);
    let (status, read) = world.call(As::Account("acme"), "GET", &path, None).await;
    assert_eq!((status, &read["warnings"]), (200, &json!([{"pointer": "/condition/status/0", "detail": FAIL}])));
    let (_, document) = world.call(As::Account("acme"), "GET", CONFIG, None).await;
    assert_eq!(put(&world, CONFIG, &document).await.0, 200, "what is read can be put");
    let patch = async |body: Value| world.call(As::Account("acme"), "PATCH", &path, Some(&body.to_string())).await;
    assert_eq!(patch(json!({"enabled": false})).await.0, 200);
    let other = patch(json!({"condition": {"status": ["broken"]}})).await;
    check_problem(other, 422, "validation_failed", Some("/condition/status/0"));
    assert_eq!(patch(json!({"condition": {"status": ["failed"]}})).await.1["warnings"], json!([]));
}
