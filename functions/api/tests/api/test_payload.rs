//! Test payloads, over scripted receivers: what is sent, what is answered, and what is said about the answers.

use std::time::Duration;

use domain::attempt::signature::signature;
use domain::attempt::{Answer, SigningSecret};
use ports::{Clock, TakenPlace, TestPlaces};
use serde_json::{Value, json};
use testing::Step;

use crate::world::{As, World, check_problem, world};

const URL: &str = "https://example.com/";

fn at(destination: &Value) -> String {
    format!("/v1/destinations/{}/test", destination["id"].as_str().expect("an id"))
}

/// Tests a new destination whose receiver does `steps`.
async fn test(world: &World, steps: impl IntoIterator<Item = Step>, prove: bool) -> Value {
    let destination = world.destination("acme").await;
    world.sender.script(URL, steps);
    let body = json!({"event_type": "sync_run.completed", "status": "failed", "prove": prove});
    let (status, answer) = world.post("acme", &at(&destination), body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn header<'a>(request: &'a Value, name: &str) -> &'a str {
    let headers = request["headers"].as_array().expect("headers");
    headers.iter().find(|h| h["name"] == name).and_then(|h| h["value"].as_str()).unwrap_or_default()
}

fn signatures_of(request: &Value, secret: &SigningSecret) -> String {
    let timestamp = header(request, "webhook-timestamp").parse().expect("a time");
    signature(secret, header(request, "webhook-id"), timestamp, request["body"].as_str().expect("a body"))
}

#[tokio::test]
async fn the_sample_is_sent_as_a_delivery_is_and_the_request_is_answered_exactly() {
    let world = world().await;
    let settings = json!({
        "name": "Billing", "url": "https://example.com/hooks?k=v", "headers": {"X-Team": "data"}, "timeout_seconds": 7
    });
    let (_, destination) = world.post("acme", "/v1/destinations", settings).await;
    let full = Answer::new(202, [("x-served-by", &b"cache-1"[..])].into_iter(), b"thanks".to_vec(), false);
    world.sender.script("https://example.com/hooks/invoices?k=v", [Step::AnswerInFull(full)]);
    let body = json!({"event_type": "sync_run.completed", "status": "partial", "path": "/invoices"});
    let (status, answer) = world.post("acme", &at(&destination), body).await;
    assert_eq!(status, 200, "{answer}");

    let sent = world.sender.requests();
    assert_eq!(sent.len(), 1);
    let request = &answer["request"];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["url"], "https://example.com/hooks/invoices?k=v");
    assert_eq!(request["body"], sent[0].body);
    let headers: Vec<_> = sent[0].headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    assert_eq!(request["headers"], json!(headers));
    assert_eq!(sent[0].timeout.as_secs(), 7);
    assert_eq!((header(request, "x-team"), header(request, "webhook-attempt")), ("data", "1"));

    let sample: Value = serde_json::from_str(&sent[0].body).expect("JSON");
    assert_eq!((&sample["test"], &sample["account"]), (&json!(true), &json!("acme")));
    assert_eq!((&sample["type"], &sample["data"]["status"]), (&json!("sync_run.completed"), &json!("partial")));
    assert_eq!(sample["id"], answer["event_id"]);

    let secret = destination["secret"].as_str().expect("a secret");
    assert_eq!(header(request, "webhook-signature"), signatures_of(request, &secret.parse().expect("a secret")));
    let id = header(request, "webhook-id");
    assert!(id.starts_with(&destination["id"].as_str().expect("an id").replace("dst_", "dlv_")), "{id}");
    assert_eq!(request["signed_text"], format!("{id}.{}.{}", header(request, "webhook-timestamp"), sent[0].body));
    assert!(!answer.to_string().contains(secret), "the secret was shown");

    assert_eq!(
        (&answer["verdict"], &answer["detail"]),
        (&json!("delivered"), &json!("answered 202: deliveries are accepted here"))
    );
    let response = json!({
        "status": 202, "headers": [{"name": "x-served-by", "value": "cache-1"}],
        "body": "thanks", "body_is_text": true, "truncated": false
    });
    assert_eq!(answer["response"], response);
    assert_eq!((&answer["proven"], &answer["conclusion"], &answer["checks"]), (&Value::Null, &Value::Null, &json!([])));
}

