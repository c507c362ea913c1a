//! The `webhooks` section of the OpenAPI document: the request that a destination gets, for each event type of the
//! catalogue.
//!
//! It is written as JSON instead of utoipa's types because its schemas and samples come from the catalogue.

use domain::delivery::request::USER_AGENT;
use domain::event::{Event, EventType, envelope};
use domain::value::{AccountId, Timestamp};
use serde::de;
use serde_json::{Map, Value, json};

use super::SAMPLED_AT_MS;

/// Adds the section to the document. It can only fail if the catalogue is wrong, and then its tests fail before.
pub fn add(document: &mut Value) -> Result<(), serde_json::Error> {
    for (name, parameter) in headers() {
        document["components"]["parameters"][name] = parameter;
    }
    for event_type in EventType::all() {
        document["webhooks"][event_type.as_str()] = json!({ "post": operation(event_type)? });
    }
    Ok(())
}

fn operation(event_type: EventType) -> Result<Value, serde_json::Error> {
    let parameters = headers().map(|(name, _)| json!({ "$ref": format!("#/components/parameters/{name}") })).to_vec();
    Ok(json!({
        "operationId": format!("receive_{}", event_type.as_str().replace('.', "_")),
        "tags": ["webhooks"],
        "summary": event_type.title(),
        "description": format!(
            "{}\n\nSigned after Standard Webhooks 1.0. Deliveries are at least once and in no order; `webhook-id` is the same on \
             every repetition.",
            event_type.description()
        ),
        "security": [],
        "parameters": parameters,
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": body(event_type)?, "examples": examples(event_type)? } },
        },
        "responses": {
            "2XX": {
                "description": "Received. It is not sent again. Answer within the destination's `timeout_seconds`: 15 s unless it is \
                    set, 30 s at most. What the answer says is not looked at.",
            },
            "default": {
                "description": "A failure, tried again by the destination's `retry_policy`: every other status (redirects too, which \
                    are never followed), a time-out, a broken connection. `retry-after` lengthens the wait. `410` disables the \
                    destination, and what it is owed is kept until its owner resumes it.",
            },
        },
    }))
}

fn headers() -> [(&'static str, Value); 6] {
    let header = |name: &str, schema: Value, description: &str| json!({ "name": name, "in": "header", "required": true, "schema": schema, "description": description });
    let delivery = json!({ "$ref": "#/components/schemas/DeliveryId" });
    let event_type = json!({ "$ref": "#/components/schemas/EventType" });
    let signatures = json!({ "type": "string", "pattern": "^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)*$" });
    let from_one = |start: u64| json!({ "type": "integer", "minimum": start });
    let agent = json!({ "type": "string", "examples": [USER_AGENT] });
    [
        (
            "webhook-id",
            header("webhook-id", delivery, "The delivery: the same on every attempt. Remember it to know repetitions."),
        ),
        (
            "webhook-timestamp",
            header("webhook-timestamp", from_one(0), "When this attempt was made, in whole seconds since 1970."),
        ),
        (
            "webhook-signature",
            header(
                "webhook-signature",
                signatures,
                "One signature for each live secret: `v1,` and the base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`.",
            ),
        ),
        ("webhook-event-type", header("webhook-event-type", event_type, "The body's `type`.")),
        ("webhook-attempt", header("webhook-attempt", from_one(1), "Which attempt of the delivery this is, from 1.")),
        ("webhook-user-agent", header("user-agent", agent, "Who is calling, with the version.")),
    ]
}

fn body(event_type: EventType) -> Result<Value, serde_json::Error> {
    let data: Value = serde_json::from_str(event_type.schema().get())?;
    let described = |schema: &str, description: &str| json!({ "$ref": format!("#/components/schemas/{schema}"), "description": description });
    Ok(json!({
        "type": "object",
        "required": ["id", "type", "timestamp", "account", "scope", "test", "data"],
        "properties": {
            "id": described("EventId", "The event: the same for all destinations it goes to."),
            "type": { "const": event_type.as_str(), "description": "What happened." },
            "timestamp": described("Timestamp", "When it happened."),
            "account": described("AccountId", "Whose event it is."),
            "scope": scope(event_type),
            "test": { "type": "boolean", "description": "Whether this is a sample that was asked for: nothing happened then." },
            "data": data,
        },
    }))
}

fn scope(event_type: EventType) -> Value {
    let form = event_type.scope_form();
    let named = ["connection", "endpoint", "insight"].into_iter().filter(|part| form.contains(part));
    let empty = named.clone().next().is_none();
    let description = if empty {
        "Empty: it is about the whole account.".to_owned()
    } else {
        format!("Where it happened: the ids in `{form}`.")
    };
    let properties = named.clone().map(|part| (part.to_owned(), json!({ "type": "string" }))).collect::<Map<_, _>>();
    json!({
        "type": "object",
        "description": description,
        "required": named.collect::<Vec<_>>(),
        "properties": properties,
    })
}

/// The bodies of test payloads, by status.
fn examples(event_type: EventType) -> Result<Value, serde_json::Error> {
    let account: AccountId = "acme".parse().map_err(de::Error::custom)?;
    let example = |status: &'static str| {
        let sample = Event::sample(event_type, Some(status), account.clone(), Timestamp::from_unix_ms(SAMPLED_AT_MS));
        let body = envelope::build_test(&sample.map_err(de::Error::custom)?)?;
        Ok((status.to_owned(), json!({ "value": body })))
    };
    event_type.statuses().map(example).collect::<Result<Map<_, _>, _>>().map(Value::Object)
}
