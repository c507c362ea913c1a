//! Tests of the receiver, which other tests rely on. They make signatures with the library that verifies them.

use std::time::Duration;

use http::Request;
use standardwebhooks::Webhook;

use super::*;
use crate::signed_http::SignedHttp;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const LIMIT: Duration = Duration::from_secs(5);

async fn post(receiver: &Receiver, path: &str, secret: &str, body: &str) -> Result<u16> {
    post_at(receiver, path, secret, body, OffsetDateTime::now_utc().unix_timestamp()).await
}

async fn post_at(receiver: &Receiver, path: &str, secret: &str, body: &str, at: i64) -> Result<u16> {
    let signature = Webhook::new(secret).expect("a secret").sign("dlv_1", at, b"{}").expect("a signature");
    let request = Request::post(receiver.url(path))
        .header("webhook-id", "dlv_1")
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signature)
        .body(body.as_bytes().to_vec())
        .expect("a request");
    let http = SignedHttp::new("unused.localhost", 1).expect("a client");
    Ok(http.send(request).await?.status().as_u16())
}

#[track_caller]
fn check_below(prefix: &str, path: &str, expected: bool) {
    assert_eq!(below(prefix, path), expected, "{path} below {prefix}");
}

#[test]
fn prefixes_end_between_segments() {
    check_below("/", "/anything", true);
    check_below("/a", "/a", true);
    check_below("/a/", "/a", true);
    check_below("/a", "/a/b", true);
    check_below("/a", "/a?b=c", true);
    check_below("/a", "/ab", false);
    check_below("/a/b", "/a", false);
}

#[tokio::test]
async fn a_signature_is_verified_with_any_secret_of_the_path_and_no_other() {
    let receiver = Receiver::start().await.expect("a receiver");
    receiver.expect_secret("/", OTHER_SECRET);
    receiver.expect_secret("/acme", OTHER_SECRET);
    receiver.expect_secret("/acme", SECRET);
    for (path, body) in [("/acme/invoices", "{}"), ("/", "{}"), ("/acme", "{ }")] {
        assert_eq!(post(&receiver, path, SECRET, body).await.expect("an answer"), 200);
    }
    let verified: Vec<_> = receiver.requests().into_iter().map(|request| request.verified).collect();
    let wrong = || Err("signature invalid".to_owned());
    assert_eq!(verified, [Ok(()), wrong(), wrong()]);
}

#[tokio::test]
async fn a_request_without_a_registered_secret_is_not_verified() {
    let receiver = Receiver::start().await.expect("a receiver");
    post(&receiver, "/", SECRET, "{}").await.expect("an answer");
    assert_eq!(receiver.requests()[0].verified, Err("no secret is registered for this path".to_owned()));
}

#[tokio::test]
async fn a_guard_lets_in_what_it_checks_and_what_it_does_not_look_at() {
    let receiver = Receiver::start().await.expect("a receiver");
    receiver.expect_secret("/", SECRET);
    let now = OffsetDateTime::now_utc().unix_timestamp();
    for (path, guard, [good, wrong_signature, old_timestamp, altered_body]) in [
        ("/a", Guard::Verifies, [200, 401, 401, 401]),
        ("/b", Guard::SkipsTimestamp, [200, 401, 200, 401]),
        ("/c", Guard::SkipsSignature, [200, 200, 401, 200]),
    ] {
        receiver.guard(path, guard);
        for (secret, body, at, status) in [
            (SECRET, "{}", now, good),
            (OTHER_SECRET, "{}", now, wrong_signature),
            (SECRET, "{}", now - 360, old_timestamp),
            (SECRET, "{ }", now, altered_body),
        ] {
            assert_eq!(post_at(&receiver, path, secret, body, at).await.expect("an answer"), status, "{guard:?}");
        }
    }
}

#[tokio::test]
async fn answers_are_given_in_order_and_the_last_one_for_ever() {
    let receiver = Receiver::start().await.expect("a receiver");
    receiver.answer("/flaky", [Answer::status(500), Answer::close(), Answer::status(204)]);
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(post(&receiver, "/flaky", SECRET, "{}").await.ok());
    }
    assert_eq!(answers, [Some(500), None, Some(204), Some(204)]);
    assert_eq!(post(&receiver, "/other", SECRET, "{}").await.expect("an answer"), 200);
    assert_eq!(receiver.requests_below("/flaky").len(), 4);
}

#[tokio::test]
async fn a_wait_ends_when_the_request_arrives_even_if_it_is_answered_much_later() {
    let receiver = Receiver::start().await.expect("a receiver");
    receiver.answer("/slow", [Answer::status(200).after(Duration::from_secs(600))]);
    let arrived = receiver.await_count("/slow", 1, LIMIT);
    let posted = post(&receiver, "/slow", SECRET, "{}");
    tokio::select! {
        arrived = arrived => assert_eq!(arrived.expect("a request").len(), 1),
        _ = posted => panic!("it was answered"),
    }
}

#[tokio::test]
async fn a_wait_in_vain_says_what_did_arrive() {
    let receiver = Receiver::start().await.expect("a receiver");
    post(&receiver, "/here", SECRET, "{}").await.expect("an answer");
    let failure = receiver.await_count("/there", 1, Duration::ZERO).await.expect_err("nothing arrives");
    assert!(failure.to_string().contains("1 requests at /there; 1 requests arrived"), "{failure}");
    assert!(failure.to_string().contains("/here"), "{failure}");
}

#[tokio::test]
async fn a_receiver_that_went_down_comes_back_at_its_port() {
    let receiver = Receiver::start().await.expect("a receiver");
    let port = receiver.port();
    drop(receiver);
    let mut again = Receiver::start_at(port).await;
    while again.is_err() {
        tokio::task::yield_now().await;
        again = Receiver::start_at(port).await;
    }
    assert_eq!(again.expect("a receiver").port(), port);
}
