//! The real HTTP adapter against a real receiver on loopback, and against servers that misbehave.

#![expect(clippy::expect_used, clippy::disallowed_methods, reason = "a test, and it measures real time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::{HyperSender, SystemClock};
use domain::attempt::{Exchange, Outcome, SigningSecret};
use domain::delivery::request::sign;
use domain::delivery::{Delivery, DeliveryState, SignedRequest};
use domain::destination::AddressPolicy;
use harness::receiver::{Answer, Receiver};
use ports::{Clock, HttpSender};
use testing::{account, destination, record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn sender(allowed: &str) -> HyperSender {
    let policy = AddressPolicy::new(allowed, true, vec!["api.example".into()]).expect("a policy");
    HyperSender::new(policy, Arc::new(SystemClock)).expect("a sender")
}

fn request(url: &str) -> SignedRequest {
    let target = destination(&account("acme"), 1, url);
    let delivery: Delivery = record(&target, "evt-1", 0, DeliveryState::Cancelled).delivery;
    let secret = SigningSecret::from_entropy([7; 32]);
    sign(&delivery, &target.settings, "{\"a\": 1}", &[secret], 1, SystemClock.now())
}

async fn send(allowed: &str, url: &str) -> Outcome {
    sender(allowed).send(&request(url)).await.expect("an outcome")
}

const LOOPBACK: &str = "127.0.0.0/8,::1/128";

#[tokio::test]
async fn a_request_arrives_as_it_was_signed() {
    let receiver = Receiver::start().await.expect("a receiver");
    receiver.expect_secret("/", &SigningSecret::from_entropy([7; 32]).reveal());
    assert_eq!(send(LOOPBACK, &receiver.url("/hooks?k=v")).await, Outcome::Delivered { status: 200 });
    let arrived = receiver.requests();
    assert_eq!(arrived[0].verified, Ok(()));
    assert_eq!((arrived[0].path.as_str(), &arrived[0].body[..]), ("/hooks?k=v", &b"{\"a\": 1}"[..]));
}

#[tokio::test]
async fn a_refusal_tells_status_wait_and_the_beginning_of_the_answer() {
    let receiver = Receiver::start().await.expect("a receiver");
    receiver.answer("/s", [Answer::status(503).header("retry-after", "7").body("x".repeat(100_000))]);
    let Outcome::Refused { status, retry_after, excerpt } = send(LOOPBACK, &receiver.url("/s")).await else {
        panic!("not refused")
    };
    assert_eq!((status, retry_after, excerpt.len()), (503, Some(Duration::from_secs(7)), 16 * 1024));

    let date = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(60));
    receiver.answer("/d", [Answer::status(429).header("retry-after", &date)]);
    let Outcome::Refused { retry_after: Some(wait), .. } = send(LOOPBACK, &receiver.url("/d")).await else {
        panic!("no wait")
    };
    assert!((50..=60).contains(&wait.as_secs()), "{wait:?}");
}

#[tokio::test]
async fn a_redirect_is_a_refusal_and_is_not_followed() {
    let receiver = Receiver::start().await.expect("a receiver");
    receiver.answer("/from", [Answer::status(302).header("location", &receiver.url("/to"))]);
    let outcome = send(LOOPBACK, &receiver.url("/from")).await;
    assert!(matches!(outcome, Outcome::Refused { status: 302, .. }), "{outcome:?}");
    assert!(receiver.requests_below("/to").is_empty());
}

/// What a server does after the beginning of its answer.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Hang,
    Close,
    GoOn,
    /// Goes on with one byte every 50 ms.
    Drip,
}

