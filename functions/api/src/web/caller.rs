//! Who is calling, according to API Gateway's authorizers. Nothing that the caller wrote is trusted for this, so a
//! request cannot reach another account.
//!
//! Invariant: a resource of another account looks the same as one that does not exist (tests:
//! `another_accounts_things_answer_like_things_that_do_not_exist`).
//!
//! Invariant: the operator's routes accept only AWS credentials with the permission (tests:
//! `only_credentials_with_the_permission_are_let_in`).

use axum::extract::FromRequestParts;
use domain::access::{Permission, Role};
use domain::value::{AccountId, Label, SessionId};
use http::Extensions;
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

fn authorizer(extensions: &Extensions) -> Option<&Authorizer> {
    match extensions.get::<RequestContext>()? {
        RequestContext::ApiGatewayV2(context) => context.authorizer.as_ref(),
        _ => None,
    }
}

/// The account that sends a request, whatever its permissions.
pub struct Caller {
    pub account: AccountId,
    /// The page session that the request belongs to, if it was not sent with a key.
    pub session: Option<SessionId>,
    /// The person whom the session was made for, if the page names one.
    pub subject: Option<Label>,
}

pub fn of(extensions: &Extensions) -> Option<Caller> {
    let fields = &authorizer(extensions)?.fields;
    let text = |name: &str| fields.get(name).and_then(|value| value.as_str());
    Some(Caller {
        account: text("account")?.parse().ok()?,
        session: text("session_id").and_then(|id| id.parse().ok()),
        subject: text("subject").and_then(|subject| subject.to_owned().try_into().ok()),
    })
}

/// The account whose key the `authorizer` function accepted, if the key's role has the permission.
fn account(parts: &Parts, permission: Permission) -> Result<AccountId, Problem> {
    let unauthorized =
        || Problem::new(Code::Unauthorized, "send an API key of an account as `Authorization: Bearer whk_…`");
    let fields = &authorizer(&parts.extensions).ok_or_else(unauthorized)?.fields;
    let role = fields.get("role").and_then(|role| serde_json::from_value::<Role>(role.clone()).ok());
    let (Some(account), Some(role)) = (of(&parts.extensions).map(|caller| caller.account), role) else {
        return Err(unauthorized());
    };
    if role.may(permission) {
        Ok(account)
    } else {
        let detail =
            format!("the role `{}` of this key does not allow this; use a key with another role", role.as_str());
        Err(Problem::new(Code::Forbidden, detail))
    }
}

/// Who sends a request: the API key, the page session or the operator. The operator's credentials are not
/// distinguished from each other.
pub fn name(parts: &Parts) -> Option<String> {
    let authorizer = authorizer(&parts.extensions)?;
    if authorizer.iam.is_some() {
        return Some("operator".to_owned());
    }
    let field = |name: &str| authorizer.fields.get(name)?.as_str().map(str::to_owned);
    field("key_id").or_else(|| field("session_id"))
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
        let known = authorizer(&parts.extensions).and_then(|found| found.iam.as_ref()).is_some();
        let refused =
            || Problem::new(Code::Unauthorized, "sign the request with AWS credentials (Signature Version 4)");
        if known { Ok(Operator) } else { Err(refused()) }
    }
}
