//! Rejected events: what the operator can read about them, and which can be resubmitted.

use std::time::Duration;

use domain::event::rejected_event::{KEPT, KEPT_BYTES};
use domain::event::{Event, RejectedEvent, Rejection};
use domain::value::Timestamp;
use ports::{Clock, Rejections};
use serde_json::{Value, json};
use testing::{account, event_text};

use crate::world::{As, World, check_problem, world};

const LIST: &str = "/admin/v1/rejected-events";

fn sample(account_id: &str, id: &str) -> Value {
    serde_json::from_str(&event_text(&account(account_id), id)).expect("JSON")
}

fn with(field: &str, value: Value) -> Value {
    let mut event = sample("acme", "evt-1");
    event[field] = value;
    event
}

impl World {
    pub async fn admin(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        self.call(As::Operator, method, path, body).await
    }

    /// Rejects a text sent `seconds` ago, as `fanout` does; returns the path of its entry in the list.
    pub async fn reject(&self, text: &str, seconds: u64) -> String {
        let now = self.clock.now();
        let sent_at = Timestamp::from_unix_ms(now.unix_ms() - seconds * 1000);
        let rejection = match Event::parse(text, sent_at) {
            Ok(event) => Rejection::id_reused(&event.id),
            Err(rejection) => rejection,
        };
        let rejected = RejectedEvent::new(text, sent_at, &rejection, now);
        self.store.note_rejection(&rejected, RejectedEvent::kept(text)).await.expect("noted");
        format!("{LIST}/{}", rejected.id)
    }

    async fn ids(&self, query: &str) -> Vec<String> {
        let (status, list) = self.admin("GET", &format!("{LIST}{query}"), None).await;
        assert_eq!(status, 200, "{query}: {list}");
        let ids = list["data"].as_array().expect("a list").iter();
        ids.map(|rejected| format!("{LIST}/{}", rejected["id"].as_str().expect("an id"))).collect()
    }
}

#[tokio::test]
async fn a_rejected_event_is_listed_with_its_reason_and_read_with_its_text() {
    let world = world().await;
    let text = with("type", json!("sync_run.exploded")).to_string();
    let path = world.reject(&text, 60).await;
    let expected = json!({
        "id": path.strip_prefix("/admin/v1/rejected-events/"), "code": "unknown_event_type", "pointer": "/type",
        "detail": Event::parse(&text, world.clock.now()).expect_err("a rejection").detail, "account": "acme",
        "sent_at": "2026-11-23T09:29:00.000Z", "rejected_at": "2026-11-23T09:30:00.000Z",
        "expires_at": "2026-12-07T09:30:00.000Z", "body_bytes": text.len(), "body_truncated": false, "resubmission": null
    });
    let (status, list) = world.admin("GET", LIST, None).await;
    assert_eq!((status, &list["data"]), (200, &json!([expected])));
    let (status, mut read) = world.admin("GET", &path, None).await;
    assert_eq!((status, read["body"].take()), (200, json!(text)));
    read.as_object_mut().expect("an object").remove("body");
    assert_eq!(read, expected);
}

