//! Changing what is configured: merge patches, entity tags, names, limits, cascades and rotations.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{As, World, check_problem, world};

fn path(kind: &str, created: &Value) -> String {
    format!("/v1/{kind}/{}", created["id"].as_str().expect("an id"))
}

async fn patch(world: &World, path: &str, etag: Option<&str>, body: Value) -> (u16, Value) {
    world
        .call_with(As::Account("acme"), "PATCH", path, etag.map(|tag| ("if-match", tag)), Some(&body.to_string()))
        .await
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_null_restores_the_default() {
    let world = world().await;
    let created = world.destination("acme").await;
    let at = path("destinations", &created);
    let changes = json!({
        "name": "Billing", "url": "https://example.com/hooks", "description": "a\nb", "headers": {"X-Team": "data"},
        "paused": true, "timeout_seconds": 30, "rate_limit": 5, "retry_policy": [10, 60]
    });
    let (status, changed) = patch(&world, &at, None, changes).await;
    assert_eq!(status, 200, "{changed}");
    for (field, value) in [
        ("name", json!("Billing")),
        ("url", json!("https://example.com/hooks")),
        ("headers", json!({"x-team": "data"})),
        ("paused", json!(true)),
        ("health", json!("healthy")),
        ("timeout_seconds", json!(30)),
        ("rate_limit", json!(5)),
        ("retry_policy", json!([10, 60])),
        ("secret", Value::Null),
        ("secrets", created["secrets"].clone()),
    ] {
        assert_eq!(changed[field], value, "{field}");
    }
    let (_, named) = patch(&world, &at, None, json!({"retry_policy": "none"})).await;
    assert_eq!(named["retry_policy"], "none");
    let back = json!({
        "description": null, "headers": {"x-team": null}, "timeout_seconds": null, "rate_limit": null, "retry_policy": null
    });
    let (status, changed) = patch(&world, &at, None, back).await;
    assert_eq!((status, &changed["description"], &changed["headers"]), (200, &json!(""), &json!({})));
    assert_eq!((&changed["timeout_seconds"], &changed["rate_limit"]), (&json!(15), &Value::Null));
    assert_eq!(changed["retry_policy"], "standard");
    assert_eq!(world.call(As::Account("acme"), "GET", &at, None).await, (200, changed));
}

#[tokio::test]
async fn a_patch_is_held_to_the_rules_of_a_new_one() {
    let world = world().await;
    let at = path("destinations", &world.destination("acme").await);
    let before = world.call(As::Account("acme"), "GET", &at, None).await;
    for (change, code, pointer) in [
        (json!({"name": ""}), "validation_failed", "/name"),
        (json!({"url": "https://10.0.0.1/"}), "blocked_address", "/url"),
        (json!({"url": "https://internal.example/"}), "blocked_address", "/url"),
        (json!({"url": null}), "validation_failed", ""),
        (json!({"headers": {"Host": "x"}}), "validation_failed", "/headers"),
        (json!({"headers": {"Authorization": "x"}}), "validation_failed", "/headers"),
        (json!({"timeout_seconds": 31}), "validation_failed", "/timeout_seconds"),
        (json!({"timeout_seconds": 0}), "validation_failed", "/timeout_seconds"),
        (json!({"rate_limit": 1001}), "validation_failed", "/rate_limit"),
        (json!({"retry_policy": "often"}), "validation_failed", "/retry_policy"),
        (json!({"retry_policy": 5}), "validation_failed", "/retry_policy"),
        (json!({"retry_policy": []}), "validation_failed", "/retry_policy"),
        (json!({"retry_policy": vec![1; 21]}), "validation_failed", "/retry_policy"),
        (json!({"retry_policy": [604_800, 604_800]}), "validation_failed", "/retry_policy"),
        (json!({"retry_policy": [5, 0]}), "validation_failed", "/retry_policy/1"),
        (json!({"paused": "yes"}), "validation_failed", "/paused"),
        (json!({"id": "dst_vvvvvvvvvvvvvvvv"}), "validation_failed", "/id"),
        (json!({"secret": "whsec_x"}), "validation_failed", "/secret"),
        (json!([]), "validation_failed", ""),
        (json!(7), "validation_failed", ""),
    ] {
        check_problem(patch(&world, &at, None, change).await, 422, code, Some(pointer));
    }
    assert_eq!(world.call(As::Account("acme"), "GET", &at, None).await, before);
    check_problem(
        patch(&world, "/v1/destinations/dst_vvvvvvvvvvvvvvvv", None, json!({})).await,
        404,
        "not_found",
        None,
    );
    let foreign = world.call(As::Account("rival"), "PATCH", &at, Some("{}")).await;
    check_problem(foreign, 404, "not_found", None);
    check_problem(world.call(As::Role("acme", "viewer"), "PATCH", &at, Some("{}")).await, 403, "forbidden", None);
}

#[tokio::test]
async fn whoever_read_an_older_version_is_told_so_and_changes_nothing() {
    let world = world().await;
    let destination = world.destination("acme").await;
    let (_, subscription) = world.subscription("acme", &destination).await;
    for (kind, created) in [("destinations", &destination), ("subscriptions", &subscription)] {
        let at = path(kind, created);
        let etag = world.etag("acme", &at).await;
        assert_eq!(patch(&world, &at, Some(&etag), json!({"name": "First"})).await.0, 200);
        check_problem(
            patch(&world, &at, Some(&etag), json!({"name": "Second"})).await,
            412,
            "precondition_failed",
            None,
        );
        let (_, read) = world.call(As::Account("acme"), "GET", &at, None).await;
        assert_eq!(read["name"], "First");
        let now = world.etag("acme", &at).await;
        assert_ne!(now, etag);
        assert_eq!(patch(&world, &at, Some("*"), json!({"name": "First"})).await.0, 200);
        assert_eq!(world.etag("acme", &at).await, now, "a patch that changes nothing makes no new version");
    }
    let rotate = format!("{}/secrets/rotate", path("destinations", &destination));
    let stale = world.call_with(As::Account("acme"), "POST", &rotate, Some(("if-match", "\"v1\"")), Some("{}")).await;
    check_problem(stale, 412, "precondition_failed", None);
}

/// Every operation of the document that changes something, at things that exist.
async fn operations(world: &World) -> Vec<(String, String, bool)> {
    let (_, document) = world.call(As::Nobody, "GET", "/v1/openapi.json", None).await;
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let named = parameters.filter_map(|parameter| parameter["name"].as_str());
            let versioned = named.into_iter().any(|name| name.eq_ignore_ascii_case("if-match"));
            if !["get", "head", "parameters"].contains(&method.as_str()) {
                found.push((method.to_uppercase(), path.clone(), versioned));
            }
        }
    }
    found
}

