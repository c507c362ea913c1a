//! The configuration as one document: what is read can be put, and what is put is what is then there.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{As, World, check_problem, world};

const CONFIG: &str = "/v1/config";
const DRY: &str = "/v1/config?dry_run=true";

/// Two destinations and two subscriptions, as an owner would write them.
fn wanted() -> Value {
    json!({
        "destinations": [
            {"name": "Billing", "url": "https://billing.example/hooks", "headers": {"x-team": "a"}, "rate_limit": 5,
                "retry_policy": [10, 60, 3600]},
            {"name": "Archive", "url": "https://archive.example/", "paused": true, "description": "two\nlines",
                "retry_policy": "none"}
        ],
        "subscriptions": [
            {"name": "Failures", "destination": "Billing", "event_types": ["sync_run.completed"], "scope": "connection/xero",
                "condition": {"status": ["failed"], "duration_ms": [{"numeric": [">", 0.5]}]}, "transition": "broke"},
            {"name": "All: yes", "destination": "Archive", "event_types": ["*"], "scope": "*", "path": "/all"}
        ]
    })
}

fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = wanted();
    change(&mut document);
    document
}

async fn put(world: &World, path: &str, document: &Value) -> (u16, Value) {
    world.call(As::Account("acme"), "PUT", path, Some(&document.to_string())).await
}

/// Puts a document that is accepted; what was done with it.
async fn done(world: &World, path: &str, document: &Value) -> Vec<String> {
    let (status, answer) = put(world, path, document).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["dry_run"], json!(path == DRY));
    let steps = answer["plan"].as_array().expect("a plan");
    for action in ["create", "update", "delete", "unchanged"] {
        let count = steps.iter().filter(|step| step["action"] == action).count();
        assert_eq!(answer["counts"][action], json!(count), "{answer}");
    }
    told(steps)
}

fn told(steps: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let changing = steps.iter().filter(|step| step["action"] != "unchanged");
    let step = |step: &Value| {
        let changes = step["changes"].as_array().expect("a list").iter().map(|change| format!(" {}", text(change)));
        format!("{} {}{}", text(&step["action"]), text(&step["name"]), changes.collect::<String>())
    };
    changing.map(step).collect()
}

async fn read(world: &World) -> Value {
    let (status, document) = world.call(As::Account("acme"), "GET", CONFIG, None).await;
    assert_eq!(status, 200, "{document}");
    document
}

