//! `authorizer` finds out whose request it is, from the presented API key or page session alone. Nothing else in the
//! request matters, so API Gateway may cache the answer for every route. It changes nothing except the time of a key's
//! or session's last use.
//!
//! Invariant: "no" and "we could not tell" are different answers (tests: `everyone_else_is_refused`,
//! `a_failing_table_is_an_error_and_not_a_refusal`).
//!
//! Invariant: the keys of an account that is being deleted are refused (tests:
//! `the_key_of_an_account_that_is_being_deleted_is_refused`).
//! Invariant: recording the day of a key's last use costs one write a day, and never makes a request fail (tests:
//! `the_day_of_the_last_use_is_written_once_a_day_and_by_the_holder_only`,
//! `a_use_that_cannot_be_noted_keeps_nobody_out`).

mod deps;

use std::sync::Arc;

use aws_lambda_events::event::apigw::ApiGatewayV2CustomAuthorizerV2Request;
use domain::access::{ApiKey, PresentedKey, PresentedSession};
use domain::value::Day;
use lambda_runtime::{Error, LambdaEvent};
use ports::PortResult;
use runtime::page_session;
use runtime::telemetry::ErrorChain;
use serde::Serialize;

pub use self::deps::Deps;

/// API Gateway's simple response.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    pub is_authorized: bool,
    /// What the `api` function learns about the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Caller>,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
}

/// The credentials that a caller may present.
enum Presented {
    Key(PresentedKey),
    Session(PresentedSession),
}

const REFUSED: Decision = Decision { is_authorized: false, context: None };

/// Decides on one request. An error means that we could not tell; then API Gateway answers 500 and caches nothing.
pub async fn handle(
    deps: Arc<Deps>,
    event: LambdaEvent<ApiGatewayV2CustomAuthorizerV2Request>,
) -> Result<Decision, Error> {
    let headers = event.payload.headers;
    let header = headers.get("authorization").and_then(|value| value.to_str().ok());
    let decided = match header.and_then(bearer) {
        None => return Ok(REFUSED),
        Some(Presented::Key(presented)) => by_key(&deps, &presented).await,
        Some(Presented::Session(presented)) => by_session(&deps, &presented).await,
    };
    let caller = decided.inspect_err(
        |error| tracing::error!(error = %ErrorChain(error), "a key or a session could not be looked up"),
    )?;
    Ok(caller.map_or(REFUSED, |caller| Decision { is_authorized: true, context: Some(caller) }))
}

fn bearer(header: &str) -> Option<Presented> {
    let (scheme, token) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let token = token.trim();
    let key = token.parse().map(Presented::Key);
    key.or_else(|_| token.parse().map(Presented::Session)).ok()
}

/// The holder of the presented key, unless its account is being deleted.
async fn by_key(deps: &Deps, presented: &PresentedKey) -> PortResult<Option<Caller>> {
    let key = deps.keys.find_key(&presented.account, &presented.key);
    let (key, account) = tokio::join!(key, deps.accounts.find_account(&presented.account));
    let (key, account) = (key?, account?);
    let Some(key) = key.filter(|key| account.is_some() && key.accepts(presented)) else { return Ok(None) };
    note_key_use(deps, &key).await;
    let (account, role) = (key.account.to_string(), key.role.as_str());
    Ok(Some(Caller { account, role, key_id: Some(key.id.to_string()), session_id: None }))
}

/// The holder of the presented page session.
async fn by_session(deps: &Deps, presented: &PresentedSession) -> PortResult<Option<Caller>> {
    let session = page_session::admit(&*deps.accounts, &*deps.sessions, &*deps.clock, presented).await?;
    Ok(session.map(|session| {
        let (account, role) = (session.account.to_string(), session.role.as_str());
        Caller { account, role, key_id: None, session_id: Some(session.id.to_string()) }
    }))
}

/// Records the use of a key once a day. If that fails, the caller is still admitted.
async fn note_key_use(deps: &Deps, key: &ApiKey) {
    let today = Day::of(deps.clock.now());
    if key.last_used_at < Some(today)
        && let Err(error) = deps.keys.note_key_use(&key.account, &key.id, today).await
    {
        tracing::warn!(error = %ErrorChain(&error), "the day of a key's use could not be recorded");
    }
}
