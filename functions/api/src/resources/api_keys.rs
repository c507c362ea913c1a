//! The API keys of an account. A key is shown when it is issued and never again.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use domain::access::{ApiKey, Role};
use domain::value::{AccountId, Day, KeyId, Label, Timestamp};
use http::StatusCode;
use http::request::Parts;
use ports::{CreatedKey, EntropyExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::web::body::Json;
use crate::web::caller::Operator;
use crate::web::filters::Filters;
use crate::web::named::{Kind, Named};
use crate::web::pages::{OrderParameter, Page, PageParameters, PageRequest};
use crate::web::problem::Problem;
use crate::web::{Deps, choices, schemas};

/// An API key to issue.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    #[schema(value_type = schemas::Label)]
    name: Label,
    #[schema(value_type = schemas::Role)]
    role: Role,
}

/// An API key that was issued. No other response ever shows a key.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedKey)]
struct NewKeyView<'a> {
    #[serde(flatten)]
    listed: KeyView,
    /// The key. It is shown only now; the service keeps only a hash of it.
    key: &'a str,
}

/// An API key of an account, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyView {
    #[schema(value_type = schemas::KeyId)]
    id: KeyId,
    #[schema(value_type = schemas::Label)]
    name: Label,
    #[schema(value_type = schemas::Role)]
    role: Role,
    /// The beginning of the key, so that its holder can recognize it. It is not secret.
    #[schema(example = "whk_acme.ogr633ijs3fm6h9u")]
    prefix: String,
    #[schema(value_type = schemas::Timestamp)]
    created_at: Timestamp,
    /// The day on which the key was last used; `null` if it was never used.
    #[schema(required, value_type = Option<schemas::Day>)]
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
    responses((status = 201, description = "The key, which is shown only this once.", body = NewKeyView))
)]
pub async fn create(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
    Json(new): Json<NewKey>,
) -> Result<Response, Problem> {
    let id = KeyId::made_at(deps.clock.now(), deps.entropy.bytes()?);
    let (key, text) = ApiKey::issue(id, account, new.name, new.role, deps.entropy.bytes()?, deps.clock.now());
    match deps.keys.create_key(&key).await? {
        CreatedKey::Created => {
            let view = NewKeyView { listed: view(key), key: &text };
            Ok((StatusCode::CREATED, Answer(view)).into_response())
        }
        CreatedKey::NoAccount => Err(AccountId::not_found()),
    }
}

/// List API keys
///
/// Lists the keys of one account, newest first, without their secrets.
#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/keys",
    operation_id = "list_keys",
    tag = "operator",
    params(("account" = schemas::AccountId, Path), PageParameters, OrderParameter),
    responses((status = 200, description = "A page of keys.", body = Page<KeyView>))
)]
pub async fn list(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
    page: PageRequest,
    Filters(OrderParameter { order }): Filters<OrderParameter>,
) -> Result<Response, Problem> {
    let after: Option<KeyId> = page.after()?;
    deps.accounts.read_account(&account).await?.ok_or_else(AccountId::not_found)?;
    let order = choices::Order::wanted(order);
    let found = deps.keys.list_keys(&account, order, after.as_ref(), page.to_read()).await?;
    Ok(Answer(page.page(found, |key| key.id.to_string(), view)).into_response())
}

/// The key that a path names: `…/accounts/{account}/keys/{key}`.
pub struct NamedKey {
    account: AccountId,
    key: KeyId,
}

impl<S: Send + Sync> FromRequestParts<S> for NamedKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let parsed = path
            .ok()
            .and_then(|Path((account, key))| Some(Self { account: account.parse().ok()?, key: key.parse().ok()? }));
        parsed.ok_or_else(KeyId::not_found)
    }
}

/// Revoke an API key
///
/// API Gateway caches its authorizer's answer about a key, so the key may work for up to 60 s longer.
#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/keys/{key}",
    operation_id = "delete_key",
    tag = "operator",
    params(("account" = schemas::AccountId, Path), ("key" = schemas::KeyId, Path)),
    responses((status = 204, description = "The key is revoked."))
)]
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