async fn count(world: &World, kind: &str) -> usize {
    let (_, list) = world.call(As::Account("acme"), "GET", &format!("/v1/{kind}"), None).await;
    list["data"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_document_is_put_and_read_back_with_every_default() {
    let world = world().await;
    assert_eq!(read(&world).await, json!({"destinations": [], "subscriptions": []}));
    let created = ["create Billing", "create Archive", "create Failures", "create All: yes"];
    assert_eq!(done(&world, DRY, &wanted()).await, created);
    assert_eq!((count(&world, "destinations").await, count(&world, "subscriptions").await), (0, 0));
    assert_eq!(done(&world, CONFIG, &wanted()).await, created);
    let document = read(&world).await;
    assert_eq!(
        document["destinations"][0],
        json!({"name": "Archive", "url": "https://archive.example/", "description": "two\nlines", "headers": {},
            "paused": true, "timeout_seconds": 15, "rate_limit": null, "retry_policy": "none"})
    );
    assert_eq!(
        document["subscriptions"][0],
        json!({"name": "All: yes", "destination": "Archive", "event_types": ["*"], "scope": "*", "condition": null,
            "transition": null, "path": "/all", "grace_seconds": 900, "enabled": true})
    );
    assert_eq!(document["destinations"][1]["retry_policy"], json!([10, 60, 3600]));
    assert_eq!(document["subscriptions"][1]["condition"], wanted()["subscriptions"][0]["condition"]);
    for same in [wanted(), document] {
        assert_eq!(done(&world, CONFIG, &same).await, [] as [&str; 0], "putting it again changes nothing");
    }
}

#[tokio::test]
async fn a_change_says_its_fields_and_keeps_ids_and_secrets() {
    let world = world().await;
    done(&world, CONFIG, &wanted()).await;
    let (_, before) = world.call(As::Account("acme"), "GET", "/v1/destinations", None).await;
    let document = changed(|d| {
        d["destinations"][0]["url"] = json!("https://billing.example/other");
        d["destinations"][0]["rate_limit"] = Value::Null;
        d["destinations"][0]["retry_policy"] = json!([10, 60]);
        d["subscriptions"][1]["destination"] = json!("Billing");
    });
    let expected = ["update Billing /rate_limit /retry_policy /url", "update All: yes /destination"];
    assert_eq!(done(&world, DRY, &document).await, expected);
    assert_eq!(done(&world, CONFIG, &document).await, expected);
    let (_, after) = world.call(As::Account("acme"), "GET", "/v1/destinations", None).await;
    for (before, after) in
        before["data"].as_array().expect("a list").iter().zip(after["data"].as_array().expect("a list"))
    {
        assert_eq!((&before["id"], &before["secrets"]), (&after["id"], &after["secrets"]));
    }
}

#[tokio::test]
async fn what_is_not_in_the_document_is_deleted_and_a_new_name_is_another_thing() {
    let world = world().await;
    done(&world, CONFIG, &wanted()).await;
    let document = changed(|d| {
        d["destinations"][0]["name"] = json!("Accounting");
        d["subscriptions"][0]["destination"] = json!("Accounting");
        d["subscriptions"].as_array_mut().expect("a list").remove(1);
    });
    let expected = ["create Accounting", "update Failures /destination", "delete All: yes", "delete Billing"];
    assert_eq!(done(&world, CONFIG, &document).await, expected);
    let empty = json!({"destinations": [], "subscriptions": []});
    assert_eq!(done(&world, CONFIG, &empty).await, ["delete Failures", "delete Accounting", "delete Archive"]);
    assert_eq!(read(&world).await, empty);
}

#[tokio::test]
async fn a_secret_is_in_neither_answer_and_a_step_tells_the_id_by_which_it_is_rotated() {
    let world = world().await;
    let (_, dry) = put(&world, DRY, &wanted()).await;
    assert_eq!(dry["plan"][0]["id"], Value::Null);
    let (_, created) = put(&world, CONFIG, &wanted()).await;
    let document = read(&world).await;
    for answer in [&created, &document] {
        assert!(!answer.to_string().contains("secret") && !answer.to_string().contains("whsec_"), "{answer}");
    }
    let rotate = format!("/v1/destinations/{}/secrets/rotate", created["plan"][0]["id"].as_str().expect("an id"));
    let (status, rotated) = world.post("acme", &rotate, json!({"overlap_seconds": 0})).await;
    assert_eq!((status, &rotated["name"]), (200, &json!("Billing")));
    assert!(rotated["secret"].is_string());
}

#[tokio::test]
async fn yaml_is_the_same_document() {
    let world = world().await;
    done(&world, CONFIG, &wanted()).await;
    let json = read(&world).await;
    let (content_type, yaml) = world.text("acme", CONFIG, Some(("accept", "application/yaml"))).await;
    assert_eq!(content_type, "application/yaml");
    assert!(yaml.starts_with("destinations:"), "{yaml}");
    for change in [yaml.clone(), json.to_string()] {
        let sent = Some(("content-type", "application/yaml"));
        let (status, answer) = world.call_with(As::Account("acme"), "PUT", CONFIG, sent, Some(&change)).await;
        assert_eq!((status, &answer["counts"]["unchanged"]), (200, &json!(4)), "{answer}");
    }
    for (text, status, code, pointer, told) in [
        ("destinations: []\nsubscriptions: [\n", 400, "malformed_yaml", "", "line "),
        ("destinations: &a []\nsubscriptions: *a\n", 400, "malformed_yaml", "", "anchors"),
        ("destinations: []\n", 422, "validation_failed", "", "missing field `subscriptions`"),
        ("- 1\n", 422, "validation_failed", "", "object"),
        (
            "destinations:\n  - name: yes\n    url: 7\nsubscriptions: []\n",
            422,
            "validation_failed",
            "/destinations/0/url",
            "",
        ),
    ] {
        let sent = Some(("content-type", "application/yaml"));
        let answer = world.call_with(As::Account("acme"), "PUT", CONFIG, sent, Some(text)).await;
        assert!(answer.1["detail"].as_str().expect("a detail").contains(told), "{}", answer.1);
        check_problem(answer, status, code, Some(pointer));
    }
    let sent = Some(("content-type", "text/plain"));
    let plain = world.call_with(As::Account("acme"), "PUT", CONFIG, sent, Some("{}")).await;
    check_problem(plain, 415, "unsupported_media_type", None);
}

#[tokio::test]
async fn the_whole_document_is_checked_before_anything_is_done() {
    let world = world().await;
    for (change, code, pointer) in [
        (
            changed(|d| d["subscriptions"][1]["condition"] = json!({"status": "failed"})),
            "validation_failed",
            "/subscriptions/1/condition/status",
        ),
        (changed(|d| d["subscriptions"][1]["name"] = json!("Failures")), "validation_failed", "/subscriptions/1/name"),
        (changed(|d| d["destinations"][1]["name"] = json!("Billing")), "validation_failed", "/destinations/1/name"),
        (
            changed(|d| d["subscriptions"][0]["destination"] = json!("x")),
            "validation_failed",
            "/subscriptions/0/destination",
        ),
        (changed(|d| d["destinations"][1]["secret"] = json!("x")), "validation_failed", "/destinations/1/secret"),
        (
            changed(|d| d["destinations"][1]["url"] = json!("https://internal.example/")),
            "blocked_address",
            "/destinations/1/url",
        ),
        (
            changed(|d| d["destinations"][1]["url"] = json!("http://archive.example/")),
            "validation_failed",
            "/destinations/1/url",
        ),
        (changed(|d| d["extra"] = json!(1)), "validation_failed", "/extra"),
        (json!({"subscriptions": []}), "validation_failed", ""),
        (json!([]), "validation_failed", ""),
    ] {
        for path in [DRY, CONFIG] {
            check_problem(put(&world, path, &change).await, 422, code, Some(pointer));
        }
    }
    let many: Vec<_> = (0..6).map(|n| json!({"name": n.to_string(), "url": "https://example.com/"})).collect();
    let many = json!({"destinations": many, "subscriptions": []});
    check_problem(put(&world, DRY, &many).await, 409, "limit_reached", Some("/destinations"));
    let account = As::Account("acme");
    check_problem(world.call(account, "PUT", CONFIG, Some("{")).await, 400, "malformed_json", Some(""));
    let large = changed(|d| d["destinations"][0]["description"] = json!("x".repeat(api::MAX_BODY_BYTES)));
    check_problem(put(&world, CONFIG, &large).await, 413, "body_too_large", Some(""));
    for query in ["dry_run=perhaps", "dry_run=", "dryrun=true"] {
        let answer = put(&world, &format!("{CONFIG}?{query}"), &wanted()).await;
        assert_eq!((answer.0, &answer.1["code"]), (400, &json!("invalid_parameter")), "{query}");
    }
    assert_eq!(count(&world, "destinations").await, 0);
}

#[tokio::test]
async fn a_limit_holds_while_the_old_is_still_there() {
    let world = world().await;
    let named = |names: &[&str]| {
        let one = |name: &&str| json!({"name": name, "url": "https://example.com/"});
        json!({"destinations": names.iter().map(one).collect::<Vec<_>>(), "subscriptions": []})
    };
    done(&world, CONFIG, &named(&["a", "b", "c"])).await;
    check_problem(put(&world, CONFIG, &named(&["d", "e", "f"])).await, 409, "limit_reached", Some("/destinations"));
    assert_eq!(done(&world, CONFIG, &named(&["c", "d", "e"])).await, ["create d", "create e", "delete a", "delete b"]);
}

#[tokio::test]
async fn whoever_read_another_document_is_told_so_and_changes_nothing() {
    let world = world().await;
    done(&world, CONFIG, &wanted()).await;
    let etag = world.etag("acme", CONFIG).await;
    let yaml = format!("{}-yaml\"", etag.trim_end_matches('"'));
    assert_eq!(world.etag("acme", CONFIG).await, etag);
    let document = changed(|d| d["subscriptions"][0]["enabled"] = json!(false)).to_string();
    let send = async |path, etag: &str| {
        world.call_with(As::Account("acme"), "PUT", path, Some(("if-match", etag)), Some(&document)).await
    };
    for stale in ["\"v1\"", "\"\"", "x"] {
        check_problem(send(CONFIG, stale).await, 412, "precondition_failed", None);
        check_problem(send(DRY, stale).await, 412, "precondition_failed", None);
    }
    for good in [&etag, &yaml, "*"] {
        assert_eq!(send(DRY, good).await.0, 200);
    }
    assert_eq!(send(CONFIG, &etag).await.0, 200);
    check_problem(send(CONFIG, &etag).await, 412, "precondition_failed", None);
    assert_ne!(world.etag("acme", CONFIG).await, etag);
}

#[tokio::test]
async fn a_failure_in_the_middle_says_what_was_done_and_putting_it_again_finishes_it() {
    let world = world().await;
    world.store.fail("create_subscription", 1);
    let failed = put(&world, CONFIG, &wanted()).await;
    assert_eq!(told(failed.1["done"].as_array().expect("a list")), ["create Billing", "create Archive"]);
    check_problem(failed, 503, "unavailable", None);
    assert_eq!(done(&world, CONFIG, &wanted()).await, ["create Failures", "create All: yes"]);
    assert_eq!(done(&world, CONFIG, &wanted()).await, [] as [&str; 0]);
}

#[tokio::test]
async fn what_does_not_fit_into_the_time_of_a_request_goes_on_with_the_next() {
    let world = world().await;
    world.clock.advance_with_each_look(Duration::from_secs(4));
    let mut rounds = 0;
    loop {
        rounds += 1;
        assert!(rounds < 9, "it never ends");
        let answer = put(&world, CONFIG, &wanted()).await;
        if answer.0 == 200 {
            break;
        }
        assert!(answer.1["detail"].as_str().expect("a detail").contains("put it again"), "{}", answer.1);
        check_problem(answer, 503, "unavailable", None);
    }
    assert!(rounds > 1);
    world.clock.advance_with_each_look(Duration::ZERO);
    assert_eq!(done(&world, CONFIG, &wanted()).await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_document_of_another_account_is_neither_seen_nor_named() {
    let world = world().await;
    done(&world, CONFIG, &wanted()).await;
    let rival = As::Account("rival");
    assert_eq!(world.call(rival, "GET", CONFIG, None).await.1, json!({"destinations": [], "subscriptions": []}));
    let document = json!({"destinations": [], "subscriptions": wanted()["subscriptions"]}).to_string();
    let named = world.call(As::Account("rival"), "PUT", CONFIG, Some(&document)).await;
    check_problem(named, 422, "validation_failed", Some("/subscriptions/0/destination"));
    let empty = json!({"destinations": [], "subscriptions": []}).to_string();
    assert_eq!(world.call(As::Account("rival"), "PUT", CONFIG, Some(&empty)).await.0, 200);
    assert_eq!(count(&world, "destinations").await, 2);
}

#[tokio::test]
async fn readers_read_and_configurers_put() {
    let world = world().await;
    let document = wanted().to_string();
    for (role, reads, puts) in
        [("admin", 200, 200), ("editor", 200, 200), ("viewer", 200, 403), ("publisher", 403, 403)]
    {
        assert_eq!(world.call(As::Role("acme", role), "GET", CONFIG, None).await.0, reads, "{role}");
        for path in [DRY, CONFIG] {
            assert_eq!(world.call(As::Role("acme", role), "PUT", path, Some(&document)).await.0, puts, "{role}");
        }
    }
    check_problem(world.call(As::Nobody, "GET", CONFIG, None).await, 401, "unauthorized", None);
    check_problem(world.call(As::Nobody, "PUT", CONFIG, Some("{}")).await, 401, "unauthorized", None);
    check_problem(world.call(As::Account("acme"), "POST", CONFIG, Some("{}")).await, 405, "method_not_allowed", None);
}
