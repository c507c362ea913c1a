//! Destinations: at a glance, each in full, and all that can be done with them.

use std::time::Duration;

use serde_json::{Value, json};
use shared::domain::api_key::Role;
use shared::domain::destination::Destination;
use shared::domain::health::{DisabledReason, Drain, HealthState};
use shared::domain::id::DestinationId;
use shared::ports::{Clock, Destinations, FindDestination};
use shared::testing::account;

use crate::world::{Page, World, world};

/// What the form of a destination sends, with these fields otherwise.
fn form<'a>(etag: &'a str, other: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let usual = [
        ("etag", etag),
        ("name", "Billing"),
        ("url", "https://example.com/hooks"),
        ("description", ""),
        ("headers", ""),
        ("timeout_seconds", "15"),
        ("rate_limit", ""),
        ("retry", "standard"),
        ("waits", ""),
    ];
    usual.map(|(name, value)| other.iter().copied().find(|(n, _)| *n == name).unwrap_or((name, value))).into()
}

async fn read(world: &World, id: &str) -> Value {
    world.call("acme", "GET", &format!("/v1/destinations/{id}"), Value::Null).await.1
}

async fn change(world: &World, id: &str, to: Value) {
    let (status, changed) = world.call("acme", "PATCH", &format!("/v1/destinations/{id}"), to).await;
    assert_eq!(status, 200, "{changed}");
}

async fn subscribe(world: &World, name: &str, destination: &str) -> String {
    let body =
        json!({ "name": name, "destination_id": destination, "event_types": ["sync_run.completed"], "scope": "*" });
    let (status, created) = world.call("acme", "POST", "/v1/subscriptions", body).await;
    assert_eq!(status, 201, "{created}");
    created["id"].as_str().expect("an id").to_owned()
}

/// Makes its health what no request does.
async fn health(world: &World, id: &str, to: impl FnOnce(&mut Destination)) {
    let id: DestinationId = id.parse().expect("an id");
    let before = world.store.find_destination(&account("acme"), &id).await.expect("an answer").expect("there");
    let mut after = before.clone();
    to(&mut after);
    after.version += 1;
    after.health.version += 1;
    world.store.update_destination(&before, &after).await.expect("updated");
}

/// The value of a hidden field.
fn hidden(page: &Page, name: &str) -> String {
    let (_, rest) = page.text.split_once(&format!("name=\"{name}\" value=\"")).expect("the field");
    let (value, _) = rest.split_once('"').expect("an end");
    value.replace("&#34;", "\"")
}

#[tokio::test]
async fn who_has_no_destination_is_led_to_the_wizard() {
    let world = world().await;
    let editor = world.visitor("acme", Role::Editor).await;
    world.get(&editor, "/destinations").await.shows("No destination yet").shows("href=\"/configure\"");
    let viewer = world.visitor("acme", Role::Viewer).await;
    world.get(&viewer, "/destinations").await.shows("No destination yet").hides("href=\"/configure\"");
}

#[tokio::test]
async fn destinations_are_listed_twenty_a_page_and_nobody_elses() {
    let world = world().await;
    for n in 0..21 {
        world.destination("acme", &format!("Receiver {n}")).await;
    }
    world.destination("rival", "Secretive").await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let first = world.get(&cookie, "/destinations").await;
    first.shows("example.com/hooks").shows("badge badge-ok\">healthy").hides("Secretive").hides("First page");
    assert_eq!(first.text.matches("<li class=\"card\">").count(), 20);
    assert!(first.text.len() < 50 * 1024, "{} bytes", first.text.len());
    let (_, rest) = first.text.split_once("/destinations?cursor=").expect("a next page");
    let (cursor, _) = rest.split_once('"').expect("an end");
    let second = world.get(&cookie, &format!("/destinations?cursor={cursor}")).await;
    assert_eq!(second.text.matches("<li class=\"card\">").count(), 1);
    second.shows("First page").hides("Next page");
    assert_eq!(world.get(&cookie, "/destinations?cursor=x").await.status, 400);
}