#[tokio::test]
async fn every_operation_looks_at_the_version_that_it_is_sent_or_refuses_it() {
    let world = world().await;
    let destination = world.destination("acme").await;
    let (_, subscription) = world.subscription("acme", &destination).await;
    let (mut looked, all) = (0, operations(&world).await);
    for (method, path, versioned) in &all {
        let thing = if path.starts_with("/v1/subscriptions") { &subscription } else { &destination };
        let at = path.replace("{id}", thing["id"].as_str().expect("an id")).replace("{account}", "acme");
        let who = if path.starts_with("/admin/") { As::Operator } else { As::Account("acme") };
        let body = match at.as_str() {
            "/v1/config" => r#"{"destinations": [], "subscriptions": []}"#,
            _ => "{}",
        };
        let answer = world.call_with(who, method, &at, Some(("if-match", "\"v999\"")), Some(body)).await;
        let (status, code) = if *versioned { (412, "precondition_failed") } else { (400, "invalid_parameter") };
        assert_eq!((answer.0, &answer.1["code"]), (status, &json!(code)), "{method} {path}: {}", answer.1);
        looked += usize::from(*versioned);
    }
    assert!(looked >= 8 && looked < all.len(), "{looked} of {}", all.len());
    // What there is not is told as that.
    for (method, at) in [("TRACE", "/v1/config"), ("PATCH", "/v1/config"), ("PUT", "/v1/destinations")] {
        let header = Some(("if-match", "\"v1\""));
        check_problem(
            world.call_with(As::Account("acme"), method, at, header, None).await,
            405,
            "method_not_allowed",
            None,
        );
    }
    let read = world.call(As::Account("acme"), "GET", &path("destinations", &destination), None).await;
    assert_eq!((read.0, &read.1["paused"]), (200, &json!(false)), "nothing was done");
}

#[tokio::test]
async fn what_nobody_else_changed_is_paused_and_deleted() {
    let world = world().await;
    let destination = world.destination("acme").await;
    let (_, subscription) = world.subscription("acme", &destination).await;
    let at = path("destinations", &destination);
    for action in ["pause", "resume"] {
        let etag = world.etag("acme", &at).await;
        let header = Some(("if-match", etag.as_str()));
        assert_eq!(world.call_with(As::Account("acme"), "POST", &format!("{at}/{action}"), header, None).await.0, 200);
        let stale = world.call_with(As::Account("acme"), "DELETE", &format!("{at}?cascade=true"), header, None).await;
        check_problem(stale, 412, "precondition_failed", None);
    }
    let of_subscription = path("subscriptions", &subscription);
    for at in [of_subscription, at] {
        let etag = world.etag("acme", &at).await;
        let deleted = world.call_with(As::Account("acme"), "DELETE", &at, Some(("if-match", &etag)), None).await;
        assert_eq!(deleted.0, 204, "{at}: {}", deleted.1);
    }
}

