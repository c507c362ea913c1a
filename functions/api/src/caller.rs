//! Who is calling, as API Gateway's authorizers found out. Nothing the caller wrote is trusted for this.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use lambda_http::request::RequestContext;
use shared::domain::id::AccountId;

use crate::Deps;
use crate::problem::{Code, Problem};

/// The account whose key the `authorizer` function accepted.
pub struct Account(pub AccountId);

/// The platform's operator, whom API Gateway knows by an IAM signature.
pub struct Operator;

type Authorizer = lambda_http::aws_lambda_events::apigw::ApiGatewayRequestAuthorizer;

fn authorizer(parts: &Parts) -> Option<&Authorizer> {
    match parts.extensions.get::<RequestContext>()? {
        RequestContext::ApiGatewayV2(context) => context.authorizer.as_ref(),
        _ => None,
    }
}

impl FromRequestParts<Arc<Deps>> for Account {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Deps>) -> Result<Self, Problem> {
        let account = authorizer(parts).and_then(|found| found.fields.get("account")?.as_str()?.parse().ok());
        account.map(Account).ok_or_else(|| {
            Problem::new(Code::Unauthorized, "send an API key of an account as `Authorization: Bearer whk_…`")
        })
    }
}

impl FromRequestParts<Arc<Deps>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Deps>) -> Result<Self, Problem> {
        let known = authorizer(parts).and_then(|found| found.iam.as_ref()).is_some();
        let refused =
            || Problem::new(Code::Unauthorized, "sign the request with AWS credentials (Signature Version 4)");
        if known { Ok(Operator) } else { Err(refused()) }
    }
}