#[tokio::test]
async fn what_was_typed_is_shown_as_text() {
    let world = world().await;
    let evil = "<script>alert(1)</script>\"'&";
    let body = json!({
        "name": evil, "url": "https://example.com/<b>\"x?y=<i>", "description": evil, "headers": {"x-evil": evil}
    });
    let (status, created) = world.call("acme", "POST", "/v1/destinations", body).await;
    assert_eq!(status, 201, "{created}");
    let id = created["id"].as_str().expect("an id");
    subscribe(&world, "<img src=x>", id).await;
    let cookie = world.visitor("acme", Role::Admin).await;
    for page in ["", "/edit", "/rotate", "/recover", "/delete"] {
        let page = world.get(&cookie, &format!("/destinations/{id}{page}")).await;
        assert_eq!(page.status, 200);
        page.shows("&#60;script&#62;").hides("<script>alert").hides("<b>\"").hides("<img");
    }
    world.get(&cookie, "/destinations").await.shows("&#60;script&#62;").hides("<script>alert");
}

#[tokio::test]
async fn a_destination_is_shown_with_its_settings_in_words_and_its_subscriptions() {
    let world = world().await;
    let (id, other) = (world.destination("acme", "Billing").await, world.destination("acme", "Other").await);
    change(&world, &id, json!({"headers": {"x-team": "data"}, "rate_limit": 5, "retry_policy": [10, 5400]})).await;
    subscribe(&world, "Mine", &id).await;
    subscribe(&world, "Not mine", &other).await;
    let cookie = world.visitor("acme", Role::Viewer).await;
    let page = world.get(&cookie, &format!("/destinations/{id}")).await;
    page.shows("It is healthy").shows("x-team: data").shows("5 deliveries a second").shows(">Mine<").hides("Not mine");
    page.shows("3 attempts, after waits of 10 s, 1 h 30 min").shows("role=\"img\"");
    page.shows(&format!("/deliveries?destination_id={id}"));
    page.shows(read(&world, &id).await["secrets"][0]["fingerprint"].as_str().expect("a fingerprint"));
    // Who may only look is offered nothing else.
    page.hides("/edit").hides("/pause").hides("/rotate").hides("/delete").hides("/recover").hides("/configure");
    let rival = world.visitor("rival", Role::Admin).await;
    assert_eq!(world.get(&rival, &format!("/destinations/{id}")).await.status, 404);
    let editor = world.visitor("acme", Role::Editor).await;
    let page = world.get(&editor, &format!("/destinations/{id}")).await;
    page.shows("/edit").shows("/pause").shows("/delete").shows("/recover").hides("/rotate");
    page.shows(&format!("/configure/test?destination={id}"));
}

#[tokio::test]
async fn its_health_is_told_with_what_to_do() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (path, now) = (format!("/destinations/{id}"), world.clock.now());
    let cookie = world.visitor("acme", Role::Editor).await;
    let next_probe_at = now.plus(Duration::from_secs(60));
    health(&world, &id, |destination| {
        destination.health.state = HealthState::Failing { since: now, probes: 0, next_probe_at, half_open: false };
    })
    .await;
    let page = world.get(&cookie, &path).await;
    page.shows("It has been failing since <time").shows(&format!("next <time datetime=\"{next_probe_at}\""));
    page.shows("tried within a minute").shows(&format!("action=\"{path}/resume\""));
    world.get(&cookie, "/destinations").await.shows("since <time").shows("badge-bad\">failing");
    for (reason, words) in [(DisabledReason::Gone, "410 Gone"), (DisabledReason::Failing, "failing for five days")] {
        health(&world, &id, |d| d.health.state = HealthState::Disabled { since: now, reason }).await;
        world.get(&cookie, &path).await.shows(words).shows("/resume").hides("action=\"/pause");
    }
    health(&world, &id, |destination| {
        destination.health.state = HealthState::Healthy;
        destination.health.drain = Some(Drain { since: now, next_at: now });
    })
    .await;
    world.get(&cookie, &path).await.shows("catching up").shows("badge-warn\">draining");
}

#[tokio::test]
async fn a_destination_is_paused_and_resumed() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let page = world.post(&cookie, &format!("/destinations/{id}/pause"), &[]).await;
    assert_eq!((page.status, page.location()), (303, &*format!("/destinations/{id}?done=paused")));
    world.get(&cookie, page.location()).await.shows("It is paused").shows("is kept until you resume").shows("/resume");
    assert_eq!(read(&world, &id).await["health"], "paused");
    let page = world.post(&cookie, &format!("/destinations/{id}/resume"), &[]).await;
    assert_eq!((page.status, page.location()), (303, &*format!("/destinations/{id}?done=resumed")));
    assert_eq!(read(&world, &id).await["health"], "healthy");
}

