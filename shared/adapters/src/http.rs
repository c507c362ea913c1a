//! Sends one signed POST to a receiver. It never follows a redirect, never uses a proxy, and never connects to an
//! address that the policy refuses. Names are checked when they are resolved, literal addresses before that, because
//! connectors skip the resolver for them.
//!
//! Invariant: a delivery goes only to a receiver whose certificate the system trusts for that name (tests:
//! `only_a_certificate_the_system_trusts_is_delivered_to`, `a_certificate_for_another_name_is_refused`).
//!
//! Invariant: redirects are not followed (tests:
//! `a_broken_connection_and_a_redirect_are_retried_and_the_redirect_is_not_followed`).
//!
//! Invariant: the status decides. Once the status of an HTTP/1 answer has come, it is the outcome, whatever happens to
//! the rest of the answer. For HTTP/2, the headers must also be valid and at most 256 KiB long (tests:
//! `the_status_decides_whatever_breaks_after_it`, `the_status_decides_over_http_2_as_well`).
//!
//! Invariant: the look-up of a name is part of connecting, which takes at most 5 s, and no part of an attempt takes
//! longer than its time-out (tests: `a_name_that_is_never_resolved_times_out`).
//!
//! Invariant: after its status has come, an answer delays nothing for longer than 4 s: 2 s for its headers, and 2 s for
//! its body, or 250 ms if it was delivered (tests: `a_receiver_that_drips_holds_no_place`).

mod connection;
mod connector;
mod kept;
mod opening;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{ACCEPT, HeaderValue, RETRY_AFTER};
use ::http::{Request, Response};
use async_trait::async_trait;
use domain::attempt::outcome::{EXCERPT_BYTES, excerpt};
use domain::attempt::{Answer, Exchange, Outcome};
use domain::delivery::SignedRequest;
use domain::destination::{AddressPolicy, DestinationUrl, UrlError};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use ports::{Clock, HttpSender, PortError, PortResult};
use tokio::time::{Instant, sleep, timeout_at};

use self::connection::{AnyError, Connection};
use self::connector::{BlockedAddress, ConnectTimedOut, Connector, Lookup, system_lookup};
use self::opening::{Opening, Seen};

/// How much of an answer is read: the maximum length of an excerpt.
const READ_BYTES: usize = EXCERPT_BYTES;
/// How long to wait for the headers of an answer after its status, and for its body after the headers. The status has
/// decided by then, and a receiver that answers slowly occupies no place for longer.
const READ_TIME: Duration = Duration::from_secs(2);
/// The same if only the status matters. It is not zero, because receivers treat a connection that closes during their
/// answer as a client that went away.
const DRAIN_TIME: Duration = Duration::from_millis(250);

pub struct HyperSender {
    connector: Connector,
    policy: Arc<AddressPolicy>,
    clock: Arc<dyn Clock>,
}

impl HyperSender {
    pub fn new(policy: AddressPolicy, clock: Arc<dyn Clock>) -> PortResult<Self> {
        Self::with_lookup(policy, clock, system_lookup())
    }

    fn with_lookup(policy: AddressPolicy, clock: Arc<dyn Clock>, lookup: Lookup) -> PortResult<Self> {
        let policy = Arc::new(policy);
        let connector = Connector::new(Arc::clone(&policy), lookup, Arc::clone(&clock));
        let connector = connector.map_err(|error| PortError::permanent("building the HTTP client", error))?;
        Ok(Self { connector, policy, clock })
    }

    /// Makes one attempt. The answer of a delivered one is read only if `in_full`.
    async fn attempt(&self, request: &SignedRequest, in_full: bool) -> Exchange {
        if let Err(error) = request.url.check(&self.policy) {
            let outcome = match error {
                UrlError::Blocked(host) => Outcome::blocked(&host, host.parse().ok()),
                other => Outcome::blocked(&other.to_string(), None),
            };
            return Exchange { outcome, answer: None };
        }
        let deadline = Instant::now() + request.timeout;
        let seen = Seen::default();
        let answered = async { self.connector.send(prepared(request)?, &seen).await };
        let late = async {
            seen.wait().await;
            sleep(READ_TIME).await;
        };
        let answered = async {
            tokio::select! {
                answered = answered => Some(answered),
                () = late => None,
            }
        };
        let failed = match timeout_at(deadline, answered).await.ok().flatten() {
            Some(Ok((response, connection))) => {
                let drained = response.status().is_success() && !in_full;
                let until = deadline.min(Instant::now() + if drained { DRAIN_TIME } else { READ_TIME });
                return self.read(response, connection, until, in_full).await;
            }
            Some(Err(error)) => classify(error.as_ref(), &request.url),
            None => Outcome::TimedOut,
        };
        match seen.get() {
            Some(Opening::Status(status)) => broken_off(*status),
            Some(Opening::Foreign(bytes)) => {
                let outcome = Outcome::answered_without("HTTP", &bytes.escape_ascii().to_string());
                Exchange { outcome, answer: None }
            }
            None => Exchange { outcome: failed, answer: None },
        }
    }

