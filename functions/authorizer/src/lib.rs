//! `authorizer`: tells whose request it is. The account comes from the presented key alone; nothing else of the request
//! is looked at, so API Gateway may keep the answer for every route.

use std::sync::Arc;

use aws_lambda_events::event::apigw::ApiGatewayV2CustomAuthorizerV2Request;
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use shared::domain::api_key::{ApiKey, PresentedKey};
use shared::ports::ApiKeys;
use shared::telemetry::ErrorChain;

pub struct Deps {
    pub keys: Arc<dyn ApiKeys>,
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
    let found = deps.keys.find_key(&presented.account, &presented.key).await;
    let found =
        found.inspect_err(|error| tracing::error!(error = %ErrorChain(error), "a key could not be looked up"))?;
    Ok(match found {
        Some(key) if key.accepts(&presented) => authorized(&key),
        _ => REFUSED,
    })
}

fn bearer(header: &str) -> Option<PresentedKey> {
    let (scheme, token) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { token.trim().parse().ok() } else { None }
}

fn authorized(key: &ApiKey) -> Decision {
    let context = Caller { account: key.account.to_string(), role: key.role.as_str(), key_id: key.id.to_string() };
    Decision { is_authorized: true, context: Some(context) }
}
