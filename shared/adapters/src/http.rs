//! Sends one signed POST to a receiver. It never follows a redirect, never uses a proxy, and never connects to an
//! address that the policy refuses. Names are checked when they are resolved, literal addresses before that, because
//! connectors skip the resolver for them.
//!
//! Invariant: a delivery goes only to a receiver whose certificate the system trusts for that name (tests:
//! `only_a_certificate_the_system_trusts_is_delivered_to`, `a_certificate_for_another_name_is_refused`).
//!
//! Invariant: redirects are not followed (tests:
//! `a_broken_connection_and_a_redirect_are_retried_and_the_redirect_is_not_followed`).

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use domain::attempt::outcome::{EXCERPT_BYTES, excerpt};
use domain::attempt::{Answer, Exchange, Outcome};
use domain::delivery::SignedRequest;
use domain::destination::{AddressPolicy, UrlError};
use ports::{Clock, HttpSender, PortError, PortResult};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, header};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of an answer is read: as much as an excerpt may have.
const READ_BYTES: usize = EXCERPT_BYTES;

pub struct ReqwestSender {
    client: Client,
    policy: Arc<AddressPolicy>,
    clock: Arc<dyn Clock>,
}

impl ReqwestSender {
    pub fn new(policy: AddressPolicy, clock: Arc<dyn Clock>) -> PortResult<Self> {
        // Installed once per process; the SDK's clients use the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = Arc::new(policy);
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            // A socket that was idle while the container was frozen is stale. TLS sessions are resumed instead.
            .pool_max_idle_per_host(0)
            .referer(false)
            .dns_resolver(Arc::new(CheckedResolver { policy: Arc::clone(&policy) }))
            .build()
            .map_err(|error| PortError::permanent("building the HTTP client", error))?;
        Ok(Self { client, policy, clock })
    }

    /// Reads an answer to its end or up to the limit.
    async fn read(&self, mut response: Response) -> Exchange {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| self.parse_retry_after(text));
        let declared = response.content_length();
        let (mut body, mut ended) = (Vec::new(), false);
        // The status has decided the outcome. If the rest of the answer breaks off or hangs, that changes nothing.
        while body.len() < READ_BYTES && !ended {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let room = READ_BYTES.saturating_sub(body.len());
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                }
                Ok(None) => ended = true,
                Err(_) => break,
            }
        }
        let truncated = !ended && declared != Some(body.len() as u64);
        let outcome = Outcome::from_answer(status, retry_after, excerpt(&body));
        let headers = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let answer = Answer::new(status, headers, body, truncated);
        Exchange { outcome, answer: Some(answer) }
    }

    /// `Retry-After` as seconds or as a date.
    fn parse_retry_after(&self, text: &str) -> Option<Duration> {
        if let Ok(seconds) = text.trim().parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(date.saturating_sub(Duration::from_millis(self.clock.now().unix_ms())))
    }
}

#[async_trait]
impl HttpSender for ReqwestSender {
    async fn exchange(&self, request: &SignedRequest) -> PortResult<Exchange> {
        if let Err(error) = request.url.check(&self.policy) {
            let outcome = match error {
                UrlError::Blocked(host) => Outcome::Blocked { address: host.parse().ok(), host },
                other => Outcome::Blocked { host: other.to_string(), address: None },
            };
            return Ok(Exchange { outcome, answer: None });
        }
        let mut call =
            self.client.post(request.url.as_url().clone()).body(request.body.clone()).timeout(request.timeout);
        for (name, value) in &request.headers {
            call = call.header(name.as_ref(), value);
        }
        Ok(match call.send().await {
            Ok(response) => self.read(response).await,
            Err(error) => Exchange { outcome: classify(&error, &request.url), answer: None },
        })
    }
}

/// The outcome of a request without an answer.
fn classify(error: &reqwest::Error, url: &domain::destination::DestinationUrl) -> Outcome {
    let mut reason = String::new();
    let mut cause: Option<&dyn Error> = error.source();
    while let Some(error) = cause {
        if let Some(blocked) = error.downcast_ref::<BlockedAddress>() {
            return Outcome::Blocked { host: url.domain().unwrap_or_default().to_owned(), address: Some(blocked.0) };
        }
        reason = error.to_string();
        cause = error.source();
    }
    if error.is_timeout() { Outcome::TimedOut } else { Outcome::Unreachable { reason } }
}

/// Resolves names as the system does, and refuses names with an address that must not be called.
struct CheckedResolver {
    policy: Arc<AddressPolicy>,
}

#[derive(Debug, thiserror::Error)]
#[error("resolves to {0}, an address that is never called")]
struct BlockedAddress(IpAddr);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if let Some(blocked) = found.iter().find(|address| !policy.permits(address.ip())) {
                return Err(BlockedAddress(blocked.ip()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