#[tokio::test]
async fn who_may_only_look_changes_nothing_and_an_editor_rotates_nothing() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (before, viewer) = (read(&world, &id).await, world.visitor("acme", Role::Viewer).await);
    for action in ["pause", "resume", "edit", "rotate", "recover", "delete"] {
        let fields = form("\"v1\"", &[("name", "Other")]);
        let page = world.post(&viewer, &format!("/destinations/{id}/{action}"), &fields).await;
        assert_eq!(page.status, 403, "{action}");
    }
    let editor = world.visitor("acme", Role::Editor).await;
    assert_eq!(world.post(&editor, &format!("/destinations/{id}/rotate"), &[("etag", "*")]).await.status, 403);
    world
        .get(&editor, &format!("/destinations/{id}/rotate"))
        .await
        .shows("Only an admin")
        .hides("<button class=\"button button-primary\"");
    let rival = world.visitor("rival", Role::Admin).await;
    for action in ["pause", "edit", "rotate", "recover", "delete"] {
        assert_eq!(world.post(&rival, &format!("/destinations/{id}/{action}"), &[]).await.status, 404, "{action}");
    }
    assert_eq!(read(&world, &id).await, before);
}

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
    let etag = hidden(&page, "etag");
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
    let back = world.post(&cookie, &path, &form(&hidden(&page, "etag"), &[("timeout_seconds", "")])).await;
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
        assert_eq!(hidden(&page, "etag"), "\"v1\"");
    }
    assert_eq!(read(&world, &id).await, before);
}

#[tokio::test]
async fn who_typed_on_an_older_version_keeps_it_and_sees_what_is_new() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let path = format!("/destinations/{id}/edit");
    let etag = hidden(&world.get(&cookie, &path).await, "etag");
    change(&world, &id, json!({"name": "Theirs", "timeout_seconds": 30})).await;
    let page = world.post(&cookie, &path, &form(&etag, &[("name", "Mine"), ("timeout_seconds", "30")])).await;
    assert_eq!(page.status, 412);
    page.shows("Somebody else changed this destination")
        .shows("value=\"Mine\"")
        .shows("Now it is: <code>Theirs</code>");
    page.hides("Now it is: <code>30");
    assert_eq!(read(&world, &id).await["name"], "Theirs");
    let again = world.post(&cookie, &path, &form(&hidden(&page, "etag"), &[("name", "Mine")])).await;
    assert_eq!(again.status, 303);
    assert_eq!(read(&world, &id).await["name"], "Mine");
}

#[tokio::test]
async fn a_new_secret_is_shown_once_and_a_form_sent_twice_rotates_once() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (path, cookie) = (format!("/destinations/{id}/rotate"), world.visitor("acme", Role::Admin).await);
    let page = world.get(&cookie, &path).await;
    page.shows("value=\"86400\" checked").hides("whsec_");
    let etag = hidden(&page, "etag");
    let done = world.post(&cookie, &path, &[("etag", &etag), ("overlap_seconds", "3600")]).await;
    assert_eq!(done.status, 200, "{}", done.text);
    done.shows("whsec_").shows("data-copy=\"#secret\"").shows("within 1 h").shows("/configure/test?destination=");
    assert_eq!(done.headers["cache-control"], "no-store");
    let secrets = read(&world, &id).await["secrets"].clone();
    assert_eq!(secrets.as_array().map(Vec::len), Some(2));
    let again = world.post(&cookie, &path, &[("etag", &etag), ("overlap_seconds", "3600")]).await;
    assert_eq!(again.status, 412);
    again.shows("Nothing was rotated").hides("whsec_");
    assert_eq!(read(&world, &id).await["secrets"], secrets);
    world.get(&cookie, &format!("/destinations/{id}")).await.hides("whsec_").shows(">current<");
}