#[tokio::test]
async fn names_are_unique_in_their_account() {
    let world = world().await;
    let body = json!({"name": "Billing", "url": "https://example.com/"});
    assert_eq!(world.post("acme", "/v1/destinations", body.clone()).await.0, 201);
    check_problem(world.post("acme", "/v1/destinations", body.clone()).await, 409, "name_taken", Some("/name"));
    assert_eq!(world.post("rival", "/v1/destinations", body).await.0, 201);
    let other = world.destination("acme").await;
    let taken = patch(&world, &path("destinations", &other), None, json!({"name": "Billing"})).await;
    check_problem(taken, 409, "name_taken", Some("/name"));
    let (_, first) = world.subscription("acme", &other).await;
    let (_, second) = world.subscription("acme", &other).await;
    let taken = patch(&world, &path("subscriptions", &second), None, json!({"name": first["name"]})).await;
    check_problem(taken, 409, "name_taken", Some("/name"));
}

#[tokio::test]
async fn an_account_has_so_many_and_no_more() {
    let world = world().await;
    let destination = world.destination("acme").await;
    for _ in 1..5 {
        world.destination("acme").await;
    }
    let body = json!({"name": "one more", "url": "https://example.com/"});
    check_problem(world.post("acme", "/v1/destinations", body.clone()).await, 409, "limit_reached", None);
    assert_eq!(world.post("rival", "/v1/destinations", body).await.0, 201);
    for _ in 0..5 {
        assert_eq!(world.subscription("acme", &destination).await.0, 201);
    }
    check_problem(world.subscription("acme", &destination).await, 409, "limit_reached", None);
}

#[tokio::test]
async fn a_destination_in_use_goes_only_with_its_subscriptions() {
    let world = world().await;
    let (used, other) = (world.destination("acme").await, world.destination("acme").await);
    let (_, kept) = world.subscription("acme", &other).await;
    let (_, user) = world.subscription("acme", &used).await;
    world.subscription("acme", &used).await;
    let at = path("destinations", &used);
    let refused = world.call(As::Account("acme"), "DELETE", &at, None).await;
    assert!(refused.1["detail"].as_str().expect("a detail").contains(user["id"].as_str().expect("an id")));
    check_problem(refused, 409, "destination_in_use", None);
    for query in ["cascade=perhaps", "cascade=", "cascaded=true"] {
        let answer = world.call(As::Account("acme"), "DELETE", &format!("{at}?{query}"), None).await;
        assert_eq!((answer.0, &answer.1["code"]), (400, &json!("invalid_parameter")), "{query}");
    }
    let foreign = world.call(As::Account("rival"), "DELETE", &format!("{at}?cascade=true"), None).await;
    check_problem(foreign, 404, "not_found", None);
    assert_eq!(world.call(As::Account("acme"), "DELETE", &format!("{at}?cascade=true"), None).await.0, 204);
    let (_, left) = world.call(As::Account("acme"), "GET", "/v1/subscriptions", None).await;
    assert_eq!(
        left["data"].as_array().map(|all| all.iter().map(|s| s["id"].clone()).collect::<Vec<_>>()),
        Some(vec![kept["id"].clone()])
    );
    check_problem(world.call(As::Account("acme"), "DELETE", &at, None).await, 404, "not_found", None);
}

#[tokio::test]
async fn a_subscription_is_moved_and_filtered_by_a_patch() {
    let world = world().await;
    let (first, second) = (world.destination("acme").await, world.destination("acme").await);
    let (_, created) = world.subscription("acme", &first).await;
    let at = path("subscriptions", &created);
    let changes = json!({
        "destination_id": second["id"], "event_types": ["*"], "scope": "*", "path": null, "enabled": false,
        "condition": {"status": ["failed"]}, "transition": "broke"
    });
    let (status, changed) = patch(&world, &at, None, changes.clone()).await;
    assert_eq!(status, 200, "{changed}");
    for (field, value) in changes.as_object().expect("an object") {
        assert_eq!(changed[field], *value, "{field}");
    }
    for (change, pointer) in [
        (json!({"destination_id": "dst_vvvvvvvvvvvvvvvv"}), "/destination_id"),
        (json!({"event_types": []}), "/event_types"),
        (json!({"event_types": ["sync_run.exploded"]}), "/event_types/0"),
        (json!({"scope": "xero"}), "/scope"),
        (json!({"path": "//evil/.."}), "/path"),
        (json!({"transition": "exploded"}), "/transition"),
        (json!({"enabled": null, "name": null}), ""),
    ] {
        check_problem(patch(&world, &at, None, change).await, 422, "validation_failed", Some(pointer));
    }
    let foreign = world.destination("rival").await;
    let answer = patch(&world, &at, None, json!({"destination_id": foreign["id"]})).await;
    check_problem(answer, 422, "validation_failed", Some("/destination_id"));
    check_problem(world.call(As::Account("rival"), "PATCH", &at, Some("{}")).await, 404, "not_found", None);
    check_problem(world.call(As::Role("acme", "viewer"), "PATCH", &at, Some("{}")).await, 403, "forbidden", None);
    assert_eq!(world.call(As::Account("acme"), "DELETE", &path("destinations", &first), None).await.0, 204);
}

