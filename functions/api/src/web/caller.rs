//! Who is calling, according to API Gateway's authorizers. Nothing that the caller wrote is trusted for this, so a
//! request cannot reach another account.
//!
//! Invariant: what belongs to another account answers like what does not exist (tests:
//! `another_accounts_things_answer_like_things_that_do_not_exist`).
//!
//! Invariant: the operator's routes take only AWS credentials with the permission (tests:
//! `only_credentials_with_the_permission_are_let_in`).

use axum::extract::FromRequestParts;
use domain::access::{Permission, Role};
use domain::value::AccountId;
use http::request::Parts;
use lambda_http::request::RequestContext;

use crate::web::problem::{Code, Problem};

/// The platform's operator, identified by an IAM signature that API Gateway has checked.
pub struct Operator;

/// An account that may read.
pub struct Reader(pub AccountId);

/// An account that may rotate secrets.
pub struct SecretsKeeper(pub AccountId);

/// An account that may change what is configured.
pub struct Configurer(pub AccountId);

/// An account that may publish events.
pub struct Publisher(pub AccountId);

type Authorizer = lambda_http::aws_lambda_events::apigw::ApiGatewayRequestAuthorizer;

fn authorizer(parts: &Parts) -> Option<&Authorizer> {
    match parts.extensions.get::<RequestContext>()? {
        RequestContext::ApiGatewayV2(context) => context.authorizer.as_ref(),
        _ => None,
    }
}

/// The account whose key the `authorizer` function accepted, if the key's role has the permission.
fn account(parts: &Parts, permission: Permission) -> Result<AccountId, Problem> {
    let unauthorized =
        || Problem::new(Code::Unauthorized, "send an API key of an account as `Authorization: Bearer whk_…`");
    let fields = &authorizer(parts).ok_or_else(unauthorized)?.fields;
    let account = fields.get("account").and_then(|account| account.as_str()?.parse().ok());
    let role = fields.get("role").and_then(|role| serde_json::from_value::<Role>(role.clone()).ok());
    let (Some(account), Some(role)) = (account, role) else { return Err(unauthorized()) };
    if role.may(permission) {
        Ok(account)
    } else {
        let detail = format!("a key with the role `{}` may not do this; use one with another role", role.as_str());
        Err(Problem::new(Code::Forbidden, detail))
    }
}

macro_rules! account_extractor {
    ($name:ident, $permission:ident) => {
        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                account(parts, Permission::$permission).map(Self)
            }
        }
    };
}

account_extractor!(Reader, Read);
account_extractor!(Configurer, Configure);
account_extractor!(SecretsKeeper, RotateSecrets);
account_extractor!(Publisher, PublishEvents);

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let known = authorizer(parts).and_then(|found| found.iam.as_ref()).is_some();
        let refused =
            || Problem::new(Code::Unauthorized, "sign the request with AWS credentials (Signature Version 4)");
        if known { Ok(Operator) } else { Err(refused()) }
    }
}
