//! Plays a destination: an HTTP server on a free loopback port that answers as it is told. It remembers every request,
//! together with what an independent Standard Webhooks library says about the signature.
//!
//! A path is looked up by its longest registered prefix, so that a test can give each destination its own path and
//! still use subscription paths below it. The receiver shares no code with the sender.

mod answer;
mod guard;
mod received;
pub mod severable;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

pub use self::answer::Answer;
pub use self::guard::Guard;
pub use self::received::Received;
use self::received::verify;
use self::severable::{Connection, Down};
use crate::failure::{Failure, OrFailure, Result};

/// A running receiver. Dropping it closes its port and cuts its connections.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    down: Down,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Memory>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Memory {
    /// A path prefix and the answers that are still to be given there; the last one is repeated.
    answers: Vec<(String, Vec<Answer>)>,
    /// A path prefix and a secret that is valid there; a prefix may have several.
    secrets: Vec<(String, String)>,
    /// A path prefix and its guard. Without a guard, every request is accepted.
    guards: Vec<(String, Guard)>,
    requests: Vec<Received>,
}

impl Receiver {
    pub async fn start() -> Result<Self> {
        Self::start_at(0).await
    }

    /// Starts a receiver at the port of an earlier one, like a destination that was down and comes back.
    pub async fn start_at(port: u16) -> Result<Self> {
        let listener =
            TcpListener::bind(("127.0.0.1", port)).await.or_failure(|| format!("cannot listen at port {port}"))?;
        let address = listener.local_addr().or_failure(|| "the receiver has no address")?;
        let shared = Arc::new(Shared::default());
        let (server, down) =
            severable::serve(listener, Router::new().fallback(receive).with_state(Arc::clone(&shared)));
        Ok(Self { address, shared, server, down })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address of a path, such as `url("/acme")`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers requests below `prefix` with `answers`, in order; the last one is repeated. The default answer is 200.
    pub fn answer(&self, prefix: &str, answers: impl IntoIterator<Item = Answer>) {
        let answers: Vec<Answer> = answers.into_iter().collect();
        assert!(!answers.is_empty(), "a receiver has to answer something");
        let mut memory = self.shared.memory();
        memory.answers.retain(|(known, _)| known != prefix);
        memory.answers.push((prefix.to_owned(), answers));
    }

    /// Expects requests below `prefix` to be signed with this secret or with another one that was registered there.
    pub fn expect_secret(&self, prefix: &str, secret: &str) {
        self.shared.memory().secrets.push((prefix.to_owned(), secret.to_owned()));
    }

    /// Answers 401 to those requests below `prefix` that the guard refuses.
    pub fn guard(&self, prefix: &str, guard: Guard) {
        self.shared.memory().guards.push((prefix.to_owned(), guard));
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.memory().requests.clone()
    }

    /// Every request below `prefix` so far, in the order of arrival.
    pub fn requests_below(&self, prefix: &str) -> Vec<Received> {
        self.requests().into_iter().filter(|request| below(prefix, &request.path)).collect()
    }

    /// Waits until `enough` accepts all requests so far, and returns them. Fails after `limit`, naming `what`.
    pub async fn await_requests(
        &self,
        what: &str,
        limit: Duration,
        enough: impl Fn(&[Received]) -> bool,
    ) -> Result<Vec<Received>> {
        let end = Instant::now() + limit;
        loop {
            let arrived = self.shared.arrived.notified();
            tokio::pin!(arrived);
            // From here on no arriving request is missed, even between the look and the wait.
            arrived.as_mut().enable();
            let requests = self.requests();
            if enough(&requests) {
                return Ok(requests);
            }
            if timeout_at(end, arrived).await.is_err() {
                let seen: Vec<String> = requests.iter().map(Received::summary).collect();
                return Err(Failure::new(format!(
                    "waited {} s in vain for {what}; {} requests arrived: {seen:#?}",
                    limit.as_secs_f32(),
                    seen.len()
                )));
            }
        }
    }

    /// Waits for `count` requests below `prefix`, and returns all that have arrived there.
    pub async fn await_count(&self, prefix: &str, count: usize, limit: Duration) -> Result<Vec<Received>> {
        let is_below = |request: &&Received| below(prefix, &request.path);
        let what = format!("{count} requests at {prefix}");
        let requests =
            self.await_requests(&what, limit, |requests| requests.iter().filter(is_below).count() >= count).await?;
        Ok(requests.into_iter().filter(|request| below(prefix, &request.path)).collect())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.down.set();
        self.server.abort();
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn next_answer(&mut self, path: &str) -> Answer {
        let registered = self.answers.iter_mut().filter(|(prefix, _)| below(prefix, path));
        match registered.max_by_key(|(prefix, _)| prefix.len()) {
            Some((_, answers)) if answers.len() > 1 => answers.remove(0),
            Some((_, answers)) => answers[0].clone(),
            None => Answer::status(200),
        }
    }

    fn guard_of(&self, path: &str) -> Option<Guard> {
        let registered = self.guards.iter().filter(|(prefix, _)| below(prefix, path));
        registered.max_by_key(|(prefix, _)| prefix.len()).map(|(_, guard)| *guard)
    }

    fn secrets_for(&self, path: &str) -> Vec<String> {
        let registered = || self.secrets.iter().filter(|(prefix, _)| below(prefix, path));
        let longest = registered().map(|(prefix, _)| prefix.len()).max();
        registered().filter(|(prefix, _)| Some(prefix.len()) == longest).map(|(_, secret)| secret.clone()).collect()
    }
}

/// Whether `path` is `prefix` or continues it with a `/` or a query.
fn below(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let arrived_at = OffsetDateTime::now_utc();
    let path = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    let answer = {
        let mut memory = shared.memory();
        let secrets = memory.secrets_for(&path);
        let verified = verify(&secrets, &headers, &body);
        let lets_in = memory.guard_of(&path).is_none_or(|guard| guard.lets_in(&secrets, &headers, &body));
        let answer = if lets_in { memory.next_answer(&path) } else { Answer::status(401) };
        let answered = (!answer.sever).then_some(answer.status);
        memory.requests.push(Received { path, headers, body, arrived_at, verified, answered });
        answer
    };
    shared.arrived.notify_waiters();
    tokio::time::sleep(answer.delay).await;
    if answer.sever {
        connection.sever();
    }
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = answer.headers;
    response
}

#[cfg(test)]
mod tests;
