//! Tests of the form that edits a destination.

use domain::access::Role;
use serde_json::{Value, json};

use super::{change, form, read};
use crate::world::world;

#[tokio::test]
async fn what_is_edited_is_saved() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    change(&world, &id, json!({"headers": {"x-old": "1", "x-team": "data"}})).await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let path = format!("/destinations/{id}/edit");
    let page = world.get(&cookie, &path).await;
    page.shows("x-old: 1\nx-team: data</textarea>").shows("value=\"standard\" checked");
    let fields = [
        ("name", " Accounting "),
        ("url", "https://example.com/new"),
        ("description", "two\r\nlines"),
        ("headers", "X-Team: ops\r\n\r\nx-new: a: b"),
        ("timeout_seconds", "20"),
        ("rate_limit", "7"),
        ("retry", "own"),
        ("waits", "10, 60 3600"),
    ];
    let etag = page.hidden("etag");
    let saved = world.post(&cookie, &path, &form(&etag, &fields)).await;
    assert_eq!((saved.status, saved.location()), (303, &*format!("/destinations/{id}?done=saved")), "{}", saved.text);
    let now = read(&world, &id).await;
    for (field, value) in [
        ("name", json!("Accounting")),
        ("url", json!("https://example.com/new")),
        ("description", json!("two\nlines")),
        ("headers", json!({"x-team": "ops", "x-new": "a: b"})),
        ("timeout_seconds", json!(20)),
        ("rate_limit", json!(7)),
        ("retry_policy", json!([10, 60, 3600])),
    ] {
        assert_eq!(now[field], value, "{field}");
    }
    let page = world.get(&cookie, &path).await;
    page.shows("value=\"10, 60, 3600\"").shows("value=\"own\" data-shows checked");
    let back = world.post(&cookie, &path, &form(&page.hidden("etag"), &[("timeout_seconds", "")])).await;
    assert_eq!(back.status, 303, "{}", back.text);
    let now = read(&world, &id).await;
    assert_eq!((&now["headers"], &now["rate_limit"]), (&json!({}), &Value::Null));
    assert_eq!((&now["timeout_seconds"], &now["retry_policy"]), (&json!(15), &json!("standard")));
}

#[tokio::test]
async fn what_is_wrong_stands_by_its_field_and_what_was_typed_is_kept() {
    let world = world().await;
    world.destination("acme", "Taken").await;
    let id = world.destination("acme", "Billing").await;
    let (before, cookie) = (read(&world, &id).await, world.visitor("acme", Role::Editor).await);
    for (fields, id_of_error, words) in [
        (vec![("name", "Taken")], "name", "another destination of the account has this name"),
        (vec![("name", "")], "name", "must have 1 to 128 characters"),
        (vec![("url", "https://10.0.0.1/x")], "url", "points to 10.0.0.1"),
        (vec![("url", "nonsense")], "url", "is not an absolute URL"),
        (vec![("headers", "Host: x")], "headers", "belongs to HTTP or to the signature"),
        (vec![("headers", "one two")], "headers", "line 1: write a header as"),
        (vec![("timeout_seconds", "31")], "timeout_seconds", "from 1 to 30"),
        (vec![("timeout_seconds", "soon")], "timeout_seconds", "must be a whole number"),
        (vec![("rate_limit", "1001")], "rate_limit", "from 1 to 1000"),
        (vec![("retry", "own"), ("waits", "")], "retry_policy", "must have 1 to 20 waits"),
        (vec![("retry", "own"), ("waits", "5 9999999")], "retry_policy", "number 2: "),
    ] {
        let page = world.post(&cookie, &format!("/destinations/{id}/edit"), &form("\"v1\"", &fields)).await;
        assert!(matches!(page.status, 409 | 422), "{fields:?}: {}", page.status);
        let (_, rest) = page.text.split_once(&format!("id=\"{id_of_error}-error\" role=\"alert\">")).expect("an error");
        let (error, _) = rest.split_once("</p>").expect("an end");
        assert!(error.contains(words), "{fields:?}: {error}");
        for (name, typed) in fields.iter().filter(|(name, _)| !matches!(*name, "headers" | "retry")) {
            page.shows(&format!("name=\"{name}\"")).shows(&format!("value=\"{typed}\""));
        }
        page.shows("aria-invalid=\"true\"");
        assert_eq!(page.hidden("etag"), "\"v1\"");
    }
    assert_eq!(read(&world, &id).await, before);
}

#[tokio::test]
async fn who_typed_on_an_older_version_keeps_it_and_sees_what_is_new() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let path = format!("/destinations/{id}/edit");
    let etag = world.get(&cookie, &path).await.hidden("etag");
    change(&world, &id, json!({"name": "Theirs", "timeout_seconds": 30})).await;
    let page = world.post(&cookie, &path, &form(&etag, &[("name", "Mine"), ("timeout_seconds", "30")])).await;
    assert_eq!(page.status, 412);
    page.shows("Somebody else changed this destination")
        .shows("value=\"Mine\"")
        .shows("Current value: <code>Theirs</code>");
    page.hides("Current value: <code>30");
    assert_eq!(read(&world, &id).await["name"], "Theirs");
    let again = world.post(&cookie, &path, &form(&page.hidden("etag"), &[("name", "Mine")])).await;
    assert_eq!(again.status, 303);
    assert_eq!(read(&world, &id).await["name"], "Mine");
}

#[tokio::test]
async fn all_wrong_fields_of_a_destination_are_told_at_once() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (before, cookie) = (read(&world, &id).await, world.visitor("acme", Role::Editor).await);
    let path = format!("/destinations/{id}/edit");
    // The page finds some of the faults, and the API the others.
    for wrong in [
        [
            ("name", ""),
            ("url", "nonsense"),
            ("headers", "one two"),
            ("timeout_seconds", "soon"),
            ("rate_limit", "1001"),
        ],
        [("name", ""), ("url", "nonsense"), ("headers", "Host: x"), ("timeout_seconds", "31"), ("rate_limit", "soon")],
    ] {
        let fields = [wrong.as_slice(), &[("retry", "own"), ("waits", "short")]].concat();
        let page = world.post(&cookie, &path, &form("\"v1\"", &fields)).await;
        assert_eq!(page.status, 422);
        for field in ["name", "url", "headers", "timeout_seconds", "rate_limit", "retry_policy"] {
            page.shows(&format!("id=\"{field}-error\""));
        }
        page.hides("notice-bad");
    }
    assert_eq!(read(&world, &id).await, before);
}
