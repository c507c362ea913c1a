//! Tests of the section of subscriptions.

use domain::access::Role;
use serde_json::{Value, json};

use crate::world::{Page, World, world};

async fn create(world: &World, name: &str, destination: &str, other: Value) -> String {
    let mut body =
        json!({ "name": name, "destination_id": destination, "event_types": ["sync_run.completed"], "scope": "*" });
    body.as_object_mut().expect("an object").extend(other.as_object().expect("an object").clone());
    let (status, created) = world.call("acme", "POST", "/v1/subscriptions", body).await;
    assert_eq!(status, 201, "{created}");
    created["id"].as_str().expect("an id").to_owned()
}

async fn read(world: &World, id: &str) -> Value {
    world.call("acme", "GET", &format!("/v1/subscriptions/{id}"), Value::Null).await.1
}

/// The fields that the form of a subscription sends, with these changes.
fn form<'a>(etag: &'a str, destination: &'a str, other: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let usual = [
        ("etag", etag),
        ("name", "Invoices"),
        ("destination_id", destination),
        ("event_types", "sync_run.completed"),
        ("scope", "*"),
        ("condition", ""),
        ("transition", ""),
        ("grace_seconds", "900"),
        ("path", ""),
        ("enabled", "true"),
    ];
    usual.map(|(name, value)| other.iter().copied().find(|(n, _)| *n == name).unwrap_or((name, value))).into()
}

#[tokio::test]
async fn who_has_no_subscription_is_led_to_the_wizard() {
    let world = world().await;
    let editor = world.visitor("acme", Role::Editor).await;
    world.get(&editor, "/subscriptions").await.shows("No subscription yet").shows("href=\"/configure\"");
}

#[tokio::test]
async fn subscriptions_are_listed_in_words_twenty_five_a_page_and_nobody_elses() {
    let world = world().await;
    let id = world.destination("acme", "<b>Billing").await;
    for n in 0..24 {
        create(&world, &format!("s{n}"), &id, json!({})).await;
    }
    create(&world, "f", &id, json!({"condition": {"status": ["failed"]}, "path": "/invoices"})).await;
    create(&world, "<i>b", &id, json!({"transition": "broke", "enabled": false, "event_types": ["*"]})).await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let first = world.get(&cookie, "/subscriptions").await;
    assert_eq!(first.text.matches("<tr>").count(), 26);
    assert!(first.text.len() < 50 * 1024, "{} bytes", first.text.len());
    let (_, rest) = first.text.split_once("/subscriptions?cursor=").expect("a next page");
    let (cursor, _) = rest.split_once('"').expect("an end");
    let second = world.get(&cookie, &format!("/subscriptions?cursor={cursor}")).await;
    assert_eq!(second.text.matches("<tr>").count(), 2);
    let both = Page { status: 200, headers: Default::default(), text: first.text + &second.text };
    both.shows("only failures").shows("only when it broke").shows("all events about your data").shows(">off<");
    both.shows("&#60;b&#62;Billing").shows("/invoices").shows("&#60;i&#62;b").hides("<b>B").hides("<i>b");
    let found = world.get(&cookie, "/subscriptions?name_contains=S2").await;
    assert_eq!(found.text.matches("<tr>").count(), 6);
    world.get(&cookie, "/subscriptions?name_contains=x").await.shows("None has “<bdi>x</bdi>” in its name.");
    let rival = world.visitor("rival", Role::Viewer).await;
    world.get(&rival, "/subscriptions").await.shows("No subscription yet");
}

#[tokio::test]
async fn a_subscription_is_shown_with_its_pattern() {
    let world = world().await;
    let destination = world.destination("acme", "Billing").await;
    let id = create(&world, "s", &destination, json!({"condition": {"statuss": ["<b>"]}, "grace_seconds": 3600})).await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let page = world.get(&cookie, &format!("/subscriptions/{id}")).await;
    page.shows("id=\"pattern\"")
        .shows("&#60;b&#62;")
        .hides("<b>\"")
        .shows("own pattern")
        .shows(">Billing<")
        .shows("1 h");
    page.shows("describes no field `statuss`").shows("did you mean `status`?");
    page.hides("/edit").hides("/delete").hides("/disable");
    let rival = world.visitor("rival", Role::Admin).await;
    for below in ["", "/edit", "/delete"] {
        assert_eq!(world.get(&rival, &format!("/subscriptions/{id}{below}")).await.status, 404);
    }
}

