//! Setups: all steps or none.

use serde_json::{Value, json};
use testing::Step;

use crate::world::{As, World, check_problem, world};

const SETUPS: &str = "/v1/setups";

fn new() -> Value {
    json!({
        "scope": "connection/xero", "event_types": ["sync_run.completed"], "condition": {"status": ["failed"]},
        "transition": "broke", "name": "Failures", "path": "/failures",
        "destination": {"name": "Billing", "url": "https://billing.example/", "timeout_seconds": 5}
    })
}

fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = new();
    change(&mut body);
    body
}

async fn listed(world: &World, kind: &str) -> Vec<Value> {
    let (_, list) = world.call(As::Account("acme"), "GET", &format!("/v1/{kind}"), None).await;
    list["data"].as_array().expect("a list").clone()
}

/// Posts a setup that is refused; checks that nothing of it stays.
async fn check_refused(
    world: &World,
    body: Value,
    status: u16,
    code: &str,
    pointer: Option<&str>,
    step: &str,
) -> String {
    let before = (listed(world, "destinations").await, listed(world, "subscriptions").await);
    let answer = world.post("acme", SETUPS, body).await;
    let detail = answer.1["detail"].as_str().expect("a detail").to_owned();
    check_problem(answer, status, code, pointer);
    assert!(detail.starts_with(step), "{detail}");
    assert_eq!((listed(world, "destinations").await, listed(world, "subscriptions").await), before);
    detail
}

#[tokio::test]
async fn a_new_destination_and_its_subscription_are_set_up_at_once() {
    let world = world().await;
    let (status, setup) = world.post("acme", SETUPS, new()).await;
    assert_eq!(status, 201, "{setup}");
    let steps = setup["steps"].as_array().expect("steps");
    assert_eq!((steps.len(), &steps[2]["step"], &steps[2]["status"]), (3, &json!("test"), &json!("skipped")));
    let (destination, subscription) = (&steps[0], &steps[1]);
    assert_eq!((&destination["step"], &destination["status"]), (&json!("destination"), &json!("created")));
    assert_eq!((&subscription["step"], &subscription["status"]), (&json!("subscription"), &json!("created")));
    assert!(destination["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")));
    assert_eq!(destination["timeout_seconds"], 5);
    for field in ["scope", "event_types", "condition", "transition", "name", "path"] {
        assert_eq!(subscription[field], new()[field], "{field}");
    }
    assert_eq!(subscription["destination_id"], destination["id"]);
    let (destinations, subscriptions) = (listed(&world, "destinations").await, listed(&world, "subscriptions").await);
    assert_eq!((destinations.len(), &destinations[0]["id"]), (1, &destination["id"]));
    assert_eq!((subscriptions.len(), &subscriptions[0]["id"]), (1, &subscription["id"]));
}

#[tokio::test]
async fn an_existing_destination_is_used_and_a_name_is_made() {
    let world = world().await;
    let destination = world.destination("acme").await;
    let body = json!({"scope": "*", "event_types": ["*"], "destination": {"id": destination["id"]}});
    let (status, setup) = world.post("acme", SETUPS, body.clone()).await;
    assert_eq!(status, 201, "{setup}");
    assert_eq!((&setup["steps"][0]["status"], &setup["steps"][0]["id"]), (&json!("used"), &destination["id"]));
    assert_eq!(setup["steps"][0].get("secret"), None);
    let name = format!("{}: everything", destination["name"].as_str().expect("a name"));
    assert_eq!(setup["steps"][1]["name"], json!(name));
    check_refused(&world, body, 409, "name_taken", Some("/name"), "step subscription: /name: ").await;
    let long = json!({
        "scope": format!("connection/{}", "x".repeat(128)), "event_types": ["*"], "destination": {"id": destination["id"]}
    });
    let (status, setup) = world.post("acme", SETUPS, long).await;
    assert_eq!((status, setup["steps"][1]["name"].as_str().map(str::len)), (201, Some(128)));
}

#[tokio::test]
async fn a_given_secret_is_kept_and_a_wrong_one_is_not_repeated() {
    let world = world().await;
    let wrong = changed(|b| b["destination"]["secret"] = json!("hunter2"));
    let detail =
        check_refused(&world, wrong, 422, "validation_failed", Some("/destination/secret"), "step destination: ").await;
    assert!(!detail.contains("hunter2"));
    let given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (status, setup) = world.post("acme", SETUPS, changed(|b| b["destination"]["secret"] = json!(given))).await;
    assert_eq!((status, &setup["steps"][0]["secret"]), (201, &json!(given)));
}

