//! The responses of the API, their access rules and their problems.

use std::collections::BTreeSet;
use std::time::Duration;

use api::MAX_BODY_BYTES;
use domain::value::AccountId;
use ports::{FindDestination, Vault};
use serde_json::{Value, json};
use testing::{PlainVault, account};

use crate::world::{As, check_problem, world, world_known_as};

#[tokio::test]
async fn the_samples_are_answered() {
    let world = world().await;
    let created = world
        .gateway(&include_str!("../../../../events/api-create-account.json").replace("\\\"acme\\\"", "\\\"new\\\""))
        .await;
    assert_eq!((created.0, &created.1["id"]), (201, &json!("new")));
    let key = world.gateway(include_str!("../../../../events/api-create-key.json")).await;
    assert_eq!(key.0, 201);
    let (text, prefix) = (key.1["key"].as_str().expect("a key"), key.1["prefix"].as_str().expect("a prefix"));
    assert!(text.starts_with(&format!("{prefix}.")) && prefix.starts_with("whk_acme."));
    let destination = world.gateway(include_str!("../../../../events/api-create-destination.json")).await;
    assert_eq!(destination.0, 201);
    let list = world.gateway(include_str!("../../../../events/api-list-destinations.json")).await;
    assert_eq!((list.0, list.1["data"].as_array().map(Vec::len)), (200, Some(1)));
    check_problem(
        world.gateway(include_str!("../../../../events/api-private-address.json")).await,
        422,
        "blocked_address",
        Some("/url"),
    );
    let subscription = include_str!("../../../../events/api-create-subscription.json");
    check_problem(world.gateway(subscription).await, 422, "validation_failed", Some("/destination_id"));
    let id = destination.1["id"].as_str().expect("an id");
    assert_eq!(world.gateway(&subscription.replace("dst_040g2081040g2081", id)).await.0, 201);
    assert_eq!(world.gateway(include_str!("../../../../events/api-post-event.json")).await.0, 202);
    assert_eq!(world.queue.take_events().len(), 1);
}

#[tokio::test]
async fn a_secret_is_shown_on_creation_only_and_kept_sealed() {
    let world = world().await;
    let created = world.destination("acme").await;
    let secret = created["secret"].as_str().expect("a secret");
    let (_, read) = world
        .call(As::Account("acme"), "GET", &format!("/v1/destinations/{}", created["id"].as_str().expect("an id")), None)
        .await;
    assert_eq!(read["secret"], Value::Null);
    let (_, list) = world.call(As::Account("acme"), "GET", "/v1/destinations", None).await;
    assert!(!list.to_string().contains(secret));

    let acme: AccountId = account("acme");
    let id = created["id"].as_str().expect("an id").parse().expect("an id");
    let stored = world.store.find_destination(&acme, &id).await.expect("an answer").expect("the destination");
    let opened = PlainVault.open(&acme, &id, &stored.secrets[0].sealed).await.expect("opened");
    assert_eq!(opened.reveal().as_str(), secret);
}