/// Starts a server that accepts one connection, reads a request, and writes `answer` to it.
async fn server(answer: impl Into<Vec<u8>>, then: Then) -> String {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        // The request is small, so it comes in one piece.
        let read = connection.read(&mut [0; 8192]).await.expect("a request");
        assert!(read > 0);
        let mut written = connection.write_all(&answer).await;
        while matches!(then, Then::GoOn | Then::Drip) && written.is_ok() {
            let (bytes, pause) = if then == Then::GoOn { (8_192, 0) } else { (1, 50) };
            written = connection.write_all(&vec![b'x'; bytes]).await;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        if then != Then::Close {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn an_endless_answer_is_read_up_to_the_limit_and_no_further() {
    let url = server(b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\r\n", Then::GoOn).await;
    let started = Instant::now();
    let outcome = send(LOOPBACK, &url).await;
    assert!(matches!(outcome, Outcome::Refused { status: 400, .. }), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[track_caller]
fn check_answer(exchange: Exchange, length: usize, truncated: bool) {
    let answer = exchange.answer.expect("an answer");
    assert_eq!((answer.body.len(), answer.truncated), (length, truncated));
}

#[tokio::test]
async fn an_exchange_shows_the_answer_as_far_as_it_was_read() {
    let receiver = Receiver::start().await.expect("a receiver");
    let exchange = async |url: String| sender(LOOPBACK).exchange(&request(&url)).await.expect("an exchange");
    receiver.answer("/s", [Answer::status(201).header("x-served-by", "cache-1").body("thanks")]);
    let shown = exchange(receiver.url("/s")).await;
    assert_eq!(shown.outcome, Outcome::Delivered { status: 201 });
    let answer = shown.answer.expect("an answer");
    assert_eq!((answer.status, answer.text(), answer.truncated), (201, Some("thanks"), false));
    assert!(answer.headers.contains(&("x-served-by".to_owned(), "cache-1".to_owned())), "{:?}", answer.headers);

    receiver.answer("/full", [Answer::status(400).body("x".repeat(16 * 1024))]);
    check_answer(exchange(receiver.url("/full")).await, 16 * 1024, false);
    receiver.answer("/more", [Answer::status(200).body("x".repeat(16 * 1024 + 1))]);
    check_answer(exchange(receiver.url("/more")).await, 16 * 1024, true);
    let broken = server(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this", Then::Close).await;
    check_answer(exchange(broken).await, 9, true);
    let nowhere = exchange(closed_port().await).await;
    assert!(nowhere.answer.is_none() && matches!(nowhere.outcome, Outcome::Unreachable { .. }), "{nowhere:?}");
}

/// The rest of an answer, after its status line, that some client or other cannot read.
fn broken_rests() -> Vec<(Vec<u8>, Then)> {
    let many: String = (0..101).map(|n| format!("x-{n}: y\r\n")).collect();
    let very_many: String = (0..5_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let long = format!("x: {}\r\n\r\n", "y".repeat(1_000_000));
    vec![
        (format!("{many}\r\n").into(), Then::Hang),
        (format!("{very_many}\r\n").into(), Then::Hang),
        (long.into(), Then::Hang),
        (b"x: ".into(), Then::GoOn),
        (b"set-cookie: a=\x01b\r\n\r\n".into(), Then::Hang),
        (b"set-cookie: a=\0\r\n\r\n".into(), Then::Hang),
        (b"no colon\r\n: no name\r\nspace : d\r\n folded\r\n\r\n".into(), Then::Hang),
        (b"content-length: 100\r\n\r\nonly this".into(), Then::Close),
        (b"content-length: 100\r\n\r\nonly this".into(), Then::Hang),
        (b"content-length: 1\r\n\r\nmore than this".into(), Then::Close),
        (b"content-length: 1\r\ncontent-length: 2\r\n\r\nxx".into(), Then::Close),
        (b"content-length: -1\r\n\r\n".into(), Then::Close),
        (b"content-length: 99999999999999999999\r\n\r\n".into(), Then::Close),
        (b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\nxx".into(), Then::Close),
        (b"transfer-encoding: chunked\r\n\r\nzz\r\n".into(), Then::Close),
        (b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n".into(), Then::Close),
        (b"transfer-encoding: chunked\r\n\r\n5\r\nab".into(), Then::Close),
        (b"transfer-encoding: rot13\r\n\r\nnop".into(), Then::Close),
        (b"\r\n".into(), Then::GoOn),
        (b"".into(), Then::Close),
        (b"x-half: a head".into(), Then::Close),
        (b"x-half: a head".into(), Then::Hang),
    ]
}

#[tokio::test]
async fn the_status_decides_whatever_breaks_after_it() {
    let mut sent = Vec::new();
    for status in [200, 204, 299, 302, 429, 500] {
        // The reason is said in all ways.
        for line in [format!("HTTP/1.1 {status} Said\r\n"), format!("HTTP/1.0 {status}\r\n")] {
            for (rest, then) in broken_rests() {
                let answer = [line.as_bytes(), &rest].concat();
                sent.push(async move {
                    let url = server(answer.clone(), then).await;
                    let outcome = tokio::time::timeout(Duration::from_secs(10), send(LOOPBACK, &url)).await;
                    (status, answer, outcome.expect("in time"))
                });
            }
        }
    }
    for (status, answer, outcome) in futures_util::future::join_all(sent).await {
        let shown = answer[..answer.len().min(80)].escape_ascii();
        assert_eq!(outcome.status(), Some(status), "{shown}: {outcome:?}");
        assert_eq!(outcome.is_delivered(), (200..300).contains(&status), "{shown}");
    }
}

#[tokio::test]
async fn an_answer_is_that_after_its_interim_answers_and_a_wait_is_read_beside_what_is_broken() {
    let early = b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n";
    assert_eq!(send(LOOPBACK, &server(early, Then::Hang).await).await, Outcome::Delivered { status: 200 });
    let cookies: String = (0..300).map(|n| format!("set-cookie: {n}=\u{1}\r\nx-{n}: y\r\n")).collect();
    let answer = format!("HTTP/1.1 503 Busy\r\n{cookies}retry-after: 99999999999999999999\r\n\r\nlater");
    let outcome = send(LOOPBACK, &server(answer, Then::Close).await).await;
    assert_eq!(outcome, Outcome::from_answer(503, Some(Duration::from_secs(86_400)), "later".to_owned()));
}

#[tokio::test]
async fn a_receiver_that_drips_holds_no_place() {
    for (answer, status, most) in [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], 200, 1_000),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 16384\r\n\r\n", 200, 1_000),
        (b"HTTP/1.1 500 No\r\n\r\n", 500, 3_000),
        (b"HTTP/1.1 200 OK\r\nx-slow: ", 200, 3_000),
        (b"HTTP/1.1 200 ", 200, 3_000),
    ] {
        let url = server(answer, Then::Drip).await;
        let started = Instant::now();
        let outcome = send(LOOPBACK, &url).await;
        assert_eq!(outcome.status(), Some(status), "{}", answer.escape_ascii());
        let took = started.elapsed();
        assert!(took < Duration::from_millis(most), "{}: {took:?}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn an_answer_counts_that_comes_before_the_request_was_taken() {
    for status in [200, 413] {
        let url = server(format!("HTTP/1.1 {status} Early\r\n\r\n"), Then::Close).await;
        let mut large = request(&url);
        large.body = "x".repeat(4_000_000);
        let outcome = sender(LOOPBACK).send(&large).await.expect("an outcome");
        assert_eq!(outcome.status(), Some(status), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_answers_without_http_is_told_as_that() {
    for (answer, said) in [
        (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], r"SSH-2.0-OpenSSH_9.6\r\n"),
        (b"220 mail.example ESMTP\r\n", r"220 mail.example ESMTP\r\n"),
        (b"\x15\x03\x01\x00\x02\x02\x46", r"\x15\x03\x01\x00\x02\x02F"),
        (b"HTTP/2 200 OK\r\n\r\n", r"HTTP/2 200 OK\r\n\r\n"),
        (b"<html><body>200 OK", "<html><body>200 OK"),
    ] {
        for then in [Then::Hang, Then::Close, Then::GoOn] {
            let outcome = send(LOOPBACK, &server(answer, then).await).await;
            let error = outcome.error().expect("an error");
            assert!(error.starts_with(&format!("answered, but not with HTTP: {said}")), "{error}");
            assert!(error.len() < 300 && outcome.is_foreign(), "{error}");
        }
    }
    // Where HTTP was to be spoken over TLS, something else was spoken at once.
    let plain = server(b"HTTP/1.1 400 Bad Request\r\n\r\n", Then::Hang).await.replace("http://", "https://");
    let outcome = send(LOOPBACK, &plain).await;
    assert!(outcome.is_foreign(), "{outcome:?}");
    assert!(outcome.error().is_some_and(|error| error.starts_with("answered, but not with TLS: ")), "{outcome:?}");
    // Nothing was answered at all.
    let outcome = send(LOOPBACK, &server(b"", Then::Close).await).await;
    assert!(matches!(&outcome, Outcome::Unreachable { .. }) && !outcome.is_foreign(), "{outcome:?}");
}

#[tokio::test]
async fn no_answer_times_out_after_15_seconds() {
    let url = server(b"", Then::Hang).await;
    let started = Instant::now();
    assert_eq!(send(LOOPBACK, &url).await, Outcome::TimedOut);
    assert!((14..20).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_is_not_there_or_speaks_no_http_is_unreachable() {
    for url in
        [server(b"SSH-2.0-OpenSSH\r\n", Then::Hang).await, closed_port().await, "http://no.such.invalid/".to_owned()]
    {
        let outcome = send(LOOPBACK, &url).await;
        assert!(matches!(&outcome, Outcome::Unreachable { reason } if !reason.is_empty()), "{url}: {outcome:?}");
    }
}

async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}/", listener.local_addr().expect("an address"))
}

#[tokio::test]
async fn a_blocked_address_is_never_connected_to_whether_written_or_resolved() {
    let receiver = Receiver::start().await.expect("a receiver");
    let port = receiver.port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        // For a name, only the resolver sees the address.
        format!("http://localhost:{port}/"),
        "https://api.example/v1/destinations".to_owned(),
    ] {
        let outcome = send("", &url).await;
        assert!(matches!(outcome, Outcome::Blocked { .. }), "{url}: {outcome:?}");
    }
    assert!(receiver.requests().is_empty());
    let outcome = send(LOOPBACK, &format!("http://localhost:{port}/")).await;
    assert_eq!(outcome, Outcome::Delivered { status: 200 });
}
