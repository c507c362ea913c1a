//! `Idempotency-Key`: the same request under the same key is carried out once, and gets the same response again.

use std::time::Duration;

use domain::delivery::DeliveryState;
use ports::Deliveries;
use serde_json::{Value, json};
use testing::{account, record};

use crate::world::{As, World, check_problem, world};

const KEY: &str = "0d9a3f0e-7e0c-4c8e-9d0c-6a3a8a4b2c11";

impl World {
    /// Sends a `POST` under a key.
    async fn keyed(&self, who: As, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let body = (!body.is_null()).then(|| body.to_string());
        self.call_with(who, "POST", path, Some(("Idempotency-Key", key)), body.as_deref()).await
    }

    async fn keyed_destination(&self, key: &str, name: &str) -> (u16, Value) {
        self.keyed(As::Account("acme"), "/v1/destinations", key, &new_destination(name)).await
    }
}

fn new_destination(name: &str) -> Value {
    json!({"name": name, "url": "https://example.com/"})
}

#[tokio::test]
async fn the_same_request_under_the_same_key_is_carried_out_once() {
    let world = world().await;
    let destination = world.destination("acme").await;
    let (_, subscription) = world.subscription("acme", &destination).await;
    let [to, from] = [&destination, &subscription].map(|made| made["id"].as_str().expect("an id").to_owned());
    let stored = testing::destination(&account("acme"), 1, "https://example.com/");
    let owed = record(&stored, "evt-1", 1, DeliveryState::Exhausted);
    world.store.create_delivery(&owed).await.expect("recorded");
    let (acme, operator) = (|| As::Account("acme"), || As::Operator);
    let since = json!({"since": "2026-11-20T00:00:00Z"});
    let subscribed = json!({"name": "s", "destination_id": to, "event_types": ["*"], "scope": "*"});
    let set_up = json!({"destination": new_destination("set up"), "event_types": ["*"], "scope": "*"});
    let tested = json!({"event_type": "sync_run.completed"});
    let cases: [(&dyn Fn() -> As, String, Value, u16); 13] = [
        (&operator, "/admin/v1/accounts".into(), json!({"id": "new"}), 201),
        (&operator, "/admin/v1/accounts/acme/keys".into(), json!({"name": "ci", "role": "admin"}), 201),
        (&operator, "/admin/v1/accounts/acme/sessions".into(), json!({}), 201),
        (&acme, "/v1/destinations".into(), new_destination("created"), 201),
        (&acme, "/v1/subscriptions".into(), subscribed, 201),
        (&acme, "/v1/setups".into(), set_up, 201),
        (&acme, format!("/v1/destinations/{to}/secrets/rotate"), json!({}), 200),
        (&acme, format!("/v1/destinations/{to}/test"), tested, 200),
        (&acme, format!("/v1/destinations/{to}/recover"), since.clone(), 202),
        (&acme, format!("/v1/subscriptions/{from}/replay"), since, 202),
        (&acme, format!("/v1/deliveries/{}/cancel", owed.delivery.id), Value::Null, 409),
        (&acme, format!("/v1/destinations/{to}/pause"), Value::Null, 200),
        (&acme, format!("/v1/destinations/{to}/resume"), Value::Null, 200),
    ];
    for (who, path, body, status) in cases {
        let key = format!("key of {path}").replace(' ', "_");
        let first = world.keyed(who(), &path, &key, &body).await;
        assert_eq!(first.0, status, "{path}: {}", first.1);
        world.clock.advance(Duration::from_secs(3_600));
        world.store.take_calls();
        let second = world.keyed(who(), &path, &key, &body).await;
        assert_eq!(first, second, "{path}");
        let calls = world.store.take_calls();
        assert_eq!(calls == ["begin_request"], status < 400, "{path} did {calls:?}");
    }
    assert_eq!(world.sender.requests().len(), 1, "one test was made");
}

#[tokio::test]
async fn the_same_answer_has_the_secret_and_the_version_in_it() {
    let world = world().await;
    let (_, first) = world.keyed_destination(KEY, "one").await;
    let (status, again) = world.keyed_destination(KEY, "one").await;
    assert!(again["secret"].as_str().expect("a secret").starts_with("whsec_"));
    assert_eq!((status, &again), (201, &first));
    let (body, key) = (new_destination("one").to_string(), Some(("Idempotency-Key", KEY)));
    let event = world.event_with(As::Account("acme"), "POST", "/v1/destinations", key, Some(&body));
    let (_, headers, _) = world.answer(&event.to_string()).await;
    assert_eq!(headers["etag"], "\"v1\"");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["cache-control"], "no-store");
    // Without a key, and under another one, it is another request.
    check_problem(
        world.post("acme", "/v1/destinations", new_destination("one")).await,
        409,
        "name_taken",
        Some("/name"),
    );
    check_problem(world.keyed_destination("other", "one").await, 409, "name_taken", Some("/name"));
}

