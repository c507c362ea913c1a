//! What the platform's operator does: register accounts and issue their API keys. API Gateway lets in only requests
//! signed with AWS credentials.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::api_key::{ApiKey, Role};
use shared::domain::destination::Label;
use shared::domain::id::{AccountId, KeyId};
use shared::domain::timestamp::Timestamp;
use shared::ports::{Created, EntropyExt};
use utoipa::ToSchema;

use crate::Deps;
use crate::body::Json;
use crate::caller::Operator;
use crate::named::{Kind, Named};
use crate::problem::{Code, Problem};
use crate::schemas;

/// An account to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    #[schema(value_type = schemas::AccountId)]
    id: AccountId,
}

/// One customer of the platform.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
struct AccountView {
    #[schema(value_type = schemas::AccountId)]
    id: AccountId,
    #[schema(value_type = schemas::Timestamp)]
    created_at: Timestamp,
}

/// Register an account
///
/// Events of an account that is not registered are acknowledged and forgotten.
#[utoipa::path(
    post,
    path = "/admin/v1/accounts",
    operation_id = "create_account",
    tag = "operator",
    request_body = NewAccount,
    responses(
        (status = 201, description = "The account is registered.", body = AccountView),
        (status = 409, description = "`account_exists`: an account of this id is registered already.")
    )
)]
pub async fn create_account(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Json(new): Json<NewAccount>,
) -> Result<Response, Problem> {
    let created_at = deps.clock.now();
    match deps.accounts.create_account(&new.id, created_at).await? {
        Created::Created => Ok((StatusCode::CREATED, Answer(AccountView { id: new.id, created_at })).into_response()),
        Created::Exists => Err(Problem::at(Code::AccountExists, "/id", "an account of this id is registered already")),
    }
}

/// An API key to issue.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    #[schema(value_type = schemas::Label)]
    name: Label,
    #[schema(value_type = schemas::Role)]
    role: Role,
}

/// An API key that was issued. No other answer ever shows a key.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedKey)]
struct NewKeyView<'a> {
    #[schema(value_type = schemas::KeyId)]
    id: KeyId,
    #[schema(value_type = schemas::Label)]
    name: Label,
    #[schema(value_type = schemas::Role)]
    role: Role,
    /// The beginning of the key, by which its holder knows it again. It is not secret.
    #[schema(example = "whk_acme.ogr633ijs3fm6h9u")]
    prefix: String,
    /// The key. It is shown now and never again; a hash of it is kept.
    key: &'a str,
    #[schema(value_type = schemas::Timestamp)]
    created_at: Timestamp,
}

/// Issue an API key
///
/// An account may have any number of keys.
#[utoipa::path(
    post,
    path = "/admin/v1/accounts/{account}/keys",
    operation_id = "create_key",
    tag = "operator",
    params(("account" = schemas::AccountId, Path)),
    request_body = NewKey,
    responses((status = 201, description = "The key, shown this once.", body = NewKeyView))
)]
pub async fn create_key(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
    Json(new): Json<NewKey>,
) -> Result<Response, Problem> {
    deps.accounts.find_account(&account).await?.ok_or_else(AccountId::not_found)?;
    let id = KeyId::from_entropy(deps.entropy.bytes()?);
    let (key, text) = ApiKey::issue(id, account, new.name, new.role, deps.entropy.bytes()?, deps.clock.now());
    deps.keys.store_key(&key).await?;
    let prefix = key.prefix();
    let view =
        NewKeyView { id: key.id, name: key.name, role: key.role, prefix, key: &text, created_at: key.created_at };
    Ok((StatusCode::CREATED, Answer(view)).into_response())
}
