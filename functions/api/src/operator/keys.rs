//! The API keys of an account. A key is shown when it is issued, and never again.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use shared::domain::api_key::{ApiKey, Role};
use shared::domain::day::Day;
use shared::domain::destination::Label;
use shared::domain::id::{AccountId, KeyId};
use shared::domain::timestamp::Timestamp;
use shared::ports::{CreatedKey, EntropyExt};

use crate::Deps;
use crate::body::Json;
use crate::caller::Operator;
use crate::named::{Kind, Named};
use crate::pages::PageRequest;
use crate::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    name: Label,
    role: Role,
}

/// The only answer that ever shows a key.
#[derive(Serialize)]
struct NewKeyView<'a> {
    #[serde(flatten)]
    listed: KeyView,
    key: &'a str,
}

#[derive(Serialize)]
struct KeyView {
    id: KeyId,
    name: Label,
    role: Role,
    prefix: String,
    created_at: Timestamp,
    last_used_at: Option<Day>,
}

fn view(key: ApiKey) -> KeyView {
    KeyView {
        prefix: key.prefix(),
        id: key.id,
        name: key.name,
        role: key.role,
        created_at: key.created_at,
        last_used_at: key.last_used_at,
    }
}

impl Kind for KeyId {
    const KIND: &'static str = "API key";
}

pub async fn create(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
    Json(new): Json<NewKey>,
) -> Result<Response, Problem> {
    let id = KeyId::from_entropy(deps.entropy.bytes()?);
    let (key, text) = ApiKey::issue(id, account, new.name, new.role, deps.entropy.bytes()?, deps.clock.now());
    match deps.keys.create_key(&key).await? {
        CreatedKey::Created => {
            let view = NewKeyView { listed: view(key), key: &text };
            Ok((StatusCode::CREATED, Answer(view)).into_response())
        }
        CreatedKey::NoAccount => Err(AccountId::not_found()),
    }
}

pub async fn list(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
    page: PageRequest,
) -> Result<Response, Problem> {
    let after = page.after()?;
    deps.accounts.read_account(&account).await?.ok_or_else(AccountId::not_found)?;
    let found = deps.keys.list_keys(&account, after.as_ref(), page.to_read()).await?;
    Ok(Answer(page.page(found, |key| key.id.to_string(), view)).into_response())
}

/// A key in a request's path: `…/accounts/{account}/keys/{key}`.
pub struct NamedKey {
    account: AccountId,
    key: KeyId,
}

impl FromRequestParts<Arc<Deps>> for NamedKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, deps: &Arc<Deps>) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, deps).await;
        let parsed = path
            .ok()
            .and_then(|Path((account, key))| Some(Self { account: account.parse().ok()?, key: key.parse().ok()? }));
        parsed.ok_or_else(KeyId::not_found)
    }
}

/// Revokes a key. API Gateway may go by its authorizer's last answer for up to a minute.
pub async fn delete(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    NamedKey { account, key }: NamedKey,
) -> Result<Response, Problem> {
    if deps.keys.delete_key(&account, &key).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(KeyId::not_found())
    }
}