#[tokio::test]
async fn a_condition_that_can_never_match_is_pointed_at() {
    let world = world().await;
    let destination = world.destination("acme").await;
    for (condition, pointer) in [
        (json!({"status": "failed"}), "/condition/status"),
        (json!({"status": []}), "/condition/status"),
        (json!({"records": {"inserted": [{"numeric": [">", 5, "<", 3]}]}}), "/condition/records/inserted/0/numeric"),
        (json!({"status": [{"like": "f"}]}), "/condition/status/0/like"),
        (json!([]), "/condition"),
        (json!({}), "/condition"),
    ] {
        let body = json!({
            "name": "s", "destination_id": destination["id"], "event_types": ["*"], "scope": "*", "condition": condition
        });
        check_problem(world.post("acme", "/v1/subscriptions", body).await, 422, "validation_failed", Some(pointer));
    }
}

#[tokio::test]
async fn a_rotated_secret_is_shown_once_and_the_old_one_ends_with_the_overlap() {
    let world = world().await;
    let created = world.destination("acme").await;
    let at = path("destinations", &created);
    let rotate = format!("{at}/secrets/rotate");
    let (status, rotated) = world.post("acme", &rotate, json!({"overlap_seconds": 60})).await;
    assert_eq!(status, 200, "{rotated}");
    let secret = rotated["secret"].as_str().expect("a secret");
    assert_ne!(rotated["secret"], created["secret"]);
    assert_eq!(rotated["secrets"][0]["expires_at"], Value::Null);
    assert_eq!(rotated["secrets"][1]["fingerprint"], created["secrets"][0]["fingerprint"]);
    assert_ne!(rotated["secrets"][1]["expires_at"], Value::Null);
    let (_, read) = world.call(As::Account("acme"), "GET", &at, None).await;
    assert!(!read.to_string().contains(secret));
    assert_eq!(read["secrets"], rotated["secrets"]);
    world.clock.advance(Duration::from_secs(60));
    let (_, read) = world.call(As::Account("acme"), "GET", &at, None).await;
    assert_eq!(read["secrets"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_destination_that_cannot_be_read_can_be_deleted() {
    let world = world().await;
    let created = world.destination("acme").await;
    assert_eq!(world.subscription("acme", &created).await.0, 201);
    let at = path("destinations", &created);
    world.store.poison(created["id"].as_str().expect("an id"));
    check_problem(world.call(As::Account("acme"), "GET", &at, None).await, 500, "internal_error", None);
    check_problem(world.call(As::Account("acme"), "DELETE", &at, None).await, 409, "destination_in_use", None);
    assert_eq!(world.call(As::Account("acme"), "DELETE", &format!("{at}?cascade=true"), None).await.0, 204);
}

#[tokio::test]
async fn rotations_that_cannot_be_are_refused() {
    let world = world().await;
    let created = world.destination("acme").await;
    let rotate = format!("{}/secrets/rotate", path("destinations", &created));
    for (body, pointer) in [
        (json!({"overlap_seconds": 604_801}), "/overlap_seconds"),
        (json!({"a/b~": 1}), "/a~1b~0"),
        (json!({"overlap_seconds": -1}), "/overlap_seconds"),
        (json!({"overlap_seconds": "1 day"}), "/overlap_seconds"),
        (json!({"secret": "hunter2"}), "/secret"),
        (json!({"secret": created["secret"]}), "/secret"),
        (json!({"overlap": 1}), "/overlap"),
    ] {
        check_problem(world.post("acme", &rotate, body).await, 422, "validation_failed", Some(pointer));
    }
    for role in ["viewer", "editor", "publisher"] {
        check_problem(world.call(As::Role("acme", role), "POST", &rotate, Some("{}")).await, 403, "forbidden", None);
    }
    check_problem(world.post("rival", &rotate, json!({})).await, 404, "not_found", None);
    for expected in [200, 200, 409] {
        assert_eq!(world.post("acme", &rotate, json!({})).await.0, expected);
    }
    check_problem(world.post("acme", &rotate, json!({})).await, 409, "too_many_secrets", None);
    let (status, alone) = world.post("acme", &rotate, json!({"overlap_seconds": 0})).await;
    assert_eq!((status, alone["secrets"].as_array().map(Vec::len)), (200, Some(1)));
}
