//! The `webhooks` section of the OpenAPI document: the request that a destination gets, for each event type of the
//! catalogue.
//!
//! It is written as JSON, not with utoipa's types, because its schemas and samples come from the catalogue.

use domain::delivery::request::USER_AGENT;
use domain::event::{Event, EventType, envelope};
use domain::value::{AccountId, Timestamp};
use serde::de;
use serde_json::{Map, Value, json};

use super::SAMPLED_AT_MS;

/// Adds the section to the document. It can fail only if the catalogue is wrong, which the catalogue's tests detect.
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
            "{}\n\nRequests are signed as Standard Webhooks 1.0 describes. Deliveries are made at least once and in no guaranteed \
             order; `webhook-id` is the same on every repetition.",
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
                "description": "Received; it is not sent again. Respond within the destination's `timeout_seconds` (15 s by \
                    default, 30 s at most). The body of the response is ignored.",
            },
            "default": {
                "description": "A failure, which is tried again as the destination's `retry_policy` says: every other status (redirects too, \
                    which are never followed), a time-out, or a broken connection. `retry-after` lengthens the wait. `410` disables the \
                    destination; its deliveries are kept until its owner resumes it.",
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
            header(
                "webhook-id",
                delivery,
                "The id of the delivery, the same on every attempt. Remember it to recognize repetitions.",
            ),
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
                "One signature for each valid secret: `v1,` and the base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`.",
            ),
        ),
        ("webhook-event-type", header("webhook-event-type", event_type, "The body's `type`.")),
        (
            "webhook-attempt",
            header("webhook-attempt", from_one(1), "The number of the attempt of this delivery, from 1."),
        ),
        ("webhook-user-agent", header("user-agent", agent, "The name and version of the sender.")),
    ]
}

fn body(event_type: EventType) -> Result<Value, serde_json::Error> {
    let data: Value = serde_json::from_str(event_type.schema().get())?;
    let described = |schema: &str, description: &str| json!({ "$ref": format!("#/components/schemas/{schema}"), "description": description });
    Ok(json!({
        "type": "object",
        "required": ["id", "type", "timestamp", "account", "scope", "test", "data"],
        "properties": {
            "id": described("EventId", "The id of the event, the same for all destinations."),
            "type": { "const": event_type.as_str(), "description": "What happened." },
            "timestamp": described("Timestamp", "When it happened."),
            "account": described("AccountId", "The account that the event belongs to."),
            "scope": scope(event_type),
            "test": { "type": "boolean", "description": "Whether this is a requested sample, so nothing really happened." },
            "data": data,
        },
    }))
}

fn scope(event_type: EventType) -> Value {
    let form = event_type.scope_form();
    let named = ["connection", "endpoint", "insight"].into_iter().filter(|part| form.contains(part));
    let empty = named.clone().next().is_none();
    let description = if empty {
        "Empty, because the event is about the whole account.".to_owned()
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