#[tokio::test]
async fn a_rotation_that_cannot_be_says_why() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (path, cookie) = (format!("/destinations/{id}/rotate"), world.visitor("acme", Role::Admin).await);
    for (overlap, status) in [("604801", 422), ("soon", 422), ("86400", 200), ("86400", 200), ("86400", 409)] {
        let etag = hidden(&world.get(&cookie, &path).await, "etag");
        let page = world.post(&cookie, &path, &[("etag", &etag), ("overlap_seconds", overlap)]).await;
        assert_eq!(page.status, status, "{overlap}");
        match status {
            422 => page.shows("id=\"overlap-error\""),
            409 => page.shows("the destination has 3 valid secrets").shows("Rotate the secret of"),
            _ => page.shows("whsec_"),
        };
    }
    let etag = hidden(&world.get(&cookie, &path).await, "etag");
    let page = world.post(&cookie, &path, &[("etag", &etag), ("overlap_seconds", "0")]).await;
    page.shows("Put it into your receiver now");
    assert_eq!(read(&world, &id).await["secrets"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_was_missed_is_sent_again_and_its_progress_shown() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (path, cookie) = (format!("/destinations/{id}/recover"), world.visitor("acme", Role::Editor).await);
    let page = world.get(&cookie, &path).await;
    page.shows("value=\"day\" checked").shows("value=\"exhausted\" checked").hides("value=\"cancelled\" checked");
    let begun = world.post(&cookie, &path, &[("span", "hour"), ("status", "exhausted"), ("status", "parked")]).await;
    assert_eq!(begun.status, 303, "{}", begun.text);
    assert!(
        begun.location().starts_with(&format!("/destinations/{id}?done=recovering&job=job_")),
        "{}",
        begun.location()
    );
    let page = world.get(&cookie, begun.location()).await;
    page.shows("Recovery <span class=\"badge").shows("looked at").shows("is being sent again");
    // Not at another destination's page, and a job that is none does no harm.
    let other = world.destination("acme", "Other").await;
    let (_, job) = begun.location().split_once("job=").expect("a job");
    world.get(&cookie, &format!("/destinations/{other}?job={job}")).await.hides("looked at");
    assert_eq!(world.get(&cookie, &format!("/destinations/{id}?job=%2F..%2Fx")).await.status, 200);

    let (_, job) = world.call("acme", "GET", &format!("/v1/jobs/{job}"), Value::Null).await;
    assert_eq!(job["statuses"], json!(["parked", "exhausted"]));
    let page = world.post(&cookie, &path, &[("span", "days"), ("status", "cancelled")]).await;
    assert_eq!(page.status, 409);
    page.shows("is at work on this destination").shows("value=\"cancelled\" checked").shows("value=\"days\" checked");
}

#[tokio::test]
async fn what_is_wrong_with_a_recovery_stands_by_its_field() {
    let world = world().await;
    let id = world.destination("acme", "Billing").await;
    let (path, cookie) = (format!("/destinations/{id}/recover"), world.visitor("acme", Role::Editor).await);
    for (fields, error) in [
        (vec![("span", "own"), ("since", "<b>"), ("status", "parked")], "since-error"),
        (vec![("span", "own"), ("since", "2099-01-01T00:00"), ("status", "parked")], "since-error"),
        (vec![("span", "hour")], "statuses-error"),
    ] {
        let page = world.post(&cookie, &path, &fields).await;
        assert_eq!(page.status, 422);
        page.shows(&format!("id=\"{error}\"")).hides("<b>\"");
    }
    let moment = [("span", "own"), ("since", "2026-11-20T08:00"), ("status", "parked")];
    let begun = world.post(&cookie, &path, &moment).await;
    let (_, job) = begun.location().split_once("job=").expect("a job");
    let (_, job) = world.call("acme", "GET", &format!("/v1/jobs/{job}"), Value::Null).await;
    assert_eq!(job["since"], "2026-11-20T08:00:00.000Z");
}

#[tokio::test]
async fn a_destination_goes_with_the_subscriptions_that_were_shown() {
    let world = world().await;
    let (id, other) = (world.destination("acme", "Billing").await, world.destination("acme", "Other").await);
    subscribe(&world, "Kept", &other).await;
    let (path, cookie) = (format!("/destinations/{id}/delete"), world.visitor("acme", Role::Editor).await);
    world.get(&cookie, &path).await.shows("No subscription sends to it").hides("name=\"cascade\"");
    // One that came after the page was shown is not deleted unseen.
    subscribe(&world, "Newcomer", &id).await;
    let page = world.post(&cookie, &path, &[]).await;
    assert_eq!(page.status, 409);
    page.shows("Meanwhile a subscription").shows("Newcomer").hides("Kept").shows("name=\"cascade\" value=\"true\"");
    let page = world.post(&cookie, &path, &[("cascade", "true")]).await;
    assert_eq!((page.status, page.location()), (303, "/destinations?done=deleted"));
    world.get(&cookie, page.location()).await.shows("Deleted.").hides("Billing").shows("Other");
    let (_, left) = world.call("acme", "GET", "/v1/subscriptions", Value::Null).await;
    assert_eq!(
        left["data"].as_array().map(|all| all.iter().map(|s| s["name"].clone()).collect()),
        Some(vec![json!("Kept")])
    );
    assert_eq!(world.get(&cookie, &path).await.status, 404);
}