#[tokio::test]
async fn what_is_edited_is_saved_and_a_condition_becomes_exactly_what_was_typed() {
    let world = world().await;
    let (destination, other) = (world.destination("acme", "Billing").await, world.destination("acme", "Other").await);
    let id = create(&world, "s", &destination, json!({})).await;
    let (path, cookie) = (format!("/subscriptions/{id}/edit"), world.visitor("acme", Role::Editor).await);
    for condition in [
        r#"{"status": ["failed"], "records": {"inserted": [{"numeric": [">", 0]}], "deleted": [1]}}"#,
        r#"{"records": {"deleted": [2]}}"#,
        r#"{"records": [{"exists": false}]}"#,
        r#"{"records": {"more": {"and": [null]}}}"#,
        r#"{"$or": [{"status": ["failed"]}, {"status": ["partial"]}]}"#,
        "",
        r#"{"error": {"code": ["a"]}, "next_run_at": ["b", null]}"#,
    ] {
        let etag = world.get(&cookie, &path).await.hidden("etag");
        let page = world.post(&cookie, &path, &form(&etag, &destination, &[("condition", condition)])).await;
        assert_eq!((page.status, page.location()), (303, &*format!("/subscriptions/{id}?done=saved")), "{}", page.text);
        let expected = if condition.is_empty() { Value::Null } else { serde_json::from_str(condition).expect("JSON") };
        assert_eq!(read(&world, &id).await["condition"], expected);
    }
    let page = world.get(&cookie, &path).await;
    page.shows("value=\"sync_run.completed\" checked").shows("&#34;next_run_at&#34;").shows(">Other</option>");
    let fields = [
        ("name", "Renamed"),
        ("event_types", "sync_run.missed"),
        ("scope", "connection/xero"),
        ("transition", "recovered"),
        ("grace_seconds", ""),
        ("path", "/a"),
        ("enabled", ""),
    ];
    let etag = page.hidden("etag");
    let mut fields = form(&etag, &other, &fields);
    fields.push(("event_types", "*"));
    assert_eq!(world.post(&cookie, &path, &fields).await.status, 303);
    let now = read(&world, &id).await;
    for (field, value) in [
        ("name", json!("Renamed")),
        ("destination_id", json!(other)),
        ("event_types", json!(["sync_run.missed", "*"])),
        ("scope", json!("connection/xero")),
        ("condition", Value::Null),
        ("transition", json!("recovered")),
        ("grace_seconds", json!(900)),
        ("path", json!("/a")),
        ("enabled", json!(false)),
    ] {
        assert_eq!(now[field], value, "{field}");
    }
}

#[tokio::test]
async fn what_is_wrong_stands_by_its_field_and_what_was_typed_is_kept() {
    let world = world().await;
    let destination = world.destination("acme", "Billing").await;
    create(&world, "Taken", &destination, json!({})).await;
    let id = create(&world, "Invoices", &destination, json!({})).await;
    let foreign = world.destination("rival", "Theirs").await;
    let (before, cookie) = (read(&world, &id).await, world.visitor("acme", Role::Editor).await);
    for (field, typed, words) in [
        ("name", "Taken", "another subscription of the account has this name"),
        ("destination_id", foreign.as_str(), "there is no such destination"),
        ("destination_id", "dst", "must"),
        ("scope", "xero", "must be"),
        ("event_types", "sync_run.exploded", "number 1: "),
        ("condition", "{\"status\"", "is not JSON"),
        ("condition", "[]", "must"),
        ("condition", "{}", "is empty"),
        ("condition", "{\"status\": null}", "/status: "),
        ("condition", "{\"status\": [{\"like\": \"<b>\"}]}", "/status/0/like: "),
        ("condition", "{\"status\": [\"fail\"]}", "can never match: `status` is &#34;succeeded&#34;"),
        ("transition", "exploded", "broke"),
        ("grace_seconds", "59", "must be 60 to 86400"),
        ("grace_seconds", "soon", "must be a whole number"),
        ("path", "//evil/..", "must"),
    ] {
        let fields = form("\"v1\"", &destination, &[(field, typed)]);
        let page = world.post(&cookie, &format!("/subscriptions/{id}/edit"), &fields).await;
        assert!(matches!(page.status, 409 | 422), "{field}: {}", page.status);
        let error = page.text.split_once(&format!("id=\"{field}-error\" role=\"alert\">"));
        let (error, _) = error.expect(field).1.split_once("</p>").expect("an end");
        assert!(error.contains(words), "{field} {typed}: {error}");
        page.hides("<b>\"").shows(&format!("-hint {field}-error\""));
        if matches!(field, "name" | "scope" | "path" | "grace_seconds" | "destination_id") {
            page.shows(&format!("value=\"{typed}\""));
        }
    }
    let none = form("\"v1\"", &destination, &[]).into_iter().filter(|(name, _)| *name != "event_types");
    let page = world.post(&cookie, &format!("/subscriptions/{id}/edit"), &none.collect::<Vec<_>>()).await;
    page.shows("id=\"event_types-error\"");
    assert_eq!(read(&world, &id).await, before);
}