#[tokio::test]
async fn rejected_events_are_listed_newest_first_in_pages_and_filtered() {
    let world = world().await;
    let malformed = world.reject("{", 30).await;
    let early = world.reject(&sample("rival", "evt-1").to_string(), 3 * 86_400).await;
    let wrong = world.reject(r#"{"account":"acme"}"#, 86_400).await;
    let waited = world.reject("[]", 27 * 86_400).await;
    let all = [&malformed, &wrong, &early, &waited].map(String::clone);
    assert_eq!(world.ids("").await, all);
    let (mut seen, mut query) = (Vec::new(), format!("{LIST}?limit=1"));
    for n in 1..=4 {
        let (_, page) = world.admin("GET", &query, None).await;
        seen.extend(page["data"].as_array().expect("a list").iter().map(|one| one["id"].clone()));
        assert_eq!(page["has_more"], json!(n < 4));
        query = format!("{LIST}?limit=1&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    assert_eq!(seen, all.each_ref().map(|path| json!(path.rsplit('/').next())));

    let check = async |query: &str, expected: &[&str]| assert_eq!(world.ids(query).await, expected, "{query}");
    check("?code=malformed_json", &[&malformed]).await;
    check("?code=invalid_event", &[&wrong, &waited]).await;
    check("?code=event_too_large", &[]).await;
    check("?account=acme", &[&wrong]).await;
    check("?account=rival&code=occurred_at_out_of_range", &[&early]).await;
    check("?account=rival&code=malformed_json", &[]).await;
    check("?since=2026-11-22T09:30:00Z", &[&malformed, &wrong]).await;
    check("?until=2026-11-22T09:30:00Z", &[&early, &waited]).await;
    check("?since=2030-01-01T00:00:00Z", &[]).await;
    check("?until=2020-01-01T00:00:00Z", &[]).await;
    for query in ["?code=exploded", "?account=a.b", "?since=noon", "?kode=malformed_json", "?cursor=x"] {
        check_problem(world.admin("GET", &format!("{LIST}{query}"), None).await, 400, "invalid_parameter", None);
    }
}

#[tokio::test]
async fn a_filter_that_leaves_little_looks_at_no_more_than_a_bounded_part_of_them() {
    let world = world().await;
    for n in 0..1_001 {
        world.reject(&format!("{{{n}"), n).await;
    }
    let last = world.reject("[]", 2_000).await;
    let (_, page) = world.admin("GET", &format!("{LIST}?code=invalid_event"), None).await;
    assert_eq!((&page["data"], &page["has_more"]), (&json!([]), &json!(true)));
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    assert_eq!(world.ids(&format!("?code=invalid_event&cursor={cursor}")).await, [last]);
}

#[tokio::test]
async fn what_was_rejected_14_days_ago_is_gone() {
    let world = world().await;
    let path = world.reject("{", 0).await;
    world.clock.advance(KEPT - Duration::from_millis(1));
    assert_eq!(world.ids("").await, std::slice::from_ref(&path));
    world.clock.advance(Duration::from_millis(1));
    assert!(world.ids("").await.is_empty());
    check_problem(world.admin("GET", &path, None).await, 404, "not_found", None);
    check_problem(world.admin("POST", &format!("{path}/resubmit"), None).await, 404, "not_found", None);
}

#[tokio::test]
async fn a_mended_event_is_sent_byte_for_byte_and_noted_and_doing_it_twice_is_harmless() {
    let world = world().await;
    let path = world.reject(&with("scope", json!("xero")).to_string(), 60).await;
    let resubmit = format!("{path}/resubmit");
    let mended = event_text(&account("acme"), "evt-1").replacen("\"data\":{", "\"data\": { ", 1);
    let answer = |status: &str, before: Value| {
        (202, json!({"account": "acme", "event_id": "evt-1", "status": status, "resubmitted_before": before}))
    };
    assert_eq!(world.admin("POST", &resubmit, Some(&mended)).await, answer("accepted", Value::Null));
    assert_eq!(world.queue.take_events(), std::slice::from_ref(&mended));
    let first = world.clock.now().to_string();
    let noted = json!({"at": first, "account": "acme", "event_id": "evt-1"});
    assert_eq!(world.admin("GET", &path, None).await.1["resubmission"], noted);

    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.admin("POST", &resubmit, Some(&mended)).await, answer("accepted", json!(first)));
    let event = Event::parse(&world.queue.take_events()[0], world.clock.now()).map_err(|r| r.detail).expect("an event");
    world.seal(&event).await;
    let second = world.clock.now().to_string();
    assert_eq!(world.admin("POST", &resubmit, Some(&mended)).await, answer("duplicate", json!(second)));
    let other = mended.replace("60000", "60001");
    check_problem(world.admin("POST", &resubmit, Some(&other)).await, 409, "id_reused", Some("/id"));
    assert!(world.queue.take_events().is_empty());
}

#[tokio::test]
async fn without_a_body_the_event_is_sent_as_it_was_if_it_is_right_by_now() {
    let world = world().await;
    // Its time was more than an hour ahead then.
    let text = with("occurred_at", json!("2026-11-23T10:00:00Z")).to_string();
    let path = world.reject(&text, 3_600).await;
    assert_eq!(world.admin("GET", &path, None).await.1["code"], "occurred_at_out_of_range");
    let (status, answer) = world.admin("POST", &format!("{path}/resubmit"), None).await;
    assert_eq!((status, &answer["status"]), (202, &json!("accepted")), "{answer}");
    assert_eq!(world.queue.take_events(), std::slice::from_ref(&text));
    assert_eq!(world.admin("POST", &format!("{path}/resubmit"), Some("null")).await.0, 202);
    assert_eq!(world.queue.take_events(), [text]);

    let cut = world.reject(&"x".repeat(KEPT_BYTES + 1), 0).await;
    let (status, problem) = world.admin("POST", &format!("{cut}/resubmit"), None).await;
    assert!(problem["detail"].as_str().expect("a detail").contains("send the whole event"), "{problem}");
    check_problem((status, problem), 422, "validation_failed", Some(""));
}

#[tokio::test]
async fn what_is_still_wrong_is_pointed_at_and_not_sent() {
    let world = world().await;
    for (text, pointer, detail) in [
        ("{".to_owned(), "", "not valid JSON"),
        (with("scope", json!("xero")).to_string(), "/scope", "must be `*`"),
        (with("occurred_at", json!("2016-11-23T09:29:00Z")).to_string(), "/occurred_at", "at the time of the request"),
        (with("account", json!("nobody")).to_string(), "/account", "is not registered"),
        ("x".repeat(256 * 1024 + 1), "", "262145 bytes"),
    ] {
        let resubmit = format!("{}/resubmit", world.reject(&text, 0).await);
        let answer = world.admin("POST", &resubmit, None).await;
        let told = answer.1["detail"].as_str().expect("a detail").to_owned();
        assert!(told.contains(detail), "{told:?} does not say {detail:?}");
        assert_eq!(told.contains("send the corrected event"), pointer != "/account", "{told}");
        check_problem(answer, 422, "validation_failed", Some(pointer));
    }
    let used = sample("acme", "evt-used");
    world.seal(&Event::parse(&used.to_string(), world.clock.now()).map_err(|r| r.detail).expect("an event")).await;
    let mut reuse = used;
    reuse["data"]["duration_ms"] = json!(1);
    let path = world.reject(&reuse.to_string(), 0).await;
    let resubmit = format!("{path}/resubmit");
    check_problem(world.admin("POST", &resubmit, None).await, 409, "id_reused", Some("/id"));

    for (body, status, code, pointer) in [
        (with("scope", json!("xero")).to_string(), 422, "validation_failed", "/scope"),
        (with("account", json!("nobody")).to_string(), 422, "validation_failed", "/account"),
        (with("data", json!({"run_id": 1})).to_string(), 422, "validation_failed", "/data"),
        ("7".to_owned(), 422, "validation_failed", ""),
        ("[]".to_owned(), 422, "validation_failed", ""),
        ("{".to_owned(), 400, "malformed_json", ""),
        (" ".to_owned(), 400, "malformed_json", ""),
        ("x".repeat(256 * 1024 + 1), 413, "body_too_large", ""),
    ] {
        let answer = world.admin("POST", &resubmit, Some(&body)).await;
        assert!(!answer.1["detail"].as_str().expect("a detail").contains("as it was rejected"), "{}", answer.1);
        check_problem(answer, status, code, Some(pointer));
    }
    let mut event = world.event(As::Operator, "POST", &resubmit, Some("x"));
    event["headers"]["content-type"] = json!("text/plain");
    check_problem(world.gateway(&event.to_string()).await, 415, "unsupported_media_type", None);
    assert_eq!(world.admin("GET", &path, None).await.1["resubmission"], Value::Null);
    assert!(world.queue.take_events().is_empty());
}

#[tokio::test]
async fn a_dismissed_one_is_gone_and_what_is_no_id_is_like_what_is_not_there() {
    let world = world().await;
    let path = world.reject("{", 0).await;
    assert_eq!(world.admin("DELETE", &path, None).await, (204, Value::Null));
    assert!(world.ids("").await.is_empty());
    for path in [&path, &format!("{LIST}/rej_vvvvvvvvvvvvvvvvvvvvvvvvvv"), &format!("{LIST}/x")] {
        check_problem(world.admin("GET", path, None).await, 404, "not_found", None);
        check_problem(world.admin("DELETE", path, None).await, 404, "not_found", None);
        let body = sample("acme", "evt-1").to_string();
        check_problem(world.admin("POST", &format!("{path}/resubmit"), Some(&body)).await, 404, "not_found", None);
    }
}

#[tokio::test]
async fn only_the_operator_sees_rejected_events() {
    let world = world().await;
    let path = world.reject(&with("scope", json!("xero")).to_string(), 0).await;
    for (method, path) in [
        ("GET", LIST.to_owned()),
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/resubmit")),
    ] {
        for who in [As::Account("acme"), As::Nobody] {
            check_problem(world.call(who, method, &path, None).await, 401, "unauthorized", None);
        }
    }
    assert_eq!(world.ids("").await, [path]);
}

#[tokio::test]
async fn what_could_not_be_sent_is_not_noted_as_resubmitted() {
    let world = world().await;
    let path = world.reject(&with("scope", json!("xero")).to_string(), 0).await;
    let (resubmit, mended) = (format!("{path}/resubmit"), sample("acme", "evt-1").to_string());
    world.queue.break_sends(1);
    check_problem(world.admin("POST", &resubmit, Some(&mended)).await, 503, "unavailable", None);
    assert_eq!(world.admin("GET", &path, None).await.1["resubmission"], Value::Null);
    for method in ["list_rejections", "find_rejection", "find_rejected_body", "delete_rejection", "note_resubmission"] {
        world.store.fail(method, 1);
        let answer = match method {
            "list_rejections" => world.admin("GET", LIST, None).await,
            "delete_rejection" => world.admin("DELETE", &path, None).await,
            "note_resubmission" => world.admin("POST", &resubmit, Some(&mended)).await,
            _ => world.admin("GET", &path, None).await,
        };
        check_problem(answer, 503, "unavailable", None);
    }
    // It was sent, but this could not be noted, so the caller tries again.
    assert_eq!(world.queue.take_events().len(), 1);
    assert_eq!(world.admin("POST", &resubmit, Some(&mended)).await.0, 202);
}
