//! Rules for every body: a key that occurs twice and invisible characters in names are refused, no response repeats secrets
//! or long texts, and a patch is refused for each wrong field that it names.

use serde_json::{Value, json};

use crate::world::{As, World, check_problem, world};

async fn patch(world: &World, created: &Value, body: &str) -> (u16, Value) {
    let at = format!("/v1/destinations/{}", created["id"].as_str().expect("an id"));
    world.call(As::Account("acme"), "PATCH", &at, Some(body)).await
}

#[tokio::test]
async fn a_patch_names_a_header_in_any_case() {
    let world = world().await;
    let created = world.destination("acme").await;
    let headers = |answer: (u16, Value)| {
        assert_eq!(answer.0, 200, "{}", answer.1);
        answer.1["headers"].clone()
    };
    let set = patch(&world, &created, r#"{"headers": {"X-Team": "data", "x-COST-center": "7"}}"#).await;
    assert_eq!(headers(set), json!({"x-team": "data", "x-cost-center": "7"}));
    let set = patch(&world, &created, r#"{"headers": {"X-Team": "ops"}}"#).await;
    assert_eq!(headers(set), json!({"x-team": "ops", "x-cost-center": "7"}));
    let removed = patch(&world, &created, r#"{"headers": {"X-TEAM": null, "X-Unknown": null}}"#).await;
    assert_eq!(headers(removed), json!({"x-cost-center": "7"}));
    let all = patch(&world, &created, r#"{"headers": null}"#).await;
    assert_eq!(headers(all), json!({}));
}

#[tokio::test]
async fn a_patch_is_refused_for_what_it_names_even_where_that_would_change_nothing() {
    let world = world().await;
    let created = world.destination("acme").await;
    for (body, pointer) in [
        (r#"{"headers": {"X-A": "1", "x-a": "2"}}"#, "/headers"),
        (r#"{"headers": {"X-A": "1", "x-a": null}}"#, "/headers"),
        (r#"{"headers": {"Host": null}}"#, "/headers"),
        (r#"{"headers": {"x team": null}}"#, "/headers"),
        (r#"{"headers": {"X-A": null, "X-B": 7}}"#, "/headers/x-b"),
        (r#"{"headers": ["X-A"]}"#, "/headers"),
        (r#"{"time_out": null}"#, "/time_out"),
        (r#"{"secret": null}"#, "/secret"),
        (r#"{"a/b~c": null}"#, "/a~1b~0c"),
        (r#"{"description": "a", "description": "b"}"#, "/description"),
    ] {
        check_problem(patch(&world, &created, body).await, 422, "validation_failed", Some(pointer));
    }
    let (_, subscription) = world.subscription("acme", &created).await;
    let at = format!("/v1/subscriptions/{}", subscription["id"].as_str().expect("an id"));
    let answer = world.call(As::Account("acme"), "PATCH", &at, Some(r#"{"conditions": null}"#)).await;
    check_problem(answer, 422, "validation_failed", Some("/conditions"));
}

#[tokio::test]
async fn a_body_in_which_a_key_comes_twice_is_refused_wherever_it_is() {
    let world = world().await;
    let created = world.destination("acme").await;
    let id = created["id"].as_str().expect("an id");
    let subscription = |condition: &str| {
        format!(
            r#"{{"name": "s", "destination_id": "{id}", "event_types": ["*"], "scope": "*", "condition": {condition}}}"#
        )
    };
    let event = |event: &str| format!(r#"{{"type": "sync_run.completed", "scope": "*", {event}}}"#);
    let rotate = format!("/v1/destinations/{id}/secrets/rotate");
    let test = format!("/v1/destinations/{id}/test");
    let recover = format!("/v1/destinations/{id}/recover");
    for (method, path, body, pointer) in [
        (
            "POST",
            "/v1/subscriptions",
            subscription(r#"{"status": ["failed"], "status": ["succeeded"]}"#),
            "/condition/status",
        ),
        (
            "POST",
            "/v1/subscriptions",
            subscription(r#"{"$or": [{"a": [1]}, {"b": {"c/d": [1], "c/d": [2]}}]}"#),
            "/condition/$or/1/b/c~1d",
        ),
        (
            "POST",
            "/v1/subscriptions",
            subscription(r#"{"a": [{"prefix": "a", "prefix": "b"}]}"#),
            "/condition/a/0/prefix",
        ),
        (
            "POST",
            "/v1/destinations",
            r#"{"name": "a", "name": "a", "url": "https://example.com/"}"#.to_owned(),
            "/name",
        ),
        (
            "POST",
            "/v1/destinations",
            r#"{"name": "a", "url": "https://example.com/", "headers": {"x-a": "1", "x-a": "1"}}"#.to_owned(),
            "/headers/x-a",
        ),
        (
            "PUT",
            "/v1/config",
            r#"{"destinations": [], "subscriptions": [{"condition": {"a": [1], "a": [2]}}]}"#.to_owned(),
            "/subscriptions/0/condition/a",
        ),
        (
            "PUT",
            "/v1/config",
            r#"{"destinations": [], "subscriptions": [], "destinations": []}"#.to_owned(),
            "/destinations",
        ),
        ("POST", "/v1/setups", r#"{"destination": {"id": "a", "id": "b"}}"#.to_owned(), "/destination/id"),
        ("POST", &rotate, r#"{"overlap_seconds": 0, "overlap_seconds": 60}"#.to_owned(), "/overlap_seconds"),
        (
            "POST",
            &test,
            r#"{"event_type": "sync_run.completed", "event_type": "sync_run.missed"}"#.to_owned(),
            "/event_type",
        ),
        ("POST", &recover, r#"{"since": "a", "since": "b"}"#.to_owned(), "/since"),
        ("POST", "/v1/events", event(r#""data": {"a": {"b": 1e999, "b": 2}}"#), "/data/a/b"),
        ("POST", "/v1/events", event(r#""id": "a", "id": "b""#), "/id"),
        ("POST", "/v1/subscriptions/match", r#"{"event": {"data": {"a": 1, "a": 1}}}"#.to_owned(), "/event/data/a"),
        ("POST", "/v1/sessions", r#"{"link": "a", "link": "b"}"#.to_owned(), "/link"),
    ] {
        let answer = world.call(As::Account("acme"), method, path, Some(&body)).await;
        assert!(
            answer.1["detail"].as_str().is_some_and(|told| told.contains("is there twice")),
            "{body}: {}",
            answer.1
        );
        check_problem(answer, 422, "validation_failed", Some(pointer));
    }
    for (path, body) in [
        ("/admin/v1/accounts", r#"{"id": "a", "id": "b"}"#),
        ("/admin/v1/accounts/acme/keys", r#"{"name": "a", "name": "b"}"#),
        ("/admin/v1/accounts/acme/sessions", r#"{"role": "viewer", "role": "admin"}"#),
    ] {
        let answer = world.call(As::Operator, "POST", path, Some(body)).await;
        assert!(
            answer.1["detail"].as_str().is_some_and(|told| told.contains("is there twice")),
            "{path}: {}",
            answer.1
        );
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_seen_is_refused() {
    let world = world().await;
    for name in ["\u{200b}", "Billing\u{202e}", "Bil\u{2066}ling", "\u{feff}a"] {
        let body = json!({"name": name, "url": "https://example.com/"});
        check_problem(world.post("acme", "/v1/destinations", body).await, 422, "validation_failed", Some("/name"));
    }
}

#[tokio::test]
async fn a_url_is_taken_as_it_was_typed_or_refused() {
    let world = world().await;
    for url in [
        "https:/example.com/",
        "https:///example.com/",
        "https://exa\nmple.com/",
        "https://a..b/",
        "https://example.com:0/",
    ] {
        let body = json!({"name": "a", "url": url});
        check_problem(world.post("acme", "/v1/destinations", body).await, 422, "validation_failed", Some("/url"));
    }
    for url in ["https://[5f00::1]/", "https://[64:ff9b::8.8.8.8]/", "https://[::ffff:10.0.0.1]/"] {
        let body = json!({"name": "a", "url": url});
        check_problem(world.post("acme", "/v1/destinations", body).await, 422, "blocked_address", Some("/url"));
    }
}

#[tokio::test]
async fn what_looks_like_a_secret_is_repeated_by_no_answer() {
    let world = world().await;
    let created = world.destination("acme").await;
    let at = format!("/v1/destinations/{}", created["id"].as_str().expect("an id"));
    let secret = created["secret"].as_str().expect("a secret");
    let key = "whk_acme.0123456789abcdef.MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq";
    for secret in [secret, key, &format!("Bearer {key}"), &key.replace("whk", "whs")] {
        let hidden = &secret[secret.len() - 20..];
        for (method, path, body) in [
            ("POST", "/v1/destinations".to_owned(), json!({ secret: 1 })),
            (
                "POST",
                "/v1/destinations".to_owned(),
                json!({"name": "a", "url": "https://example.com/", "headers": {secret: "a"}}),
            ),
            ("POST", "/v1/destinations".to_owned(), json!({"name": "a", "url": format!("{secret}://example.com/")})),
            ("POST", "/v1/subscriptions".to_owned(), json!({"condition": {secret: secret}})),
            ("POST", "/v1/subscriptions".to_owned(), json!({"event_types": [secret]})),
            (
                "POST",
                "/v1/events".to_owned(),
                json!({"type": secret, "id": secret, "scope": secret, "data": {secret: secret}}),
            ),
            ("POST", "/v1/sessions".to_owned(), json!({ "link": {secret: secret} })),
            ("POST", "/v1/sessions".to_owned(), json!({ "link": [secret] })),
            ("PATCH", at.clone(), json!({ "retry_policy": secret })),
            ("PATCH", at.clone(), json!({ secret: null })),
            ("POST", format!("{at}/secrets/rotate"), json!({ "secret": [secret] })),
            ("POST", format!("{at}/test"), json!({ "event_type": "sync_run.completed", "status": secret })),
            ("GET", format!("/v1/destinations?{}=1", secret.replace(' ', "")), json!({})),
            ("GET", format!("/v1/events?event_type={}", secret.replace(' ', "")), json!({})),
            ("GET", format!("/v1/events?scope={}", secret.replace(' ', "")), json!({})),
        ] {
            let (status, answer) = world.call(As::Account("acme"), method, &path, Some(&body.to_string())).await;
            assert!((400..500).contains(&status), "{method} {path} {body}: {answer}");
            assert!(!answer.to_string().contains(hidden), "{method} {path} {body}: {answer}");
        }
    }
}

#[tokio::test]
async fn what_is_long_is_repeated_by_no_answer() {
    let world = world().await;
    let created = world.destination("acme").await;
    let at = format!("/v1/destinations/{}", created["id"].as_str().expect("an id"));
    let long = "hunter2 ".repeat(10_000);
    for (method, path, body) in [
        ("POST", "/v1/destinations", json!(long)),
        ("POST", "/v1/destinations", json!({ &long: 1 })),
        ("POST", "/v1/destinations", json!({"name": [long]})),
        ("POST", "/v1/destinations", json!({"name": "a", "url": "https://example.com/", "headers": {&long: "a"}})),
        ("POST", "/v1/subscriptions", json!({"event_types": [long]})),
        ("POST", "/v1/subscriptions", json!({"scope": {&long: long}})),
        ("POST", "/v1/events", json!(json!({"type": long}).to_string())),
        ("POST", "/v1/events", json!({"type": long})),
        (
            "POST",
            "/v1/events",
            json!({"type": "sync_run.completed", "scope": "connection/a/endpoint/b", "data": {&long: [long]}}),
        ),
        (
            "POST",
            "/v1/subscriptions/match",
            json!({"event": {"type": "sync_run.completed", "scope": long, "data": long}}),
        ),
        ("PATCH", &at, json!({ &long: null })),
        ("PATCH", &at, json!({ "timeout_seconds": long })),
        ("PUT", "/v1/config", json!({"destinations": [{ &long: { &long: 1 } }], "subscriptions": []})),
    ] {
        let (status, answer) = world.call(As::Account("acme"), method, path, Some(&body.to_string())).await;
        assert!((400..500).contains(&status), "{method} {path}: {answer}");
        let text = answer.to_string();
        assert!(text.len() < 6_000, "{method} {path}: {} bytes: {}", text.len(), &text[..2_000]);
        let told = answer["detail"].as_str().expect("a detail");
        assert!(
            told.contains("expected")
                || told.contains("must")
                || told.contains("header name")
                || told.contains("unknown")
                || told.contains("missing")
                || told.contains("not a field"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_path_that_normalizes_to_another_one_is_unknown() {
    let world = world().await;
    assert_eq!(world.call(As::Account("acme"), "GET", "/v1/destinations", None).await.0, 200);
    for path in [
        "/v1/x/../destinations",
        "/v1/./destinations",
        "/v1/destinations/%2e",
        "/v1/desti\tnations",
        "/v1\\destinations",
    ] {
        let answer = world.call(As::Account("acme"), "GET", path, None).await;
        assert_eq!((answer.0, &answer.1["code"]), (404, &json!("not_found")), "{path}");
    }
    let admin = world.call(As::Operator, "GET", "/v1/%2e%2e/admin/v1/accounts", None).await;
    check_problem(admin, 404, "not_found", None);
}

#[tokio::test]
async fn every_operation_refuses_parameters_that_it_has_not() {
    let world = world().await;
    let (_, document) = world.call(As::Nobody, "GET", "/v1/openapi.json", None).await;
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("operations").keys() {
            let at = path.replace("{account}", "acme").replace(['{', '}'], "");
            let who = if path.starts_with("/admin/") { As::Operator } else { As::Account("acme") };
            let answer = world.call(who, &method.to_uppercase(), &format!("{at}?dry_rnu=true"), Some("{}")).await;
            assert_eq!(answer.1["errors"][0]["parameter"], "dry_rnu", "{method} {path}: {}", answer.1);
            check_problem(answer, 400, "invalid_parameter", None);
            asked += 1;
        }
    }
    assert!(asked > 45, "{asked}");
    let twice = world.call(As::Account("acme"), "GET", "/v1/events?status=matched&status=matched", None).await;
    assert_eq!(twice.1["detail"], "status: is given twice");
    assert_eq!(world.call(As::Account("acme"), "HEAD", "/v1/events?statuss=matched", None).await.0, 400);
}