#[tokio::test]
async fn who_typed_on_an_older_version_keeps_it_and_sees_what_is_new() {
    let world = world().await;
    let destination = world.destination("acme", "Billing").await;
    let id = create(&world, "Invoices", &destination, json!({"condition": {"status": ["failed"]}})).await;
    let (path, cookie) = (format!("/subscriptions/{id}/edit"), world.visitor("acme", Role::Editor).await);
    let etag = world.get(&cookie, &path).await.hidden("etag");
    let theirs = json!({"name": "Theirs", "condition": {"status": null, "records": {"read": [1]}}});
    assert_eq!(world.call("acme", "PATCH", &format!("/v1/subscriptions/{id}"), theirs).await.0, 200);
    let mine = [("name", "Mine"), ("condition", "{\"status\": [\"partial\"]}")];
    let page = world.post(&cookie, &path, &form(&etag, &destination, &mine)).await;
    assert_eq!(page.status, 412);
    page.shows("Somebody else changed this subscription")
        .shows("value=\"Mine\"")
        .shows("Current value: <code>Theirs</code>");
    assert_eq!(read(&world, &id).await["name"], "Theirs");
    let again = world.post(&cookie, &path, &form(&page.hidden("etag"), &destination, &mine)).await;
    assert_eq!(again.status, 303);
    let now = read(&world, &id).await;
    assert_eq!((&now["name"], &now["condition"]), (&json!("Mine"), &json!({"status": ["partial"]})));
}

#[tokio::test]
async fn a_subscription_is_switched_off_and_on_and_deleted() {
    let world = world().await;
    let destination = world.destination("acme", "Billing").await;
    let id = create(&world, "Invoices", &destination, json!({})).await;
    let cookie = world.visitor("acme", Role::Editor).await;
    for (action, enabled, words) in [("disable", false, "It is switched off"), ("enable", true, "Enabled.")] {
        let page = world.post(&cookie, &format!("/subscriptions/{id}/{action}"), &[]).await;
        assert_eq!((page.status, page.location()), (303, &*format!("/subscriptions/{id}?done={action}d")));
        world.get(&cookie, page.location()).await.shows(words);
        // The other notice is not shown, even if the address asks for it.
        let other = if enabled { "disabled" } else { "enabled" };
        world.get(&cookie, &format!("/subscriptions/{id}?done={other}")).await.hides("role=\"status\">");
        assert_eq!(read(&world, &id).await["enabled"], enabled);
    }
    world
        .get(&cookie, &format!("/subscriptions/{id}/delete"))
        .await
        .shows("Delete <bdi>Invoices</bdi>?")
        .shows("cannot be undone");
    let viewer = world.visitor("acme", Role::Viewer).await;
    for action in ["disable", "enable", "edit", "delete"] {
        let fields = form("\"v3\"", &destination, &[]);
        let page = world.post(&viewer, &format!("/subscriptions/{id}/{action}"), &fields).await;
        assert_eq!(page.status, 403, "{action}");
    }
    let page = world.post(&cookie, &format!("/subscriptions/{id}/delete"), &[]).await;
    assert_eq!((page.status, page.location()), (303, "/subscriptions?done=deleted"));
    assert_eq!(world.get(&cookie, &format!("/subscriptions/{id}")).await.status, 404);
}

#[tokio::test]
async fn all_wrong_fields_of_a_subscription_are_told_at_once() {
    let world = world().await;
    let destination = world.destination("acme", "Billing").await;
    let id = create(&world, "Invoices", &destination, json!({"condition": {"status": ["failed"]}})).await;
    let (before, cookie) = (read(&world, &id).await, world.visitor("acme", Role::Editor).await);
    for (condition, grace_seconds) in
        [("{\"status\"", "59"), ("{\"status\": []}", "soon"), ("{\"status\": null}", "59")]
    {
        let wrong = [
            ("name", ""),
            ("scope", "xero"),
            ("event_types", "sync_run.exploded"),
            ("condition", condition),
            ("grace_seconds", grace_seconds),
            ("path", "../x"),
        ];
        let fields = form("\"v1\"", &destination, &wrong);
        let page = world.post(&cookie, &format!("/subscriptions/{id}/edit"), &fields).await;
        assert_eq!(page.status, 422);
        for (field, _) in wrong {
            page.shows(&format!("id=\"{field}-error\""));
        }
    }
    assert_eq!(read(&world, &id).await, before);
}