#[tokio::test]
async fn a_given_secret_is_kept_and_a_wrong_one_is_not_repeated() {
    let world = world().await;
    let given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (status, created) = world
        .post("acme", "/v1/destinations", json!({"name": "d", "url": "https://example.com", "secret": given}))
        .await;
    assert_eq!((status, created["secret"].as_str()), (201, Some(given)));
    let wrong = json!({"name": "d", "url": "https://example.com", "secret": "hunter2"});
    let answer = world.post("acme", "/v1/destinations", wrong).await;
    assert!(!answer.1.to_string().contains("hunter2"));
    check_problem(answer, 422, "validation_failed", Some("/secret"));
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_pointed_at() {
    let world = world().await;
    let url = |url: &str| json!({"name": "d", "url": url});
    for (body, code, pointer) in [
        (json!({"name": "d"}), "validation_failed", ""),
        (json!({"name": "", "url": "https://example.com"}), "validation_failed", "/name"),
        (json!({"name": 1, "url": "https://example.com"}), "validation_failed", "/name"),
        (json!({"name": "d", "url": "https://example.com", "colour": 1}), "validation_failed", "/colour"),
        (url("https://user:pw@example.com/"), "validation_failed", "/url"),
        (url("ftp://example.com/"), "validation_failed", "/url"),
        (url("http://example.com/"), "validation_failed", "/url"),
        (url("nonsense"), "validation_failed", "/url"),
        (url("https://10.1.2.3/"), "blocked_address", "/url"),
        (url("https://[::1]/"), "blocked_address", "/url"),
        (url("https://internal.example/"), "blocked_address", "/url"),
        (url("https://api.example/v1/destinations"), "blocked_address", "/url"),
    ] {
        let text = body.to_string();
        let answer = world.post("acme", "/v1/destinations", body).await;
        assert!(!answer.1["detail"].as_str().expect("a detail").is_empty(), "{text}");
        check_problem(answer, 422, code, Some(pointer));
    }
    for text in ["[]", r#"["d", "https://example.com"]"#, "null", "7"] {
        let answer = world.call(As::Account("acme"), "POST", "/v1/destinations", Some(text)).await;
        check_problem(answer, 422, "validation_failed", Some(""));
    }
    for text in ["", "{", r#"{"name":"d","url":"https://example.com/"} x"#] {
        let answer = world.call(As::Account("acme"), "POST", "/v1/destinations", Some(text)).await;
        check_problem(answer, 400, "malformed_json", Some(""));
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let world = world().await;
    let fill = |bytes: usize| {
        let empty = json!({"name": "d", "url": "https://example.com", "secret": ""}).to_string().len();
        json!({"name": "d", "url": "https://example.com", "secret": "x".repeat(bytes - empty)})
    };
    check_problem(world.post("acme", "/v1/destinations", fill(1 << 20)).await, 413, "body_too_large", Some(""));
    check_problem(
        world.post("acme", "/v1/destinations", fill(MAX_BODY_BYTES + 1)).await,
        413,
        "body_too_large",
        Some(""),
    );
    check_problem(
        world.post("acme", "/v1/destinations", fill(MAX_BODY_BYTES)).await,
        422,
        "validation_failed",
        Some("/secret"),
    );
}

#[tokio::test]
async fn only_the_right_kind_of_caller_is_let_in() {
    let world = world().await;
    for path in ["/v1/destinations", "/v1/subscriptions"] {
        check_problem(world.call(As::Nobody, "GET", path, None).await, 401, "unauthorized", None);
        check_problem(world.call(As::Operator, "GET", path, None).await, 401, "unauthorized", None);
    }
    for path in ["/admin/v1/accounts", "/admin/v1/accounts/acme/keys"] {
        check_problem(world.call(As::Nobody, "POST", path, Some("{}")).await, 401, "unauthorized", None);
        check_problem(world.call(As::Account("acme"), "POST", path, Some("{}")).await, 401, "unauthorized", None);
    }
}

#[tokio::test]
async fn an_account_is_registered_once_and_keys_are_for_registered_accounts() {
    let world = world().await;
    let post = |path: &'static str, body: &'static str| world.call(As::Operator, "POST", path, Some(body));
    check_problem(post("/admin/v1/accounts", r#"{"id":"acme"}"#).await, 409, "account_exists", Some("/id"));
    check_problem(post("/admin/v1/accounts", r#"{"id":"a.b"}"#).await, 422, "validation_failed", Some("/id"));
    check_problem(
        post("/admin/v1/accounts/nobody/keys", r#"{"name":"x","role":"viewer"}"#).await,
        404,
        "not_found",
        None,
    );
    check_problem(post("/admin/v1/accounts/a.b/keys", r#"{"name":"x","role":"viewer"}"#).await, 404, "not_found", None);
}

#[tokio::test]
async fn another_accounts_things_answer_like_things_that_do_not_exist() {
    let world = world().await;
    let destination = world.destination("acme").await;
    let (_, subscription) = world.subscription("acme", &destination).await;
    for (kind, id) in [("destinations", &destination["id"]), ("subscriptions", &subscription["id"])] {
        let id = id.as_str().expect("an id");
        for method in ["GET", "DELETE"] {
            let foreign = world.call(As::Account("rival"), method, &format!("/v1/{kind}/{id}"), None).await;
            let unknown = format!("/v1/{kind}/{}", id.replace(|c: char| c.is_ascii_digit(), "v"));
            assert_eq!(foreign, world.call(As::Account("rival"), method, &unknown, None).await);
            check_problem(foreign, 404, "not_found", None);
        }
        let (_, list) = world.call(As::Account("rival"), "GET", &format!("/v1/{kind}"), None).await;
        assert_eq!(list, json!({"data": [], "next_cursor": null, "has_more": false}));
    }
    check_problem(world.subscription("rival", &destination).await, 422, "validation_failed", Some("/destination_id"));
}

#[tokio::test]
async fn subscriptions_are_created_read_listed_and_deleted() {
    let world = world().await;
    let destination = world.destination("acme").await;
    let (status, created) = world.subscription("acme", &destination).await;
    assert_eq!((status, &created["path"]), (201, &json!("/sync")));
    let path = format!("/v1/subscriptions/{}", created["id"].as_str().expect("an id"));
    assert_eq!(world.call(As::Account("acme"), "GET", &path, None).await, (200, created.clone()));

    let destination_path = format!("/v1/destinations/{}", destination["id"].as_str().expect("an id"));
    let in_use = world.call(As::Account("acme"), "DELETE", &destination_path, None).await;
    assert!(in_use.1["detail"].as_str().expect("a detail").contains(created["id"].as_str().expect("an id")));
    check_problem(in_use, 409, "destination_in_use", None);

    assert_eq!(world.call(As::Account("acme"), "DELETE", &path, None).await, (204, Value::Null));
    check_problem(world.call(As::Account("acme"), "DELETE", &path, None).await, 404, "not_found", None);
    assert_eq!(world.call(As::Account("acme"), "DELETE", &destination_path, None).await.0, 204);
}

#[tokio::test]
async fn a_wrong_subscription_is_pointed_at() {
    let world = world().await;
    let destination = world.destination("acme").await;
    let change = |field: &str, value: Value| {
        let mut body = json!({"name": "s", "destination_id": destination["id"], "event_types": ["*"], "scope": "*"});
        body[field] = value;
        body
    };
    let many = vec!["*"; 21];
    for (field, value, pointer) in [
        ("destination_id", json!("dst_1"), "/destination_id"),
        ("event_types", json!([]), "/event_types"),
        ("event_types", json!(many), "/event_types"),
        ("event_types", json!(["*", "sync_run.started"]), "/event_types/1"),
        ("scope", json!("xero"), "/scope"),
        ("path", json!("../admin"), "/path"),
        ("path", json!("/a/../b"), "/path"),
    ] {
        let answer = world.post("acme", "/v1/subscriptions", change(field, value)).await;
        check_problem(answer, 422, "validation_failed", Some(pointer));
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = world().await;
    let (mut ids, mut made) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let destination = world.destination("acme").await;
        made.push(world.subscription("acme", &destination).await.1["id"].clone());
        ids.push(destination["id"].clone());
        // Ids are ordered by time; within a millisecond, the order is random.
        world.clock.advance(Duration::from_millis(1));
    }
    let oldest = [("destinations", ids), ("subscriptions", made)];
    for (list, ids) in oldest {
        let newest: Vec<_> = ids.iter().rev().cloned().collect();
        for (order, expected) in [("", &newest), ("&order=desc", &newest), ("&order=asc", &ids)] {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            for has_more in [true, true, false] {
                let path = format!("/v1/{list}?limit=2{order}{cursor}");
                let (status, page) = world.call(As::Account("acme"), "GET", &path, None).await;
                assert_eq!((status, &page["has_more"]), (200, &json!(has_more)));
                seen.extend(page["data"].as_array().expect("a list").iter().map(|one| one["id"].clone()));
                cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
            }
            assert_eq!(seen, *expected, "{list}{order}");
        }
    }
    for query in ["limit=0", "limit=101", "limit=x", "order=newest", "cursor=!", "cursor=c3ViXzA"] {
        let (status, problem) =
            world.call(As::Account("acme"), "GET", &format!("/v1/destinations?{query}"), None).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_parameter")), "{query}");
        assert_eq!(problem["errors"][0]["parameter"], json!(query.split('=').next()));
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems_too() {
    let world = world().await;
    check_problem(world.call(As::Account("acme"), "GET", "/v1/nothing", None).await, 404, "not_found", None);
    for id in ["x", "dst_%FF", "%00", "sub_0000000000000000"] {
        let path = format!("/v1/destinations/{id}");
        check_problem(world.call(As::Account("acme"), "GET", &path, None).await, 404, "not_found", None);
    }
    check_problem(
        world.call(As::Account("acme"), "PUT", "/v1/destinations", None).await,
        405,
        "method_not_allowed",
        None,
    );
}

/// RFC 9110, §15.5.6.
#[tokio::test]
async fn whoever_uses_a_wrong_method_is_told_the_right_ones() {
    let world = world().await;
    let (_, document) = world.call(As::Nobody, "GET", "/v1/openapi.json", None).await;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let mut there: BTreeSet<_> =
            operations.as_object().expect("methods").keys().map(|m| m.to_uppercase()).collect();
        if there.contains("GET") {
            there.insert("HEAD".to_owned());
        }
        // Its cost is within the budget.
        world.clock.advance(Duration::from_secs(1));
        let at = path.replace("{id}", "x").replace("{account}", "acme").replace("{key}", "x").replace("{session}", "x");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"] {
            if there.contains(method) {
                continue;
            }
            let header = Some(("idempotency-key", "key"));
            let event = world.event_with(As::Account("acme"), method, &at, header, Some("{}"));
            let (status, headers, problem) = world.answer(&event.to_string()).await;
            assert_eq!((status, &problem["code"]), (405, &json!("method_not_allowed")), "{method} {path}");
            let allow = headers.get("allow").and_then(|allow| allow.to_str().ok()).unwrap_or_default();
            assert_eq!(allow.split(',').map(str::to_owned).collect::<BTreeSet<_>>(), there, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_failing_table_is_told_apart_and_shows_nothing_inside() {
    let world = world().await;
    world.store.fail("list_destinations", 1);
    let answer = world.call(As::Account("acme"), "GET", "/v1/destinations", None).await;
    assert!(!answer.1.to_string().contains("asked for"));
    check_problem(answer, 503, "unavailable", None);
}

#[tokio::test]
async fn a_role_that_may_not_do_something_is_told_so() {
    let world = world().await;
    let created = world.destination("acme").await;
    let path = format!("/v1/destinations/{}", created["id"].as_str().expect("an id"));
    for role in ["viewer", "editor", "admin"] {
        assert_eq!(world.call(As::Role("acme", role), "GET", &path, None).await.0, 200, "{role}");
    }
    let body = r#"{"name":"d2","url":"https://example.com/"}"#;
    for (role, method, path, body) in [
        ("publisher", "GET", path.as_str(), None),
        ("publisher", "GET", "/v1/subscriptions", None),
        ("viewer", "POST", "/v1/destinations", Some(body)),
        ("viewer", "DELETE", path.as_str(), None),
        ("publisher", "DELETE", path.as_str(), None),
    ] {
        check_problem(world.call(As::Role("acme", role), method, path, body).await, 403, "forbidden", None);
    }
    check_problem(world.call(As::Role("acme", "king"), "GET", &path, None).await, 401, "unauthorized", None);
    assert_eq!(world.call(As::Role("acme", "editor"), "DELETE", &path, None).await.0, 204);
}

#[tokio::test]
async fn the_document_is_there_for_everybody_and_says_where_it_is_served() {
    let world = world().await;
    let (status, document) = world.call(As::Nobody, "GET", "/v1/openapi.json", None).await;
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    let server = "https://abc123.execute-api.us-east-1.amazonaws.com";
    assert_eq!(document["servers"], json!([{"url": server}]));

    let server = "https://webhooks.example.com";
    let (_, document) = world_known_as(server).await.call(As::Nobody, "GET", "/v1/openapi.json", None).await;
    assert_eq!(document["servers"], json!([{"url": server}]));
}