    /// Reads an answer to its end, up to the size and time limits. Its status has already decided the outcome. What was read
    /// is part of the exchange only if it is wanted `in_full`.
    async fn read(
        &self,
        response: Response<Incoming>,
        mut connection: Connection,
        until: Instant,
        in_full: bool,
    ) -> Exchange {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| domain::attempt::retry_after(text, self.clock.now()));
        let declared = response.body().size_hint().exact();
        let (head, mut rest) = response.into_parts();
        let (mut body, mut ended) = (Vec::new(), false);
        while body.len() < READ_BYTES && !ended {
            match timeout_at(until, rest.frame()).await {
                Ok(Some(Ok(frame))) => {
                    let chunk = frame.into_data().unwrap_or_default();
                    let room = READ_BYTES.saturating_sub(body.len());
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                }
                Ok(None) => ended = true,
                Ok(Some(Err(_))) | Err(_) => break,
            }
        }
        if ended {
            connection.answered();
            self.connector.keep(connection);
        }
        let truncated = !ended && declared != Some(body.len() as u64);
        let outcome = Outcome::from_answer(status, retry_after, excerpt(&body));
        let answer = in_full.then(|| {
            let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            Answer::new(status, headers, body, truncated)
        });
        Exchange { outcome, answer }
    }
}

#[async_trait]
impl HttpSender for HyperSender {
    async fn send(&self, request: &SignedRequest) -> PortResult<Outcome> {
        Ok(self.attempt(request, false).await.outcome)
    }

    async fn exchange(&self, request: &SignedRequest) -> PortResult<Exchange> {
        Ok(self.attempt(request, true).await)
    }
}

fn prepared(request: &SignedRequest) -> Result<Request<Full<Bytes>>, AnyError> {
    let mut built = Request::post(request.url.as_url().as_str());
    for (name, value) in &request.headers {
        built = built.header(name.as_ref(), value);
    }
    let mut built = built.body(Full::from(request.body.clone()))?;
    built.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    Ok(built)
}

/// An answer of which only the status could be read.
fn broken_off(status: u16) -> Exchange {
    let outcome = Outcome::from_answer(status, None, String::new());
    Exchange { outcome, answer: Some(Answer::new(status, std::iter::empty(), Vec::new(), true)) }
}

/// The outcome of a request without an answer. Its reason is the innermost cause.
fn classify(error: &(dyn Error + 'static), url: &DestinationUrl) -> Outcome {
    let mut reason = String::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(blocked) = error.downcast_ref::<BlockedAddress>() {
            return Outcome::blocked(url.domain().unwrap_or_default(), Some(blocked.0));
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if error.kind() == io::ErrorKind::TimedOut {
                return Outcome::TimedOut;
            }
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            if let Some(rustls::Error::InvalidMessage(_)) = inner {
                return Outcome::answered_without("TLS", &error.to_string());
            }
        }
        if error.is::<ConnectTimedOut>() {
            return Outcome::TimedOut;
        }
        reason = error.to_string();
        cause = error.source();
    }
    Outcome::unreachable(&reason)
}

#[cfg(test)]
mod tests {
    use domain::attempt::SigningSecret;
    use domain::delivery::DeliveryState;
    use domain::delivery::request::sign;
    use domain::value::Timestamp;
    use futures_util::FutureExt;
    use testing::{account, destination, record};

    use super::*;
    use crate::SystemClock;

    fn sender(lookup: Lookup) -> HyperSender {
        let policy = AddressPolicy::new("127.0.0.0/8", true, Vec::new()).expect("a policy");
        HyperSender::with_lookup(policy, Arc::new(SystemClock), lookup).expect("a sender")
    }

    /// The outcome of a request with a time limit of `seconds`, and how long it took.
    async fn send(lookup: Lookup, seconds: u64) -> (Outcome, Duration) {
        let target = destination(&account("acme"), 1, "http://receiver.example/");
        let delivery = record(&target, "evt-1", 0, DeliveryState::Cancelled).delivery;
        let secret = SigningSecret::from_entropy([7; 32]);
        let mut request = sign(&delivery, &target.settings, "{}", &[secret], 1, Timestamp::from_unix_ms(0));
        request.timeout = Duration::from_secs(seconds);
        let started = Instant::now();
        let outcome = sender(lookup).send(&request).await.expect("an outcome");
        (outcome, started.elapsed())
    }

    #[track_caller]
    fn check_within(found: (Outcome, Duration), seconds: u64) {
        let (outcome, took) = found;
        assert_eq!(outcome, Outcome::TimedOut);
        assert!(
            took >= Duration::from_secs(seconds) && took < Duration::from_millis(seconds * 1_000 + 100),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_is_never_resolved_times_out() {
        let never: Lookup = Arc::new(|_| std::future::pending().boxed());
        check_within(send(Arc::clone(&never), 15).await, 5);
        check_within(send(never, 1).await, 1);
        let slow: Lookup = Arc::new(|_| {
            async {
                sleep(Duration::from_secs(60)).await;
                Ok(Vec::new())
            }
            .boxed()
        });
        check_within(send(slow, 30).await, 5);
    }

    #[tokio::test]
    async fn what_a_resolver_says_is_told_and_no_name_leads_to_a_blocked_address_among_others() {
        let fails: Lookup = Arc::new(|_| async { Err(io::Error::other("x".repeat(100_000))) }.boxed());
        let Outcome::Unreachable { reason } = send(fails, 5).await.0 else { panic!("reached") };
        assert!(reason.len() <= 512 && reason.ends_with(" (cut)"), "{reason}");
        let nothing: Lookup = Arc::new(|_| async { Ok(Vec::new()) }.boxed());
        assert!(matches!(send(nothing, 5).await.0, Outcome::Unreachable { reason } if !reason.is_empty()));
        let blocked = "10.0.0.1".parse().expect("an address");
        let mixed: Lookup =
            Arc::new(move |_| async move { Ok(vec![([127, 0, 0, 1], 0).into(), (blocked, 0).into()]) }.boxed());
        let expected = Outcome::Blocked { host: "receiver.example".to_owned(), address: Some(blocked) };
        assert_eq!(send(mixed, 5).await.0, expected);
    }
}
