//! What the OpenAPI document says about bodies: their examples are accepted, and their defaults are true.

use serde_json::{Value, json};

use crate::world::{As, World, world};

async fn document(world: &World) -> Value {
    world.call(As::Nobody, "GET", "/v1/openapi.json", None).await.1
}

/// The operations that have a body: method, path, and its example.
fn bodies(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            if !operation["requestBody"].is_null() {
                found.push((method.to_uppercase(), path.clone(), example.clone()));
            }
        }
    }
    found
}

/// Replaces the ids in an example with those of existing resources.
fn about(mut example: Value, destination: &Value) -> Value {
    if example["destination_id"].is_string() {
        example["destination_id"] = destination["id"].clone();
    }
    example
}

#[tokio::test]
async fn the_example_of_every_body_is_accepted() {
    let bodies = bodies(&document(&world().await).await);
    assert!(bodies.len() >= 17, "{}", bodies.len());
    for (method, path, example) in bodies {
        let world = world().await;
        let destination = world.destination("acme").await;
        let (_, subscription) = world.subscription("acme", &destination).await;
        let rejected = world.reject("{", 30).await;
        let thing = match path.split('/').nth(2) {
            Some("subscriptions") => subscription["id"].as_str().expect("an id"),
            Some("v1") => rejected.rsplit('/').next().expect("an id"),
            _ => destination["id"].as_str().expect("an id"),
        };
        let at = path.replace("{id}", thing).replace("{account}", "acme");
        let who = if path.starts_with("/admin/") { As::Operator } else { As::Account("acme") };
        let mut body = about(example, &destination);
        if path == "/admin/v1/accounts" {
            body["id"] = json!("another");
        }
        let answer = world.call(who, &method, &at, Some(&body.to_string())).await;
        // No such link was ever offered.
        let accepted = if path == "/v1/sessions" { 401..402 } else { 200..300 };
        assert!(accepted.contains(&answer.0), "{method} {at} with {body}: {}", answer.1);
    }
}

#[tokio::test]
async fn what_is_left_out_is_what_the_document_says() {
    let world = world().await;
    let document = document(&world).await;
    let destination = world.destination("acme").await;
    let body = json!({"name": "s", "destination_id": destination["id"], "event_types": ["*"], "scope": "*"});
    let (_, subscription) = world.post("acme", "/v1/subscriptions", body).await;
    let at = format!("/v1/destinations/{}/recover", destination["id"].as_str().expect("an id"));
    let (_, recovery) = world.post("acme", &at, json!({"since": "2026-11-20T00:00:00Z"})).await;
    let mut told = 0;
    for (schema, made) in
        [("NewDestination", destination), ("NewSubscription", subscription), ("NewRecovery", recovery)]
    {
        for (field, property) in document["components"]["schemas"][schema]["properties"].as_object().expect("fields") {
            if let Some(default) = property.get("default") {
                assert_eq!(&made[field], default, "{schema}: {field}");
                told += 1;
            }
        }
    }
    assert_eq!(told, 6 + 5 + 1);
}
