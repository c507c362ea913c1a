//! If a request is logged as a change by a page session, it made this change.

use std::time::Duration;

use domain::delivery::DeliveryState;
use domain::value::Timestamp;
use ports::Destinations;
use serde_json::{Value, json};
use testing::{Log, account, event_text, held};

use crate::deliveries::{deliver, target};
use crate::events::seal;
use crate::named_lists::store;
use crate::world::{As, World, roomy_world, world};

/// A session that is open.
struct Session<'a> {
    world: &'a World,
    id: String,
    log: Log,
}

impl<'a> Session<'a> {
    async fn open(world: &'a World) -> Self {
        let (id, link) = world.offered_to("Jane Doe").await;
        assert_eq!(world.open(&link).await.0, 201);
        Self { world, id, log: Log::default() }
    }

    /// The response, and whether a change was logged.
    async fn ask(&self, method: &str, path: &str, key: Option<&str>, body: Value) -> (u16, Value, bool) {
        let body = (!body.is_null()).then(|| body.to_string());
        let header = key.map(|key| ("Idempotency-Key", key));
        let mut event = self.world.event_with(As::Account("acme"), method, path, header, body.as_deref());
        event["requestContext"]["authorizer"]["lambda"]["session_id"] = json!(self.id);
        let logging = self.log.start();
        let (status, answer) = self.world.gateway(&event.to_string()).await;
        drop(logging);
        let lines = self.log.lines();
        let changes = lines.iter().filter(|line| line["message"] == "a page session changed something");
        (status, answer, changes.count() == 1)
    }

    /// Sends the same request twice, of which only the first changes something; returns the second response.
    async fn twice(&self, method: &str, path: &str, key: Option<&str>, body: Value) -> Value {
        let first = self.ask(method, path, key, body.clone()).await;
        self.world.clock.advance(Duration::from_millis(1));
        let second = self.ask(method, path, key, body).await;
        assert!((200..300).contains(&first.0), "{path}: {}", first.1);
        assert_eq!((first.0, second.0), (first.0, first.0), "{path}: {}", second.1);
        assert_eq!((first.2, second.2), (true, false), "{method} {path}: {}", second.1);
        second.1
    }

    async fn nothing(&self, method: &str, path: &str, body: Value) {
        let (status, answer, logged) = self.ask(method, path, None, body).await;
        assert!((200..300).contains(&status), "{path}: {answer}");
        assert!(!logged, "{method} {path}: {answer}");
    }
}

fn id(made: &Value) -> &str {
    made["id"].as_str().expect("an id")
}

#[tokio::test]
async fn what_changes_nothing_is_not_logged_as_a_change() {
    let world = world().await;
    let session = Session::open(&world).await;
    let created = json!({"name": "d", "url": "https://example.com/"});
    let destination = session.twice("POST", "/v1/destinations", Some("key-1"), created).await;
    let (_, subscription) = world.subscription("acme", &destination).await;
    let destination = format!("/v1/destinations/{}", id(&destination));
    let subscription = format!("/v1/subscriptions/{}", id(&subscription));
    session.twice("PATCH", &destination, None, json!({"description": "new"})).await;
    session.twice("PATCH", &subscription, None, json!({"path": "/other"})).await;
    session.twice("POST", &format!("{destination}/pause"), None, Value::Null).await;
    session.nothing("POST", "/v1/subscriptions/match", json!({"sample": {"event_type": "sync_run.completed"}})).await;

    let since = json!({"since": "2026-11-20T00:00:00Z"});
    session.twice("POST", &format!("{destination}/recover"), None, since.clone()).await;
    session.twice("POST", &format!("{subscription}/replay"), None, since).await;

    let (_, mut config) = world.call(As::Account("acme"), "GET", "/v1/config", None).await;
    session.nothing("PUT", "/v1/config?dry_run=true", json!({"destinations": [], "subscriptions": []})).await;
    session.nothing("PUT", "/v1/config", config.clone()).await;
    config["destinations"][0]["description"] = json!("newer");
    session.nothing("PUT", "/v1/config?dry_run=true", config.clone()).await;
    session.twice("PUT", "/v1/config", None, config).await;
}

#[tokio::test]
async fn what_was_sent_or_cancelled_before_is_not_logged_as_a_change() {
    let world = world().await;
    let session = Session::open(&world).await;
    world.store.create_destination(&target(1), 100).await.expect("created");
    // The test clock is a minute after the samples occurred.
    let due = DeliveryState::Retrying { due_at: Timestamp::from_unix_ms(1_795_426_140_000 + 600_000) };
    for (n, what) in ["cancel", "resend"].into_iter().enumerate() {
        let delivery = deliver(&world, 1, &format!("evt-{n}"), n as u64, |record| record.held = held(due)).await;
        session.twice("POST", &format!("/v1/deliveries/{}/{what}", delivery.delivery.id), None, Value::Null).await;
    }
    let paused = format!("/v1/destinations/{}/pause", target(1).id);
    session.twice("POST", &paused, None, Value::Null).await;
    let waiting = deliver(&world, 1, "evt-3", 3, |record| record.held = held(due)).await;
    let again = format!("/v1/deliveries/{}/resend", waiting.delivery.id);
    assert_eq!(session.twice("POST", &again, None, Value::Null).await["result"], "set_aside");

    seal(&world, "evt-9", 0, "connection/xero/endpoint/invoices", 0).await;
    session.nothing("POST", "/v1/events/evt-9/replay", Value::Null).await;
    let pushed = |id: &str| serde_json::from_str::<Value>(&event_text(&account("acme"), id)).expect("JSON");
    assert_eq!(session.ask("POST", "/v1/events", None, pushed("evt-9")).await.1["status"], "duplicate");
    session.nothing("POST", "/v1/events", pushed("evt-9")).await;
    assert!(session.ask("POST", "/v1/events", None, pushed("evt-10")).await.2, "it is sent");
}

#[tokio::test]
async fn what_was_changed_before_a_problem_is_logged() {
    let world = roomy_world().await;
    let session = Session::open(&world).await;
    let config = json!({
        "destinations": [{"name": "d", "url": "https://example.com/"}],
        "subscriptions": [{"name": "s", "destination": "d", "event_types": ["*"], "scope": "*"}]
    });
    for (failing, changed) in [("create_destination", false), ("create_subscription", true)] {
        world.store.fail(failing, 1);
        let (status, answer, logged) = session.ask("PUT", "/v1/config", None, config.clone()).await;
        assert_eq!((status, logged), (503, changed), "{failing}: {answer}");
    }
    // If nothing was changed before the step that fails, no change is logged.
    world.store.fail("create_subscription", 1);
    let (status, answer, logged) = session.ask("PUT", "/v1/config", None, config).await;
    assert_eq!((status, answer["done"][0]["action"].as_str(), logged), (503, Some("unchanged"), false), "{answer}");

    let destination = world.destination("acme").await;
    for number in 0..501 {
        store(&world, number, &destination).await;
    }
    let path = format!("/v1/destinations/{}", id(&destination));
    let (status, _, logged) = session.ask("DELETE", &path, None, Value::Null).await;
    assert_eq!((status, logged), (409, false));
    let path = format!("{path}?cascade=true");
    let (status, _, logged) = session.ask("DELETE", &path, None, Value::Null).await;
    assert_eq!((status, logged), (409, true), "500 subscriptions are deleted");
    assert_eq!(session.ask("DELETE", &path, None, Value::Null).await.0, 204);
}
