//! `Idempotency-Key`: for a day, a `POST` that is sent again under the same key is not carried out again, but gets the
//! first response again.
//!
//! Only responses of successful requests are kept. They are encrypted, because they may contain secrets. A request that
//! fails is forgotten with its key. One that was interrupted holds its key for half a minute; what it changed before that
//! stays.
//!
//! Invariant: a `POST` checks its key, or is safe to repeat by nature (tests:
//! `every_post_takes_a_key_or_is_safe_to_repeat_by_nature`, `the_same_request_under_the_same_key_is_carried_out_once`).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use domain::value::Timestamp;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use ports::{BegunRequest, BoxError, EntropyExt, KeyedRequest, PortError, RequestKey};
use runtime::telemetry::ErrorChain;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::warn;
use utoipa::IntoParams;

use crate::web::problem::{Code, Problem};
use crate::web::{Deps, body, caller, done};

pub const KEY_HEADER: &str = "Idempotency-Key";
const MAX_KEY_CHARACTERS: usize = 255;

/// How long a response is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest time that a request can take: API Gateway waits for 29 s, and the function is stopped after that.
const LONGEST: Duration = Duration::from_secs(30);
/// The largest response that is kept, in bytes as it is stored. A whole row may have 400 KiB.
const MAX_KEPT_BYTES: usize = 350_000;

/// The operations that need no key. An event has an id, which is its key; a link opens once; a dry run changes nothing.
const SAFE_BY_NATURE: [&str; 3] = ["/v1/events", "/v1/sessions", "/v1/subscriptions/match"];

/// The header `Idempotency-Key`.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `once` reads, and is never a value")]
pub struct KeyHeader {
    /// A key such as a UUID, new for each new request. The same request under the same key is carried out only once within 24
    /// hours; a repetition gets the first response again.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        example = "0d9a3f0e-7e0c-4c8e-9d0c-6a3a8a4b2c11"
    )]
    idempotency_key: Option<String>,
}

/// Whether a `POST` to this route checks its key.
pub fn takes_key(route: &str) -> bool {
    !SAFE_BY_NATURE.contains(&route)
}

/// A response as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Kept {
    /// The response as it is stored; `None` if it is not kept, because nothing was done or it is too large.
    fn written(parts: &http::response::Parts, body: &[u8]) -> Result<Option<Vec<u8>>, serde_json::Error> {
        let kept = Self::of_success(parts, body).map(|kept| serde_json::to_vec(&kept)).transpose()?;
        Ok(kept.filter(|kept| kept.len() <= MAX_KEPT_BYTES))
    }

    fn of_success(parts: &http::response::Parts, body: &[u8]) -> Option<Self> {
        if !parts.status.is_success() {
            return None;
        }
        let told = [header::CONTENT_TYPE, header::ETAG].into_iter();
        let headers =
            told.filter_map(|name| Some((name.to_string(), parts.headers.get(&name)?.to_str().ok()?.to_owned())));
        let headers = headers.collect();
        Some(Self { status: parts.status.as_u16(), headers, body: str::from_utf8(body).ok()?.to_owned() })
    }

    fn answer(self) -> Result<Response, http::Error> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status)?;
        for (name, value) in self.headers {
            response.headers_mut().insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(response)
    }
}

/// Middleware that carries out a `POST` only once for each key.
pub async fn once(State(deps): State<Arc<Deps>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let takes_key = request.method() == Method::POST && route.is_some_and(takes_key);
    if !takes_key || !request.headers().contains_key(KEY_HEADER) {
        return next.run(request).await;
    }
    keyed(&deps, request, next).await.unwrap_or_else(Problem::into_response)
}

