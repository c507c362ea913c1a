//! Connections that the HTTP adapter keeps for the next request, against servers that do what receivers do with them.

#![expect(clippy::expect_used, reason = "a test")]

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapters::HyperSender;
use domain::attempt::{Outcome, SigningSecret};
use domain::delivery::request::sign;
use domain::delivery::{DeliveryState, SignedRequest};
use domain::destination::AddressPolicy;
use domain::value::Timestamp;
use futures_util::future::join_all;
use ports::HttpSender;
use testing::{TestClock, account, destination, record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{advance, pause, resume, sleep};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What a server does with a request.
#[derive(Clone, Copy)]
enum Step {
    Answer(&'static [u8]),
    /// Answers and then closes the connection without having said so.
    AnswerAndClose(&'static [u8]),
    /// Closes the connection instead of answering.
    Close,
    /// Resets it.
    Reset,
}

/// A server, and what came to it.
#[derive(Default)]
struct Server {
    connections: AtomicUsize,
    requests: AtomicUsize,
    /// What it does with the next requests. With all others it does what the last one says.
    steps: Mutex<Vec<Step>>,
}

impl Server {
    /// Starts one that does these things, in this order, whichever connection the requests come on.
    async fn start(steps: &[Step]) -> (Arc<Self>, String) {
        let steps = steps.iter().rev().copied().collect();
        let server = Arc::new(Self { steps: Mutex::new(steps), ..Self::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let accepting = Arc::clone(&server);
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.expect("a connection");
                accepting.connections.fetch_add(1, SeqCst);
                tokio::spawn(Arc::clone(&accepting).serve(connection));
            }
        });
        (server, url)
    }

    async fn serve(self: Arc<Self>, mut connection: TcpStream) {
        // A request is small, so it comes in one piece.
        while connection.read(&mut [0; 8_192]).await.is_ok_and(|read| read > 0) {
            self.requests.fetch_add(1, SeqCst);
            let step = {
                let mut steps = self.steps.lock().expect("steps");
                if steps.len() > 1 { steps.pop() } else { steps.last().copied() }
            };
            match step.expect("a step") {
                Step::Answer(answer) => connection.write_all(answer).await.expect("written"),
                Step::AnswerAndClose(answer) => return connection.write_all(answer).await.expect("written"),
                Step::Close => return,
                Step::Reset => return connection.set_zero_linger().expect("an option"),
            }
        }
    }

    /// How many connections and requests came.
    fn came(&self) -> (usize, usize) {
        (self.connections.load(SeqCst), self.requests.load(SeqCst))
    }
}

fn sender() -> (HyperSender, Arc<TestClock>) {
    let (clock, policy) = (Arc::new(TestClock::new()), AddressPolicy::new("127.0.0.0/8", true, Vec::new()));
    (HyperSender::new(policy.expect("a policy"), clock.clone()).expect("a sender"), clock)
}

fn request(url: &str) -> SignedRequest {
    let target = destination(&account("acme"), 1, url);
    let delivery = record(&target, "evt-1", 0, DeliveryState::Cancelled).delivery;
    let secret = SigningSecret::from_entropy([7; 32]);
    sign(&delivery, &target.settings, "{}", &[secret], 1, Timestamp::from_unix_ms(0))
}

const DELIVERED: Outcome = Outcome::Delivered { status: 200 };

#[tokio::test]
async fn requests_in_a_row_share_a_connection() {
    let (server, url) = Server::start(&[Step::Answer(OK)]).await;
    let (sender, _) = sender();
    for _ in 0..5 {
        assert_eq!(sender.send(&request(&url)).await.expect("an outcome"), DELIVERED);
    }
    assert_eq!(server.came(), (1, 5));
    for _ in 0..3 {
        let requests: Vec<_> = (0..10).map(|_| request(&url)).collect();
        join_all(requests.iter().map(|request| sender.send(request))).await.into_iter().for_each(|outcome| {
            assert_eq!(outcome.expect("an outcome"), DELIVERED);
        });
    }
    let (connections, requests) = server.came();
    assert!(connections <= 10, "{connections}: those that are sent at once have one each, and use it again");
    assert_eq!(requests, 35);
}

#[tokio::test]
async fn an_idle_or_an_old_connection_is_not_used_again() {
    let (server, url) = Server::start(&[Step::Answer(OK)]).await;
    let (sender, clock) = sender();
    let send = async || assert_eq!(sender.send(&request(&url)).await.expect("an outcome"), DELIVERED);
    send().await;
    clock.advance(Duration::from_millis(1_900));
    send().await;
    assert_eq!(server.came(), (1, 2));
    // The container was frozen, and only the clock on the wall went on.
    clock.advance(Duration::from_secs(2));
    send().await;
    assert_eq!(server.came(), (2, 3));
    for _ in 0..11 {
        pause();
        advance(Duration::from_millis(1_900)).await;
        resume();
        send().await;
    }
    assert_eq!(server.came(), (3, 14), "after 20 s the name is looked up again");
    pause();
    advance(Duration::from_secs(2)).await;
    resume();
    send().await;
    assert_eq!(server.came(), (4, 15));
}

#[track_caller]
fn check_came(server: &Server, expected: (usize, usize)) {
    assert_eq!(server.came(), expected);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_no_attempt() {
    for (first, next, requests) in [
        (Step::AnswerAndClose(OK), Step::Answer(OK), 2),
        // It closes or breaks just when the next request comes.
        (Step::Answer(OK), Step::Close, 3),
        (Step::Answer(OK), Step::Reset, 3),
    ] {
        let (server, url) = Server::start(&[first, next, Step::Answer(OK)]).await;
        let (sender, _) = sender();
        assert_eq!(sender.send(&request(&url)).await.expect("an outcome"), DELIVERED);
        sleep(Duration::from_millis(20)).await;
        assert_eq!(sender.send(&request(&url)).await.expect("an outcome"), DELIVERED);
        check_came(&server, (2, requests));
    }
}

#[tokio::test]
async fn a_new_connection_that_is_closed_is_a_failure_and_is_not_tried_twice() {
    let (server, url) = Server::start(&[Step::Answer(OK), Step::Close]).await;
    let (sender, _) = sender();
    assert_eq!(sender.send(&request(&url)).await.expect("an outcome"), DELIVERED);
    let outcome = sender.send(&request(&url)).await.expect("an outcome");
    assert!(matches!(outcome, Outcome::Unreachable { .. }), "{outcome:?}");
    check_came(&server, (2, 3));
}

#[tokio::test]
async fn what_was_not_read_to_its_end_is_not_kept() {
    const ENDLESS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok";
    const LAST: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    for answer in [ENDLESS, LAST] {
        let (server, url) = Server::start(&[Step::Answer(answer)]).await;
        let (sender, _) = sender();
        for _ in 0..2 {
            assert_eq!(sender.send(&request(&url)).await.expect("an outcome"), DELIVERED);
        }
        check_came(&server, (2, 2));
    }
}

#[tokio::test]
async fn each_answer_of_a_connection_decides_about_its_own_request() {
    const REFUSED: &[u8] = b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno";
    const BROKEN: &[u8] = b"HTTP/1.1 201 Created\r\nx y z\r\ncontent-length: a\r\n\r\n";
    let steps = [OK, REFUSED, OK, BROKEN, OK, b"SSH-2.0-OpenSSH\r\n"].map(Step::Answer);
    let (server, url) = Server::start(&steps).await;
    let (sender, _) = sender();
    let mut outcomes = Vec::new();
    for _ in 0..6 {
        outcomes.push(sender.send(&request(&url)).await.expect("an outcome"));
    }
    let statuses: Vec<_> = outcomes.iter().map(Outcome::status).collect();
    assert_eq!(statuses, [Some(200), Some(500), Some(200), Some(201), Some(200), None]);
    assert!(
        matches!(&outcomes[5], Outcome::Unreachable { reason } if reason.contains("not with HTTP")),
        "{outcomes:?}"
    );
    assert_eq!(server.came().1, 6, "what answers is not asked twice");
}