#[tokio::test]
async fn a_key_is_its_callers_own() {
    let world = world().await;
    let (_, mine) = world.keyed_destination(KEY, "one").await;
    // Another account, another API key of the account, and a caller whose role does not allow it.
    let body = new_destination("one");
    let (status, theirs) = world.keyed(As::Account("rival"), "/v1/destinations", KEY, &body).await;
    assert_eq!(status, 201);
    assert_ne!(mine["secret"], theirs["secret"]);
    let (text, key) = (body.to_string(), Some(("Idempotency-Key", KEY)));
    let mut event = world.event_with(As::Account("acme"), "POST", "/v1/destinations", key, Some(&text));
    event["requestContext"]["authorizer"]["lambda"]["key_id"] = json!("key_1111111111111111");
    check_problem(world.gateway(&event.to_string()).await, 409, "name_taken", Some("/name"));
    let viewer = As::Role("rival", "viewer");
    check_problem(
        world.keyed(viewer, "/v1/destinations", "new", &new_destination("two")).await,
        403,
        "forbidden",
        None,
    );
    check_problem(world.keyed(As::Nobody, "/v1/destinations", KEY, &body).await, 401, "unauthorized", None);
}

#[tokio::test]
async fn another_request_under_a_key_is_refused() {
    let world = world().await;
    let (_, created) = world.keyed_destination(KEY, "one").await;
    check_problem(world.keyed_destination(KEY, "two").await, 422, "idempotency_key_reused", None);
    let acme = || As::Account("acme");
    let elsewhere = world.keyed(acme(), "/v1/subscriptions", KEY, &new_destination("one")).await;
    check_problem(elsewhere, 422, "idempotency_key_reused", None);
    assert_eq!(world.keyed_destination(KEY, "one").await, (201, created), "the first one stands");
}

#[tokio::test]
async fn a_request_that_failed_is_forgotten_with_its_key() {
    let world = world().await;
    check_problem(world.keyed_destination(KEY, "").await, 422, "validation_failed", Some("/name"));
    world.store.fail("create_destination", 1);
    check_problem(world.keyed_destination(KEY, "one").await, 503, "unavailable", None);
    assert_eq!(world.keyed_destination(KEY, "two").await.0, 201);
    // If the key cannot be read, nothing is done.
    world.store.fail("begin_request", 1);
    check_problem(world.keyed_destination("other", "three").await, 503, "unavailable", None);
    assert_eq!(world.keyed_destination("other", "three").await.0, 201);
}

#[tokio::test]
async fn a_request_that_was_cut_off_holds_its_key_for_half_a_minute() {
    let world = world().await;
    world.store.fail("keep_answer", 1);
    assert_eq!(world.keyed_destination(KEY, "one").await.0, 201, "the answer is given nevertheless");
    for _ in 0..2 {
        check_problem(world.keyed_destination(KEY, "one").await, 409, "request_under_way", None);
        world.clock.advance(Duration::from_millis(29_999));
        check_problem(world.keyed_destination(KEY, "two").await, 422, "idempotency_key_reused", None);
        world.clock.advance(Duration::from_millis(1));
        // The request is carried out again, and finds the name that it took before.
        world.store.fail("forget_request", 1);
        check_problem(world.keyed_destination(KEY, "one").await, 409, "name_taken", Some("/name"));
    }
}

#[tokio::test]
async fn a_key_is_remembered_for_a_day() {
    let world = world().await;
    let (_, first) = world.keyed_destination(KEY, "one").await;
    world.clock.advance(Duration::from_secs(24 * 3_600 - 1));
    assert_eq!(world.keyed_destination(KEY, "one").await, (201, first));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.keyed_destination(KEY, "two").await.0, 201);
}

#[tokio::test]
async fn a_key_is_of_visible_characters_and_not_long() {
    let world = world().await;
    let most = "~".repeat(255);
    for wrong in ["", "a b", "é", "a\tb", &format!("{most}a")] {
        let (status, problem) = world.keyed_destination(wrong, "one").await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_parameter")), "{wrong:?}: {problem}");
        assert_eq!(problem["errors"][0]["parameter"], "Idempotency-Key");
    }
    for (n, right) in ["!", "\"quoted\"", &most].into_iter().enumerate() {
        assert_eq!(world.keyed_destination(right, &n.to_string()).await.0, 201, "{right}");
    }
}
