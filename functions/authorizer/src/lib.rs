//! `authorizer`: tells whose request it is. The account comes from the presented key alone; nothing else of the request
//! is looked at, so API Gateway may keep the answer for every route. It changes nothing but the day of a key's last use.

use std::sync::Arc;

use aws_lambda_events::event::apigw::ApiGatewayV2CustomAuthorizerV2Request;
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use shared::domain::api_key::{ApiKey, PresentedKey};
use shared::domain::day::Day;
use shared::ports::{ApiKeys, Clock, FindAccount, PortResult};
use shared::telemetry::ErrorChain;

pub struct Deps {
    pub accounts: Arc<dyn FindAccount>,
    pub keys: Arc<dyn ApiKeys>,
    pub clock: Arc<dyn Clock>,
}

/// API Gateway's simple response.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    pub is_authorized: bool,
    /// What the `api` function is told about the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Caller>,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub role: &'static str,
    pub key_id: String,
}

const REFUSED: Decision = Decision { is_authorized: false, context: None };

/// Decides on one request. An error means that we could not tell; API Gateway answers 500 then and keeps nothing.
pub async fn handle(
    deps: Arc<Deps>,
    event: LambdaEvent<ApiGatewayV2CustomAuthorizerV2Request>,
) -> Result<Decision, Error> {
    let headers = event.payload.headers;
    let header = headers.get("authorization").and_then(|value| value.to_str().ok());
    let Some(presented) = header.and_then(bearer) else { return Ok(REFUSED) };
    let found = accepted(&deps, &presented).await;
    let found =
        found.inspect_err(|error| tracing::error!(error = %ErrorChain(error), "a key could not be looked up"))?;
    let Some(key) = found else { return Ok(REFUSED) };
    note_use(&deps, &key).await;
    Ok(authorized(&key))
}

/// The key that was presented, if it is one of an account that is not being deleted.
async fn accepted(deps: &Deps, presented: &PresentedKey) -> PortResult<Option<ApiKey>> {
    let key = deps.keys.find_key(&presented.account, &presented.key);
    let (key, account) = tokio::join!(key, deps.accounts.find_account(&presented.account));
    let (key, account) = (key?, account?);
    Ok(key.filter(|key| account.is_some() && key.accepts(presented)))
}

/// Once a day for each key. The caller is who it is, whether or not that can be written down.
async fn note_use(deps: &Deps, key: &ApiKey) {
    let today = Day::of(deps.clock.now());
    if key.last_used_at >= Some(today) {
        return;
    }
    if let Err(error) = deps.keys.note_key_use(&key.account, &key.id, today).await {
        tracing::warn!(error = %ErrorChain(&error), "the day of a key's use could not be noted");
    }
}

fn bearer(header: &str) -> Option<PresentedKey> {
    let (scheme, token) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { token.trim().parse().ok() } else { None }
}

fn authorized(key: &ApiKey) -> Decision {
    let context = Caller { account: key.account.to_string(), role: key.role.as_str(), key_id: key.id.to_string() };
    Decision { is_authorized: true, context: Some(context) }
}