#[tokio::test]
async fn when_a_step_fails_the_problem_says_which_and_nothing_is_left() {
    let world = world().await;
    let (_, taken) = world.subscription("acme", &world.destination("acme").await).await;
    let taken = changed(|b| b["name"] = taken["name"].clone());
    let detail = check_refused(&world, taken, 409, "name_taken", Some("/name"), "step subscription: /name: ").await;
    assert!(detail.ends_with("; the new destination was deleted again"), "{detail}");
    world.store.fail("create_subscription", 1);
    check_refused(&world, new(), 503, "unavailable", None, "step subscription: ").await;
    let step = "step destination: ";
    let foreign = world.destination("rival").await["id"].clone();
    for (body, code, pointer) in [
        (changed(|b| b["destination"] = json!({})), "validation_failed", "/destination"),
        (changed(|b| b["destination"] = json!({"id": "dst_vvvvvvvvvvvvvvvv"})), "validation_failed", "/destination/id"),
        (changed(|b| b["destination"] = json!({"id": foreign})), "validation_failed", "/destination/id"),
        (changed(|b| b["destination"] = json!({"id": 7})), "validation_failed", "/destination/id"),
        (changed(|b| b["destination"]["id"] = json!("dst_vvvvvvvvvvvvvvvv")), "validation_failed", "/destination/name"),
        (
            changed(|b| b["destination"]["url"] = json!("https://internal.example/")),
            "blocked_address",
            "/destination/url",
        ),
        (changed(|b| b["destination"]["url"] = json!("nonsense")), "validation_failed", "/destination/url"),
        (changed(|b| b["destination"]["colour"] = json!(1)), "validation_failed", "/destination/colour"),
    ] {
        check_refused(&world, body, 422, code, Some(pointer), step).await;
    }
    assert_eq!(
        world.post("acme", "/v1/destinations", json!({"name": "Billing", "url": "https://example.com/"})).await.0,
        201
    );
    check_refused(&world, new(), 409, "name_taken", Some("/destination/name"), step).await;
    for (change, pointer) in [
        (changed(|b| b["condition"] = json!({"status": "failed"})), "/condition/status"),
        (changed(|b| b["event_types"] = json!([])), "/event_types"),
        (changed(|b| b["scope"] = json!("xero")), "/scope"),
        (changed(|b| b["destination"] = json!("dst_vvvvvvvvvvvvvvvv")), "/destination"),
        (changed(|b| b["colour"] = json!(1)), "/colour"),
        (changed(|b| b["test"] = json!({"event_type": "sync_run.exploded"})), "/test/event_type"),
        (changed(|b| b["test"] = json!({"status": "done"})), "/test/status"),
        (changed(|b| b["test"] = json!({"prove": "yes"})), "/test/prove"),
    ] {
        check_refused(&world, change, 422, "validation_failed", Some(pointer), pointer).await;
    }
}

/// The test step of a setup whose receiver behaves like `receiver`.
async fn tested(world: &World, receiver: impl IntoIterator<Item = Step>, test: Value) -> Value {
    world.sender.script("https://billing.example/failures", receiver);
    let (status, setup) = world.post("acme", SETUPS, changed(|b| b["test"] = test)).await;
    assert_eq!(status, 201, "{setup}");
    assert_eq!((listed(world, "destinations").await.len(), listed(world, "subscriptions").await.len()), (1, 1));
    setup["steps"][2].clone()
}

#[tokio::test]
async fn a_test_is_made_of_what_was_set_up() {
    let world = world().await;
    let test = tested(&world, [], json!({})).await;
    assert_eq!((&test["status"], &test["result"]["verdict"]), (&json!("passed"), &json!("delivered")));
    let sent = world.sender.requests();
    assert_eq!((sent.len(), &test["result"]["request"]["body"]), (1, &json!(sent[0].body)));
    let body: Value = serde_json::from_str(&sent[0].body).expect("JSON");
    assert_eq!((&body["test"], &body["type"]), (&json!(true), &json!("sync_run.completed")));
}

#[tokio::test]
async fn a_test_that_fails_is_reported_and_undoes_nothing() {
    for (receiver, test, verdict) in [
        (vec![Step::Answer(500)], json!({"status": "failed"}), json!("refused")),
        // Accepts the forged requests as well.
        (vec![], json!({"prove": true}), json!("delivered")),
        (vec![Step::Fail], json!({}), Value::Null),
    ] {
        let test = tested(&world().await, receiver, test).await;
        assert_eq!((&test["status"], &test["result"]["verdict"]), (&json!("failed"), &verdict), "{test}");
        let told = if verdict.is_null() { &test["reason"] } else { &test["result"]["detail"] };
        assert!(told.as_str().is_some_and(|told| !told.is_empty()), "{test}");
    }
}

#[tokio::test]
async fn a_limit_undoes_the_setup_as_well() {
    let world = world().await;
    let destination = world.destination("acme").await;
    for _ in 0..5 {
        assert_eq!(world.subscription("acme", &destination).await.0, 201);
    }
    check_refused(&world, new(), 409, "limit_reached", None, "step subscription: ").await;
    for _ in 1..5 {
        world.destination("acme").await;
    }
    check_refused(&world, new(), 409, "limit_reached", None, "step destination: ").await;
}

#[tokio::test]
async fn a_destination_that_cannot_be_deleted_again_is_named() {
    let world = world().await;
    world.store.fail("create_subscription", 1);
    world.store.fail("delete_destination", 1);
    let answer = world.post("acme", SETUPS, new()).await;
    let left = listed(&world, "destinations").await;
    let id = left[0]["id"].as_str().expect("an id");
    assert!(answer.1["detail"].as_str().expect("a detail").contains(id), "{}", answer.1);
    check_problem(answer, 503, "unavailable", None);
}

#[tokio::test]
async fn whoever_may_configure_may_set_up_and_nobody_else() {
    let world = world().await;
    let body = new().to_string();
    for role in ["viewer", "publisher"] {
        check_problem(world.call(As::Role("acme", role), "POST", SETUPS, Some(&body)).await, 403, "forbidden", None);
    }
    check_problem(world.call(As::Nobody, "POST", SETUPS, Some(&body)).await, 401, "unauthorized", None);
    check_problem(world.call(As::Account("acme"), "POST", SETUPS, Some("{")).await, 400, "malformed_json", Some(""));
    check_problem(world.call(As::Account("acme"), "GET", SETUPS, None).await, 405, "method_not_allowed", None);
    assert_eq!(world.call(As::Role("acme", "editor"), "POST", SETUPS, Some(&body)).await.0, 201);
}
