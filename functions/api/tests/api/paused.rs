//! What is told of a destination that is paused: that, and beside it what it would be otherwise.

use std::time::Duration;

use domain::destination::{DisabledReason, Drain, Health, HealthState};
use domain::value::Timestamp;
use ports::{Clock, DestinationHealth, FindDestination};
use serde_json::{Value, json};
use testing::account;

use crate::recovery::{target, with_destination};
use crate::world::{As, World, check_problem, world};

const FIELDS: [&str; 5] = ["health", "failing_since", "next_probe_at", "disabled_reason", "held_until"];

/// Whether it is paused, what else is told of it, and whether it is drained.
async fn told(world: &World) -> (Value, [Value; 5], Value) {
    let path = format!("/v1/destinations/{}", target(1).id);
    let (status, body) = world.call(As::Account("acme"), "GET", &path, None).await;
    assert_eq!(status, 200, "{body}");
    (body["paused"].clone(), FIELDS.map(|field| body[field].clone()), body["draining"].clone())
}

async fn set(world: &World, health: &Health) {
    let id = target(1).id;
    let before = world.store.find_destination(&account("acme"), &id).await.expect("an answer").expect("it");
    let health = Health { version: before.health.version + 1, ..health.clone() };
    assert!(world.store.update_health(&before, &health).await.expect("an answer"));
}

#[tokio::test]
async fn what_a_destination_is_does_not_depend_on_whether_it_is_paused() {
    let world = with_destination().await;
    let (since, now) = (Timestamp::from_unix_ms(1), world.clock.now());
    let later = now.plus(Duration::from_secs(60));
    let of = |state| Health { state, ..Health::default() };
    let held = |until| {
        let drain = Some(Drain { since: until, next_at: until });
        Health { held_until: Some(until), drain, ..Health::default() }
    };
    let failing = HealthState::Failing { since, probes: 1, next_probe_at: later, half_open: false };
    let gone = HealthState::Disabled { since, reason: DisabledReason::Gone };
    let null = Value::Null;
    let healthy = |until| [json!("healthy"), Value::Null, Value::Null, Value::Null, until];
    for (health, expected, while_paused) in [
        (Health::default(), healthy(Value::Null), healthy(Value::Null)),
        (
            of(failing),
            [json!("failing"), json!(since), json!(later), null.clone(), null.clone()],
            // It is not probed meanwhile.
            [json!("failing"), json!(since), null.clone(), null.clone(), null.clone()],
        ),
        (
            of(gone),
            [json!("disabled"), json!(since), null.clone(), json!("gone"), null.clone()],
            [json!("disabled"), json!(since), null.clone(), json!("gone"), null.clone()],
        ),
        (held(later), healthy(json!(later)), healthy(json!(later))),
        // What it asked for has passed. Nobody looks at that while it is paused.
        (held(now), healthy(json!(now)), healthy(null.clone())),
    ] {
        set(&world, &health).await;
        assert_eq!(told(&world).await, (json!(false), expected, json!(false)));
        world.post("acme", &format!("/v1/destinations/{}/pause", target(1).id), Value::Null).await;
        assert_eq!(told(&world).await, (json!(true), while_paused, json!(false)));
        world.post("acme", &format!("/v1/destinations/{}/resume", target(1).id), Value::Null).await;
    }
}

#[tokio::test]
async fn a_body_that_says_enabled_of_a_destination_is_told_of_paused_and_changes_nothing() {
    let world = world().await;
    let created = world.destination("acme").await;
    let at = format!("/v1/destinations/{}", created["id"].as_str().expect("an id"));
    let former = json!({"name": "d", "url": "https://example.com/", "enabled": false});
    let set_up = json!({"destination": former, "event_types": ["*"], "scope": "*"});
    let document = json!({"destinations": [former], "subscriptions": []});
    for (method, path, body, pointer) in [
        ("POST", "/v1/destinations", &former, "/enabled"),
        ("PATCH", &at, &json!({"enabled": true}), "/enabled"),
        ("PATCH", &at, &json!({"enabled": false, "paused": true}), "/enabled"),
        ("POST", "/v1/setups", &set_up, "/destination/enabled"),
        ("PUT", "/v1/config", &document, "/destinations/0/enabled"),
    ] {
        let answer = world.call(As::Account("acme"), method, path, Some(&body.to_string())).await;
        let detail = answer.1["errors"][0]["detail"].as_str().unwrap_or_default().to_owned();
        assert!(
            detail.starts_with("unknown field `enabled`, expected one of") && detail.contains("`paused`"),
            "{detail}"
        );
        check_problem(answer, 422, "validation_failed", Some(pointer));
    }
    let (_, all) = world.call(As::Account("acme"), "GET", "/v1/destinations", None).await;
    assert_eq!((all["data"].as_array().map(Vec::len), &all["data"][0]["paused"]), (Some(1), &json!(false)));
}