async fn keyed(deps: &Deps, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    // The handler refuses unknown callers.
    let Some(key) = request_key(&mut parts).await? else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let body = body::limited(body).await?;
    let now = deps.clock.now();
    let keyed = KeyedRequest {
        digest: digest(&parts, &body),
        holder: deps.entropy.bytes()?,
        until: now.plus(LONGEST),
        expires_at: Timestamp::from_unix_ms((now.unix_seconds() + KEPT.as_secs()) * 1_000),
    };
    match deps.kept_answers.begin_request(&key, &keyed, now).await? {
        BegunRequest::Begun => {
            let response = next.run(Request::from_parts(parts, body.into())).await;
            end(deps, &key, &keyed, response).await
        }
        BegunRequest::Answered(kept) => {
            let unreadable = |error: BoxError| Problem::from(PortError::permanent("reading a kept answer", error));
            let kept: Kept = serde_json::from_slice(&kept).map_err(|error| unreadable(error.into()))?;
            kept.answer().map(done::nothing).map_err(|error| unreadable(error.into()))
        }
        BegunRequest::UnderWay => {
            let detail =
                "the same request is being carried out under this Idempotency-Key; try again to get its response";
            Err(Problem::new(Code::RequestUnderWay, detail))
        }
        BegunRequest::Reused => {
            let detail = "a different request was sent under this Idempotency-Key; use a new key for each new request";
            Err(Problem::new(Code::IdempotencyKeyReused, detail))
        }
    }
}

/// Keeps the response, or forgets a request that failed. The response is returned even if it cannot be kept.
async fn end(deps: &Deps, key: &RequestKey, keyed: &KeyedRequest, response: Response) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let failed = |error: BoxError| Problem::from(PortError::permanent("keeping an answer", error));
    let bytes = body.collect().await.map_err(|error| failed(error.into()))?.to_bytes();
    let ended = match Kept::written(&parts, &bytes).map_err(|error| failed(error.into()))? {
        Some(kept) => deps.kept_answers.keep_answer(key, keyed.holder, &kept).await,
        None => deps.kept_answers.forget_request(key, keyed.holder).await,
    };
    if let Err(error) = ended {
        warn!(error = %ErrorChain(&error), "the response to a request with a key could not be kept");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// The key of a request, unique among the keys of all callers; `None` if the caller is unknown.
async fn request_key(parts: &mut Parts) -> Result<Option<RequestKey>, Problem> {
    let mut given = parts.headers.get_all(KEY_HEADER).iter();
    let (Some(given), None) = (given.next().map(HeaderValue::as_bytes), given.next()) else {
        return Err(Problem::parameter(KEY_HEADER, "is given twice"));
    };
    if given.is_empty() || given.len() > MAX_KEY_CHARACTERS || !given.iter().all(u8::is_ascii_graphic) {
        return Err(Problem::parameter(KEY_HEADER, "must be 1–255 visible ASCII characters"));
    }
    let Some(caller) = caller::name(parts) else { return Ok(None) };
    let name = HEXLOWER.encode(&Sha256::digest([caller.as_bytes(), b"\n", given].concat()));
    let account = match caller::of(&parts.extensions).map(|caller| caller.account) {
        Some(account) => Some(account),
        // The account named in the operator's path.
        None => RawPathParams::from_request_parts(parts, &()).await.ok().and_then(|params| {
            params.iter().find(|(name, _)| *name == "account").and_then(|(_, account)| account.parse().ok())
        }),
    };
    Ok(Some(RequestKey { account, name }))
}

/// A digest of the request. White space in the body counts, because the body is not parsed here.
fn digest(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    Sha256::new().chain_update(target).chain_update([0]).chain_update(body).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, kept: bool) {
        let response = Response::builder().status(status).header("etag", "\"v1\"").body(()).expect("a response");
        let written = Kept::written(&response.into_parts().0, body.as_bytes()).expect("JSON");
        assert_eq!(written.is_some(), kept, "{status} with {} bytes", body.len());
        if let Some(written) = written {
            assert!(written.len() <= MAX_KEPT_BYTES);
            let answer = serde_json::from_slice::<Kept>(&written).expect("JSON").answer().expect("an answer");
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers()["etag"], "\"v1\"");
        }
    }

    #[test]
    fn what_was_done_is_kept_if_a_row_can_take_it() {
        check(201, "{}", true);
        check(204, "", true);
        check(200, &"é".repeat(MAX_KEPT_BYTES / 2 - 100), true);
        check(200, &"é".repeat(MAX_KEPT_BYTES / 2), false);
        // A quotation mark is stored as two bytes.
        check(200, &"\"".repeat(MAX_KEPT_BYTES / 2 - 100), true);
        check(200, &"\"".repeat(MAX_KEPT_BYTES / 2), false);
        for failed in [302, 400, 409, 500, 503] {
            check(failed, "{}", false);
        }
    }
}
