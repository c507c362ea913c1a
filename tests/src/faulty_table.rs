//! A proxy between the functions and DynamoDB that sometimes throttles, fails or cuts the connection, until it is told
//! to stop; or that is only slow.
//!
//! Faults look like DynamoDB's own, so that the SDK's retries are tested too. Some come in bursts that last longer than
//! those retries. A cut connection loses the answer to a request that was carried out. Requests that pass are not
//! changed, and neither are their signatures. The proxy runs within the test, which switches the faults off and counts
//! them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use harness::failure::{OrFailure, Result};
use harness::receiver::severable::{self, Connection, Down};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::chance::Chance;

/// How many of a thousand requests are throttled outside of a burst, throttled in a burst, failed, and cut.
const THROTTLED: u64 = 40;
const THROTTLED_IN_A_BURST: u64 = 850;
const FAILED: u64 = 5;
const CUT: u64 = 5;
/// One second out of this many is a burst: the first.
const BETWEEN_BURSTS: u64 = 8;

/// A running proxy. Dropping it closes its port.
#[derive(Debug)]
pub struct FaultyTable {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    down: Down,
}

/// How many requests there were, by what happened to them.
#[derive(Debug, Default)]
pub struct Faults {
    pub passed: AtomicUsize,
    pub throttled: AtomicUsize,
    pub failed: AtomicUsize,
    pub cut: AtomicUsize,
}

#[derive(Debug)]
struct Shared {
    /// The address of DynamoDB.
    target: String,
    client: reqwest::Client,
    started: Instant,
    faulty: AtomicBool,
    /// How long each request waits before it is passed on, in milliseconds.
    delay: AtomicU64,
    chance: Mutex<Chance>,
    faults: Faults,
}

enum Fate {
    Passes,
    Throttled,
    Fails,
    IsCut,
}

impl FaultyTable {
    /// Starts a proxy with faults in front of the table at `target`, such as `http://127.0.0.1:8000`.
    pub async fn start(target: String, chance: Chance) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.or_failure(|| "no port for a proxy")?;
        let address = listener.local_addr().or_failure(|| "the proxy has no address")?;
        // This fails if a provider is already installed, which is fine. The client needs one, although nothing uses
        // TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().or_failure(|| "cannot build an HTTP client")?;
        let shared = Arc::new(Shared {
            target,
            client,
            started: Instant::now(),
            faulty: AtomicBool::new(true),
            delay: AtomicU64::new(0),
            chance: Mutex::new(chance),
            faults: Faults::default(),
        });
        let (server, down) = severable::serve(listener, Router::new().fallback(handle).with_state(Arc::clone(&shared)));
        Ok(Self { address, shared, server, down })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets everything pass from now on.
    pub fn mend(&self) {
        self.shared.faulty.store(false, Ordering::Relaxed);
    }

    /// Lets each request wait this long from now on.
    pub fn slow_down(&self, delay: Duration) {
        self.shared.delay.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }
}

impl Drop for FaultyTable {
    fn drop(&mut self) {
        self.down.set();
        self.server.abort();
    }
}

impl Shared {
    fn fate(&self) -> Fate {
        if !self.faulty.load(Ordering::Relaxed) {
            return Fate::Passes;
        }
        let burst = self.started.elapsed().as_secs().is_multiple_of(BETWEEN_BURSTS);
        let throttled = if burst { THROTTLED_IN_A_BURST } else { THROTTLED };
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        if chance.per_mille(throttled) {
            Fate::Throttled
        } else if chance.per_mille(FAILED) {
            Fate::Fails
        } else if chance.per_mille(CUT) {
            Fate::IsCut
        } else {
            Fate::Passes
        }
    }

    async fn pass(&self, method: Method, uri: &Uri, mut headers: HeaderMap, body: Bytes) -> Result<Response> {
        headers.remove(header::CONNECTION);
        headers.remove(header::CONTENT_LENGTH);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = self.client.request(method, format!("{}{path}", self.target)).headers(headers).body(body);
        let answer = request.send().await.or_failure(|| "the table did not answer")?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        for name in [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let mut response = Response::new(Body::from(answer.bytes().await.or_failure(|| "half an answer")?));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let count = |counter: &AtomicUsize| counter.fetch_add(1, Ordering::Relaxed);
    let fate = shared.fate();
    match fate {
        Fate::Throttled => {
            let name = if count(&shared.faults.throttled).is_multiple_of(2) {
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
            } else {
                "com.amazon.coral.availability#ThrottlingException"
            };
            return refuse(StatusCode::BAD_REQUEST, name);
        }
        Fate::Fails => {
            count(&shared.faults.failed);
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "com.amazonaws.dynamodb.v20120810#InternalServerError");
        }
        Fate::Passes => count(&shared.faults.passed),
        Fate::IsCut => count(&shared.faults.cut),
    };
    tokio::time::sleep(Duration::from_millis(shared.delay.load(Ordering::Relaxed))).await;
    let answer = shared.pass(method, &uri, headers, body).await;
    if answer.is_err() || matches!(fate, Fate::IsCut) {
        connection.sever();
    }
    answer.unwrap_or_default()
}

/// An error in DynamoDB's form.
fn refuse(status: StatusCode, name: &str) -> Response {
    let body = serde_json::json!({"__type": name, "message": "injected by a test"}).to_string();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::receiver::{Answer, Receiver};

    #[tokio::test]
    async fn faults_of_every_kind_come_until_it_is_mended_and_a_cut_loses_the_answer_only() {
        let table = Receiver::start().await.expect("something to stand for the table");
        table.answer("/", [Answer::status(200).body("an answer")]);
        let proxy = FaultyTable::start(table.url(""), Chance::from_seed(1)).await.expect("a proxy");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let call = async || Some(client.post(proxy.url()).body("{}").send().await.ok()?.status().as_u16());
        let (mut answers, mut tries) = (std::collections::BTreeSet::new(), 0);
        while answers.len() < 4 {
            answers.insert(call().await);
            tries += 1;
            assert!(tries < 100_000, "only {answers:?}");
        }
        assert_eq!(answers, [None, Some(200), Some(400), Some(500)].into());

        proxy.mend();
        for _ in 0..1_000 {
            assert_eq!(call().await, Some(200));
        }
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let faults = proxy.faults();
        assert_eq!(count(&faults.passed) + count(&faults.cut), table.requests().len());
        assert_eq!(
            count(&faults.passed) + count(&faults.cut) + count(&faults.throttled) + count(&faults.failed),
            tries + 1_000
        );
    }
}
