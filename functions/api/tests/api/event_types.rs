//! The responses of the catalogue's two routes.

use domain::event::{Event, EventType};
use domain::value::Timestamp;
use serde_json::{Value, json};

use crate::world::{As, check_problem, world};

async fn get(path: &str) -> (u16, Value) {
    world().await.call(As::Account("acme"), "GET", path, None).await
}

#[tokio::test]
async fn the_list_tells_every_type_of_the_catalogue_on_one_page() {
    let (status, list) = get("/v1/event-types").await;
    assert_eq!((status, &list["next_cursor"], &list["has_more"]), (200, &Value::Null, &json!(false)));
    let listed: Vec<_> = list["data"].as_array().expect("a list").iter().map(|t| t["event_type"].clone()).collect();
    assert_eq!(json!(listed), json!(EventType::all().collect::<Vec<_>>()));
    let sync_run = list["data"].as_array().expect("a list").iter().find(|t| t["event_type"] == "sync_run.completed");
    let sync_run = sync_run.expect("the type");
    assert_eq!(sync_run["title"], "Sync run completed");
    assert_eq!(sync_run["scope_form"], "connection/<id>/endpoint/<id>");
    assert_eq!(sync_run["statuses"], json!(["succeeded", "failed", "partial"]));
    assert!(sync_run["description"].as_str().is_some_and(|text| text.contains("ended")));
    assert_eq!(sync_run.get("schema"), None);
    let operational = list["data"].as_array().expect("a list").iter().filter(|t| t["operational"] == true);
    let operational: Vec<_> = operational.map(|t| (t["event_type"].clone(), t["scope_form"].clone())).collect();
    let expected = [
        "delivery.exhausted",
        "delivery.expiring",
        "destination.disabled",
        "destination.failing",
        "destination.recovered",
    ];
    assert_eq!(operational, expected.map(|name| (json!(name), json!("*"))));
}

#[tokio::test]
async fn a_type_is_told_with_its_schema_and_a_whole_body_for_each_status() {
    for event_type in EventType::all() {
        let (status, read) = get(&format!("/v1/event-types/{event_type}")).await;
        assert_eq!((status, &read["event_type"]), (200, &json!(event_type)));
        assert_eq!(read["schema"]["$schema"], "https://json-schema.org/draft/2020-12/schema");
        let samples = read["samples"].as_object().expect("samples");
        assert_eq!(samples.len(), event_type.statuses().count());
        for status in event_type.statuses() {
            let body = &samples[status];
            assert_eq!(
                (&body["test"], &body["account"], &body["type"]),
                (&json!(true), &json!("acme"), &json!(event_type))
            );
            assert_eq!(body["data"]["status"], status);
            assert_eq!(body["scope"]["connection"], body["data"]["connection"]["id"]);
        }
    }
}

/// A sample can be pushed, once its scope and time have the producer's names.
#[tokio::test]
async fn the_data_of_a_sample_is_accepted_as_an_event() {
    let (_, read) = get("/v1/event-types/sync_run.completed").await;
    let body = &read["samples"]["failed"];
    let event = json!({
        "id": body["id"], "type": body["type"], "account": body["account"], "data": body["data"],
        "scope": "connection/xero/endpoint/invoices", "occurred_at": body["timestamp"]
    });
    let now = Timestamp::parse(body["timestamp"].as_str().expect("a time")).expect("a time");
    let accepted = Event::parse(&event.to_string(), now).map_err(|rejection| rejection.detail);
    assert!(accepted.is_ok(), "{accepted:?}");
}

#[tokio::test]
async fn an_unknown_type_another_method_and_whoever_may_not_read_are_refused() {
    check_problem(get("/v1/event-types/sync_run.exploded").await, 404, "not_found", None);
    check_problem(get("/v1/event-types/%2A").await, 404, "not_found", None);
    let world = world().await;
    for path in ["/v1/event-types", "/v1/event-types/sync_run.completed"] {
        check_problem(world.call(As::Nobody, "GET", path, None).await, 401, "unauthorized", None);
        check_problem(world.call(As::Role("acme", "publisher"), "GET", path, None).await, 403, "forbidden", None);
        assert_eq!(world.call(As::Role("acme", "viewer"), "GET", path, None).await.0, 200);
        check_problem(world.call(As::Operator, "GET", path, None).await, 401, "unauthorized", None);
        check_problem(world.call(As::Account("acme"), "POST", path, Some("{}")).await, 405, "method_not_allowed", None);
    }
}
