//! Tests of the section of destinations.

mod acted;
mod edited;
mod shown;

use domain::destination::Destination;
use domain::value::DestinationId;
use ports::{Destinations, FindDestination};
use serde_json::{Value, json};
use testing::account;

use crate::world::World;

/// The fields that the form of a destination sends, with these changes.
pub fn form<'a>(etag: &'a str, other: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let usual = [
        ("etag", etag),
        ("name", "Billing"),
        ("url", "https://example.com/hooks"),
        ("description", ""),
        ("headers", ""),
        ("timeout_seconds", "15"),
        ("rate_limit", ""),
        ("retry", "standard"),
        ("waits", ""),
    ];
    usual.map(|(name, value)| other.iter().copied().find(|(n, _)| *n == name).unwrap_or((name, value))).into()
}

pub async fn read(world: &World, id: &str) -> Value {
    world.call("acme", "GET", &format!("/v1/destinations/{id}"), Value::Null).await.1
}

pub async fn change(world: &World, id: &str, to: Value) {
    let (status, changed) = world.call("acme", "PATCH", &format!("/v1/destinations/{id}"), to).await;
    assert_eq!(status, 200, "{changed}");
}

pub async fn subscribe(world: &World, name: &str, destination: &str) -> String {
    let body =
        json!({ "name": name, "destination_id": destination, "event_types": ["sync_run.completed"], "scope": "*" });
    let (status, created) = world.call("acme", "POST", "/v1/subscriptions", body).await;
    assert_eq!(status, 201, "{created}");
    created["id"].as_str().expect("an id").to_owned()
}

/// Sets the health of a destination to a state that no request leads to.
pub async fn health(world: &World, id: &str, to: impl FnOnce(&mut Destination)) {
    let id: DestinationId = id.parse().expect("an id");
    let before = world.store.find_destination(&account("acme"), &id).await.expect("an answer").expect("there");
    let mut after = before.clone();
    to(&mut after);
    after.version += 1;
    after.health.version += 1;
    world.store.update_destination(&before, &after).await.expect("updated");
}