#[tokio::test]
async fn a_test_without_status_sends_the_most_usual_sample_each_time_under_another_id() {
    let world = world().await;
    let destination = world.destination("acme").await;
    let body = json!({"event_type": "insight_population.completed"});
    let (_, first) = world.post("acme", &at(&destination), body.clone()).await;
    let (_, second) = world.post("acme", &at(&destination), body).await;
    let sample: Value = serde_json::from_str(first["request"]["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(sample["data"]["status"], "succeeded");
    assert_ne!(header(&first["request"], "webhook-id"), header(&second["request"], "webhook-id"));
}

#[tokio::test]
async fn a_paused_destination_is_tested_too_with_every_live_secret() {
    let world = world().await;
    let destination = world.destination("acme").await;
    let path = at(&destination).replace("/test", "");
    let (status, _) = world.call(As::Account("acme"), "PATCH", &path, Some(r#"{"paused": true}"#)).await;
    assert_eq!(status, 200);
    let (_, rotated) = world.post("acme", &format!("{path}/secrets/rotate"), json!({})).await;
    let (_, answer) = world.post("acme", &at(&destination), json!({"event_type": "sync_run.completed"})).await;
    assert_eq!(answer["verdict"], "delivered");
    let expected = [&rotated, &destination].map(|shown| {
        signatures_of(&answer["request"], &shown["secret"].as_str().expect("a secret").parse().expect("a secret"))
    });
    assert_eq!(header(&answer["request"], "webhook-signature"), expected.join(" "));
}

#[track_caller]
fn check_verdict(answer: &Value, verdict: &str, detail: &str) {
    assert_eq!(answer["verdict"], verdict, "{answer}");
    assert!(answer["detail"].as_str().is_some_and(|text| text.contains(detail)), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn every_outcome_has_its_verdict_and_says_what_to_do() {
    let world = world().await;
    check_verdict(&test(&world, [Step::Answer(401)], false).await, "refused", "current secret");
    let answer = test(&world, [Step::Hang], false).await;
    check_verdict(&answer, "timed_out", "within 15 s");
    assert_eq!((&answer["response"], &answer["duration_ms"]), (&Value::Null, &json!(15_000)));
    check_verdict(&test(&world, [Step::Unreachable], false).await, "unreachable", "(connection refused)");
    check_verdict(&test(&world, [Step::Blocked], false).await, "blocked_address", "is never called");
    let bytes = Answer::new(400, std::iter::empty(), vec![0xff, 0xfe], true);
    let answer = test(&world, [Step::AnswerInFull(bytes)], false).await;
    let response = json!({"status": 400, "headers": [], "body": null, "body_is_text": false, "truncated": true});
    assert_eq!(answer["response"], response);
}

/// The names of the checks that did not pass.
fn failing(answer: &Value) -> Vec<&str> {
    let checks = answer["checks"].as_array().expect("checks");
    checks.iter().filter(|check| check["passed"] == false).filter_map(|check| check["name"].as_str()).collect()
}

#[tokio::test]
async fn three_forged_requests_follow_a_good_one_and_all_must_be_refused() {
    let world = world().await;
    let destination = world.destination("acme").await;
    world.sender.script(URL, [Step::Answer(204), Step::Answer(401), Step::Answer(400), Step::Answer(403)]);
    let body = json!({"event_type": "sync_run.completed", "prove": true});
    let (_, answer) = world.post("acme", &at(&destination), body).await;
    assert_eq!((&answer["proven"], failing(&answer)), (&json!(true), vec![]), "{answer}");
    assert!(answer["conclusion"].as_str().is_some_and(|text| text.contains("refuses all three")));

    let secret: SigningSecret = destination["secret"].as_str().expect("a secret").parse().expect("a secret");
    let checks = answer["checks"].as_array().expect("checks");
    let of = |name| checks.iter().find(|check| check["name"] == name).expect("a check");
    let (wrong, old, altered) = (of("wrong_signature"), of("old_timestamp"), of("altered_body"));
    let good = &answer["request"];
    for (check, verifies, status) in [(wrong, false, 401), (old, true, 400), (altered, false, 403)] {
        let request = &check["request"];
        assert_eq!(header(request, "webhook-signature") == signatures_of(request, &secret), verifies, "{check}");
        assert_eq!(check["response"]["status"], status);
        assert_ne!(header(request, "webhook-id"), header(good, "webhook-id"), "each request has an id of its own");
    }
    let seconds = |request: &Value| header(request, "webhook-timestamp").parse::<u64>().expect("a time");
    assert_eq!(seconds(good) - seconds(&old["request"]), 360);
    assert_eq!(wrong["request"]["body"], good["body"]);
    assert_ne!(altered["request"]["body"], good["body"]);
    assert!(
        altered["request"]["signed_text"]
            .as_str()
            .is_some_and(|text| text.ends_with(good["body"].as_str().expect("text")))
    );
    let sent: Vec<_> = world.sender.requests().into_iter().map(|request| json!(request.body)).collect();
    let told = [good, &wrong["request"], &old["request"], &altered["request"]].map(|request| request["body"].clone());
    assert_eq!(sent, told);
}

#[tokio::test]
async fn a_receiver_that_accepts_or_fails_on_a_forged_request_is_not_proven_and_is_told_which() {
    let world = world().await;
    let codes = |codes: [u16; 4]| codes.map(Step::Answer);
    let answer = test(&world, codes([200, 401, 200, 401]), true).await;
    assert_eq!((&answer["proven"], failing(&answer)), (&json!(false), vec!["old_timestamp"]));
    assert!(answer["checks"][1]["detail"].as_str().is_some_and(|text| text.contains("five minutes")));
    let answer = test(&world, codes([200, 200, 401, 200]), true).await;
    assert_eq!(failing(&answer), ["wrong_signature", "altered_body"]);
    assert_eq!(answer["conclusion"], "not proven: see wrong_signature, altered_body");
    let answer = test(&world, codes([200, 500, 302, 429]), true).await;
    assert_eq!(failing(&answer), ["wrong_signature", "old_timestamp", "altered_body"]);
}

#[tokio::test]
async fn nothing_is_forged_for_a_receiver_that_refuses_the_good_request() {
    let world = world().await;
    let answer = test(&world, [Step::Answer(401)], true).await;
    assert_eq!((&answer["proven"], failing(&answer).len()), (&json!(false), 3));
    assert_eq!(answer["conclusion"], "not proven: the good request was not accepted; mend that first");
    for check in answer["checks"].as_array().expect("checks") {
        assert_eq!(
            (&check["request"], &check["response"], &check["duration_ms"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        assert!(check["detail"].as_str().is_some_and(|text| text.starts_with("not run: the good request")), "{check}");
    }
    assert_eq!(world.sender.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_test_ends_within_25_seconds_whatever_the_receiver_does() {
    let world = world().await;
    let settings = json!({"name": "Slow", "url": URL, "timeout_seconds": 30});
    let (_, destination) = world.post("acme", "/v1/destinations", settings).await;
    let body = json!({"event_type": "sync_run.completed", "prove": true});
    for (steps, passed, detail) in [
        (vec![Step::Hang], 0, "not run: the good request"),
        (vec![Step::Answer(200), Step::Hang, Step::Hang, Step::Hang], 0, "did not answer in time"),
        (vec![Step::AnswerAfter(200, Duration::from_millis(23_500)), Step::Hang], 0, "not run: no time was left"),
        (
            vec![
                Step::AnswerAfter(200, Duration::from_secs(20)),
                Step::AnswerAfter(401, Duration::from_secs(3)),
                Step::Answer(401),
                Step::Hang,
            ],
            2,
            "did not answer",
        ),
    ] {
        let begun = tokio::time::Instant::now();
        world.sender.script(URL, steps);
        let (status, answer) = world.post("acme", &at(&destination), body.clone()).await;
        assert_eq!((status, &answer["proven"]), (200, &json!(false)), "{answer}");
        assert!(begun.elapsed().as_secs() < 25, "{:?}", begun.elapsed());
        assert_eq!(failing(&answer).len(), 3 - passed, "{answer}");
        let last = answer["checks"][2]["detail"].as_str().expect("a detail");
        assert!(last.contains(detail), "{last:?} has no {detail:?}");
    }
}

#[tokio::test]
async fn a_test_reads_the_destination_and_writes_nothing_but_its_place() {
    let world = world().await;
    let destination = world.destination("acme").await;
    world.store.take_calls();
    let body = json!({"event_type": "sync_run.completed", "prove": true});
    assert_eq!(world.post("acme", &at(&destination), body).await.0, 200);
    assert_eq!(world.sender.requests().len(), 4);
    assert_eq!(world.store.take_calls(), ["find_destination", "take_test_place", "leave_test_place"]);
}

#[tokio::test]
async fn five_tests_of_an_account_are_made_at_once_and_one_more_is_told_when_to_come_back() {
    let world = world().await;
    let (mine, theirs) = (world.destination("acme").await, world.destination("rival").await);
    let body = || json!({"event_type": "sync_run.completed"});
    // Receivers that never answer hold all places; one has 7 s left.
    let (acme, now) = (testing::account("acme"), world.clock.now());
    for seconds in [20, 7, 20, 20, 20] {
        let until = now.plus(Duration::from_secs(seconds));
        let taken = world.store.take_test_place(&acme, now, until, 5).await.expect("an answer");
        assert!(matches!(taken, TakenPlace::Taken(_)));
    }
    let refused = world.post("acme", &at(&mine), body()).await;
    assert!(refused.1["detail"].as_str().is_some_and(|detail| detail.contains("5 tests")), "{}", refused.1);
    check_problem(refused, 429, "rate_limited", None);
    assert_eq!(world.sender.requests(), [], "nothing was sent");
    assert_eq!(world.post("rival", &at(&theirs), body()).await.0, 200, "others are not affected");
    // What was never left is free when its time has passed, and what was left at once.
    world.clock.advance(Duration::from_secs(8));
    for _ in 0..3 {
        assert_eq!(world.post("acme", &at(&mine), body()).await.0, 200);
    }
}

#[tokio::test]
async fn what_is_wrong_is_pointed_at_and_whoever_may_not_is_refused() {
    let world = world().await;
    let destination = world.destination("acme").await;
    let path = at(&destination);
    for (body, pointer) in [
        (json!({"event_type": "sync_run.exploded"}), "/event_type"),
        (json!({"event_type": "*"}), "/event_type"),
        (json!({"event_type": "sync_run.completed", "status": "exploded"}), "/status"),
        (json!({"event_type": "sync_run.completed", "path": "/../admin"}), "/path"),
        (json!({"event_type": "sync_run.completed", "prove": "yes"}), "/prove"),
        (json!({"event_type": "sync_run.completed", "url": "https://elsewhere.example/"}), "/url"),
        (json!({}), ""),
    ] {
        check_problem(world.post("acme", &path, body).await, 422, "validation_failed", Some(pointer));
    }
    let body = json!({"event_type": "sync_run.completed"}).to_string();
    let unknown = "/v1/destinations/dst_vvvvvvvvvvvvvvvv/test";
    for (who, path, status, code) in [
        (As::Account("rival"), path.as_str(), 404, "not_found"),
        (As::Account("acme"), unknown, 404, "not_found"),
        (As::Role("acme", "viewer"), &path, 403, "forbidden"),
        (As::Role("acme", "publisher"), &path, 403, "forbidden"),
        (As::Operator, &path, 401, "unauthorized"),
        (As::Nobody, &path, 401, "unauthorized"),
    ] {
        check_problem(world.call(who, "POST", path, Some(&body)).await, status, code, None);
    }
    check_problem(world.call(As::Account("acme"), "GET", &path, None).await, 405, "method_not_allowed", None);
    assert!(world.sender.requests().is_empty(), "something was sent");
    assert_eq!(world.call(As::Role("acme", "editor"), "POST", &path, Some(&body)).await.0, 200);
}

#[tokio::test]
async fn a_failure_of_ours_is_no_verdict() {
    let world = world().await;
    let destination = world.destination("acme").await;
    for steps in [vec![Step::Fail], vec![Step::Answer(200), Step::Answer(401), Step::Fail]] {
        world.sender.script(URL, steps);
        let body = json!({"event_type": "sync_run.completed", "prove": true});
        check_problem(world.post("acme", &at(&destination), body).await, 503, "unavailable", None);
    }
}
