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

use crate::Deps;
use crate::body::Json;
use crate::caller::Operator;
use crate::named::{Kind, Named};
use crate::problem::{Code, Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    id: AccountId,
}

#[derive(Serialize)]
struct AccountView {
    id: AccountId,
    created_at: Timestamp,
}

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    name: Label,
    role: Role,
}

/// The only answer that ever shows a key.
#[derive(Serialize)]
struct NewKeyView<'a> {
    id: KeyId,
    name: Label,
    role: Role,
    prefix: String,
    key: &'a str,
    created_at: Timestamp,
}

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
