//! Examples of all bodies, and the defaults of fields. The defaults of settings come from the domain.
//!
//! Invariant: every body has an example, which is accepted (tests: `every_body_has_an_example`,
//! `the_example_of_every_body_is_accepted`).

use domain::destination::DestinationSettings;
use domain::event::{Event, EventType};
use domain::routing::SubscriptionSettings;
use domain::value::{AccountId, Timestamp};
use serde::Serialize;
use serde::de::{DeserializeOwned, Error};
use serde_json::{Value, json};

use super::SAMPLED_AT_MS;

/// Adds examples and defaults to the document.
pub fn complete(document: &mut Value) -> Result<(), serde_json::Error> {
    for (schema, defaults) in defaults()? {
        let properties = document["components"]["schemas"][schema]["properties"].as_object_mut();
        for (name, property) in properties.into_iter().flatten() {
            if let Some(default) = defaults.get(name) {
                property["default"] = default.clone();
            }
        }
    }
    let event = event()?;
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths.filter_map(Value::as_object_mut).flat_map(|item| item.values_mut()) {
        let Some(example) = operation["operationId"].as_str().and_then(|id| example(id, &event)) else { continue };
        for content in operation["requestBody"]["content"].as_object_mut().into_iter().flat_map(|all| all.values_mut())
        {
            content["example"] = example.clone();
        }
    }
    Ok(())
}

/// The defaults of fields, by schema.
fn defaults() -> Result<Vec<(&'static str, Value)>, serde_json::Error> {
    let destination =
        filled::<DestinationSettings>(&json!({"name": "d", "url": "https://example.com/"}), &["name", "url"])?;
    let least = json!({"name": "s", "destination_id": "dst_0000000000000000", "event_types": ["*"], "scope": "*"});
    let subscription = filled::<SubscriptionSettings>(&least, &["name", "destination_id", "event_types", "scope"])?;
    Ok(vec![
        ("NewDestination", destination.clone()),
        ("ConfiguredDestination", destination),
        ("NewSubscription", subscription.clone()),
        ("ConfiguredSubscription", subscription),
        ("NewSetup", json!({"condition": null, "transition": null, "path": null, "test": null})),
        ("WantedTest", json!({"prove": false})),
        ("NewTest", json!({"path": null, "prove": false})),
        ("NewSession", json!({"role": "editor", "scope": null, "expires_in_seconds": 300})),
        ("NewRecovery", json!({"statuses": ["pending", "retrying", "parked", "exhausted"]})),
        ("Rotation", json!({"overlap_seconds": 86_400})),
    ])
}

/// The fields that the domain fills in when a body has only the required ones.
fn filled<T: Serialize + DeserializeOwned>(least: &Value, required: &[&str]) -> Result<Value, serde_json::Error> {
    let mut settings = serde_json::to_value(T::deserialize(least)?)?;
    if let Some(fields) = settings.as_object_mut() {
        fields.retain(|name, _| !required.contains(&name.as_str()));
    }
    Ok(settings)
}

/// An event as it is posted.
fn event() -> Result<Value, serde_json::Error> {
    let account: AccountId = "acme".parse().map_err(serde_json::Error::custom)?;
    let event_type: EventType = "sync_run.completed".parse().map_err(serde_json::Error::custom)?;
    let at = Timestamp::from_unix_ms(SAMPLED_AT_MS);
    let sample = Event::sample(event_type, Some("succeeded"), account, at).map_err(serde_json::Error::custom)?;
    let data: Value = serde_json::from_str(sample.data.get())?;
    Ok(json!({"id": "evt-sync-run-41907", "type": event_type, "scope": sample.scope, "data": data}))
}

/// An example of the body of an operation.
fn example(operation: &str, event: &Value) -> Option<Value> {
    let since = "2026-11-20T00:00:00Z";
    Some(match operation {
        "create_account" => json!({"id": "acme"}),
        "create_key" => json!({"name": "ci", "role": "admin"}),
        "create_session" => json!({"role": "editor", "scope": "connection/xero", "expires_in_seconds": 600}),
        "open_session" => json!({"token": "whl_acme.6h2k9q1n7c0dmv3b.Qm9vLi4"}),
        "resubmit_rejected_event" => {
            let mut whole = event.clone();
            (whole["account"], whole["occurred_at"]) = (json!("acme"), event["data"]["completed_at"].clone());
            whole
        }
        "create_destination" => json!({"name": "Billing", "url": "https://billing.example/hooks"}),
        "change_destination" => json!({"timeout_seconds": 20, "headers": {"x-team": "data"}}),
        "recover_destination" => json!({"since": since, "statuses": ["exhausted"]}),
        "rotate_secret" => json!({"overlap_seconds": 3_600}),
        "test_destination" => json!({"event_type": "sync_run.completed", "status": "failed", "prove": true}),
        "create_subscription" => json!({
            "name": "Failed runs", "destination_id": "dst_img480bv82vq4si5", "event_types": ["sync_run.completed"],
            "scope": "connection/xero", "condition": {"status": ["failed"]}
        }),
        "change_subscription" => json!({"condition": {"status": ["failed", "partial"]}, "transition": "broke"}),
        "replay_subscription" => json!({"since": since}),
        "match_subscriptions" => json!({"sample": {"event_type": "sync_run.completed", "status": "failed"}}),
        "create_setup" => json!({
            "destination": {"name": "Warehouse", "url": "https://warehouse.example/hooks"},
            "event_types": ["sync_run.completed"], "scope": "connection/xero", "test": {"status": "failed"}
        }),
        "put_config" => json!({
            "destinations": [{"name": "Billing", "url": "https://billing.example/hooks"}],
            "subscriptions": [{
                "name": "Failed runs", "destination": "Billing", "event_types": ["sync_run.completed"], "scope": "connection/xero",
                "condition": {"status": ["failed"]}
            }]
        }),
        "publish_event" => event.clone(),
        _ => return None,
    })
}
