//! The result of a test: each request as it was sent, the receiver's response as far as it was read, and a verdict. It
//! contains no secret. What the receiver sent is untrusted: `domain` limits its size, and it is shown as text or not at
//! all.

use std::time::Duration;

use domain::attempt::{Answer, Exchange, Outcome};
use domain::delivery::proof::{advise, conclude};
use domain::delivery::{Judgement, Probe, Trial};
use domain::value::EventId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::schemas;

/// One request of a test, and how it ended.
pub struct Tried {
    pub trial: Trial,
    pub exchange: Exchange,
    pub took: Duration,
}

/// One forged request of a test, and what its response shows.
pub struct Checked {
    pub probe: Probe,
    pub judgement: Judgement,
    /// `None` if it was not sent.
    pub tried: Option<Tried>,
}

/// How the good request ended.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = TestVerdict)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// The receiver answered 2xx.
    Delivered,
    /// The receiver answered with any other status.
    Refused,
    /// There was no complete response in time.
    TimedOut,
    /// There was no connection, it broke, or the response was not HTTP.
    Unreachable,
    /// The address is one that is never called.
    BlockedAddress,
}

impl From<&Outcome> for Verdict {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Delivered { .. } => Verdict::Delivered,
            Outcome::Refused { .. } => Verdict::Refused,
            Outcome::TimedOut => Verdict::TimedOut,
            Outcome::Unreachable { .. } => Verdict::Unreachable,
            Outcome::Blocked { .. } => Verdict::BlockedAddress,
        }
    }
}

/// A test that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = Test)]
pub struct TestView {
    /// The id of the sample, which is the `id` in the body.
    #[schema(value_type = schemas::EventId)]
    event_id: EventId,
    verdict: Verdict,
    /// What the verdict means and what to do, for people.
    detail: String,
    request: RequestView,
    /// `null` when there was none.
    response: Option<ResponseView>,
    /// From before connecting to the end of the response, in milliseconds.
    duration_ms: u64,
    /// Whether the receiver accepts the good request and refuses every forged one; `null` if `prove` was not requested.
    proven: Option<bool>,
    /// The conclusion in a sentence, for people.
    conclusion: Option<String>,
    /// One check for each forged request; empty if `prove` was not requested.
    checks: Vec<CheckView>,
}

impl TestView {
    pub fn new(event_id: EventId, good: Tried, checks: Option<Vec<Checked>>) -> Self {
        let outcome = &good.exchange.outcome;
        let (verdict, detail) = (Verdict::from(outcome), advise(outcome, good.trial.request.timeout));
        let concluded = checks.as_ref().map(|checks| {
            let passed: Vec<_> = checks.iter().map(|check| (check.probe, check.judgement.passed)).collect();
            conclude(outcome, &passed)
        });
        let (proven, conclusion) = concluded.unzip();
        let checks = checks.unwrap_or_default().into_iter().map(CheckView::from).collect();
        let (request, response, duration_ms) = shown(good);
        Self { event_id, verdict, detail, request, response, duration_ms, proven, conclusion, checks }
    }

    /// Whether the good request was accepted, and every requested forged one was refused.
    pub fn passed(&self) -> bool {
        matches!(self.verdict, Verdict::Delivered) && self.proven != Some(false)
    }
}

/// A forged request and its result.
#[derive(Serialize, ToSchema)]
#[schema(as = TestCheck)]
struct CheckView {
    /// What is wrong with the request: `wrong_signature`, `old_timestamp` or `altered_body`.
    #[schema(example = "old_timestamp")]
    name: &'static str,
    /// Whether it was refused: the receiver answered 4xx other than 408 and 429.
    passed: bool,
    /// What the response shows and what to correct, for people.
    detail: String,
    /// `null` when it was not sent.
    request: Option<RequestView>,
    /// `null` when there was none.
    response: Option<ResponseView>,
    /// `null` when it was not sent.
    duration_ms: Option<u64>,
}

impl From<Checked> for CheckView {
    fn from(Checked { probe, judgement, tried }: Checked) -> Self {
        let (request, response, duration_ms) = match tried.map(shown) {
            Some((request, response, duration_ms)) => (Some(request), response, Some(duration_ms)),
            None => (None, None, None),
        };
        let Judgement { passed, detail } = judgement;
        Self { name: probe.as_str(), passed, detail, request, response, duration_ms }
    }
}

/// A request as it was sent. HTTP itself adds `host`, `accept` and `content-length`.
#[derive(Serialize, ToSchema)]
#[schema(as = TestRequest)]
struct RequestView {
    #[schema(example = "POST")]
    method: &'static str,
    #[schema(example = "https://example.com/hooks/invoices")]
    url: String,
    /// The headers in the order in which they are sent.
    headers: Vec<HeaderView>,
    body: String,
    /// The text that was signed: `webhook-id`, `webhook-timestamp` and the body, with a `.` between them.
    signed_text: String,
}

/// One header of the request or of the response.
#[derive(Serialize, ToSchema)]
#[schema(as = TestHeader)]
struct HeaderView {
    #[schema(example = "webhook-timestamp")]
    name: String,
    #[schema(example = "1795426200")]
    value: String,
}

/// The response of the receiver.
#[derive(Serialize, ToSchema)]
#[schema(as = TestResponse)]
struct ResponseView {
    status: u16,
    /// At most 50; names and values are cut to 1 KiB.
    headers: Vec<HeaderView>,
    /// At most the first 16 KiB; `null` when it is not text in UTF-8.
    body: Option<String>,
    body_is_text: bool,
    /// Whether the body was longer, or was interrupted.
    truncated: bool,
}

fn shown(tried: Tried) -> (RequestView, Option<ResponseView>, u64) {
    let Trial { request, signed_text } = tried.trial;
    let headers = request.headers.into_iter().map(|(name, value)| HeaderView { name: name.into_owned(), value });
    let (url, headers) = (request.url.to_string(), headers.collect());
    let request = RequestView { method: "POST", url, headers, body: request.body, signed_text };
    let duration_ms = u64::try_from(tried.took.as_millis()).unwrap_or(u64::MAX);
    (request, tried.exchange.answer.map(ResponseView::from), duration_ms)
}

impl From<Answer> for ResponseView {
    fn from(answer: Answer) -> Self {
        let body = answer.text().map(str::to_owned);
        let (status, body_is_text, truncated) = (answer.status, body.is_some(), answer.truncated);
        let headers = answer.headers.into_iter().map(|(name, value)| HeaderView { name, value }).collect();
        Self { status, headers, body, body_is_text, truncated }
    }
}
