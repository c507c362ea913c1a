//! Subscriptions: which events go to which destination.

pub mod parts;
pub mod settings;
pub mod warnings;

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::routing::{MAX_CONDITION_BYTES, Subscription, SubscriptionSettings};
use domain::value::{AccountId, DestinationId, SubscriptionId, Timestamp};
use http::{StatusCode, header};
use ports::{CreatedSubscription, DeletedSubscription, EntropyExt, UpdatedSubscription};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::warnings::Warning;
use crate::web::body::{Json, MergePatch, Patched};
use crate::web::caller::{Configurer, Reader};
use crate::web::conflict::{self, OTHERS_KEPT_CHANGING};
use crate::web::etag::{IfMatch, IfMatchHeader, changed, etag};
use crate::web::filters::Filters;
use crate::web::named::{Kind, Named};
use crate::web::pages::{Page, PageParameters, PageRequest};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, done, schemas};

/// How many subscriptions are read at a time if a filter may drop most of them.
const READ: usize = 100;

/// Which events go to which destination.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub struct SubscriptionView {
    #[schema(value_type = schemas::SubscriptionId)]
    id: SubscriptionId,
    #[serde(flatten)]
    #[schema(value_type = settings::Subscription)]
    settings: SubscriptionSettings,
    #[schema(value_type = schemas::Timestamp)]
    created_at: Timestamp,
    #[schema(value_type = schemas::Timestamp)]
    updated_at: Timestamp,
    /// What may prevent events from matching, such as a field of `condition` that no schema describes. The settings are stored
    /// nevertheless.
    warnings: Vec<Warning>,
}

impl Patched for SubscriptionSettings {}

pub fn view(subscription: Subscription) -> SubscriptionView {
    let Subscription { id, settings, created_at, updated_at, .. } = subscription;
    let warnings = warnings::of(settings.reach());
    SubscriptionView { id, settings, created_at, updated_at, warnings }
}

/// A subscription as a response, with its version as `etag`.
fn answer(status: StatusCode, subscription: Subscription) -> Response {
    (status, [(header::ETAG, etag(subscription.version))], Answer(view(subscription))).into_response()
}

/// Create a subscription
///
/// It matches events of the listed types at its scope and everywhere below it, starting at most 5 s after its creation. Settings that
/// no event can ever match, according to the schemas of the types, are refused; settings that depend on the producer cause `warnings`.
#[utoipa::path(
    post,
    path = "/v1/subscriptions",
    operation_id = "create_subscription",
    tag = "subscriptions",
    request_body = settings::NewSubscription,
    responses(
        (status = 201, description = "The subscription.", body = SubscriptionView,
            headers(("etag" = String, description = "The version of the subscription, for `If-Match`."))),
        (status = 409, description = "`name_taken`: another subscription has this name; `limit_reached`: the account has as many subscriptions as \
            it may, or, at `/condition`, its conditions would have more than 512 KiB together.")
    )
)]
pub async fn create(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Json(settings): Json<SubscriptionSettings>,
) -> Result<Response, Problem> {
    warnings::refuse_unreachable(settings.reach())?;
    Ok(answer(StatusCode::CREATED, add(&deps, account, settings).await?))
}

/// Creates a subscription. The caller has checked that events can match it.
pub async fn add(deps: &Deps, account: AccountId, settings: SubscriptionSettings) -> Result<Subscription, Problem> {
    let now = deps.clock.now();
    let id = SubscriptionId::made_at(now, deps.entropy.bytes()?);
    let subscription = Subscription { id, account, settings, created_at: now, updated_at: now, version: 1 };
    match deps.subscriptions.create_subscription(&subscription, deps.limits.subscriptions).await? {
        CreatedSubscription::Created => Ok(subscription),
        CreatedSubscription::NoDestination => Err(no_destination()),
        CreatedSubscription::NameTaken => Err(name_taken()),
        CreatedSubscription::LimitReached => Err(limit_reached(deps)),
        CreatedSubscription::TooManyConditions => Err(too_many_conditions("/condition")),
    }
}

fn no_destination() -> Problem {
    Problem::at(Code::ValidationFailed, "/destination_id", "there is no such destination")
}

fn name_taken() -> Problem {
    Problem::at(Code::NameTaken, "/name", "another subscription of the account has this name; choose another")
}

fn limit_reached(deps: &Deps) -> Problem {
    let most = deps.limits.subscriptions;
    let detail = format!("the account has {most} subscriptions, the most that are allowed; delete one first");
    Problem::new(Code::LimitReached, detail)
}

/// The problem if all conditions of the account together would have too many bytes.
pub fn too_many_conditions(pointer: &str) -> Problem {
    let detail = format!(
        "all conditions of the account's subscriptions together may have at most {MAX_CONDITION_BYTES} bytes, as JSON without white \
         space, and would have more; write shorter conditions, or delete subscriptions"
    );
    Problem::at(Code::LimitReached, pointer, detail)
}

/// The filters of the list of subscriptions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SubscriptionFilters {
    /// The order of the items. Default: `desc`, newest first.
    order: Option<choices::Order>,
    /// Only subscriptions that send to this destination.
    #[param(value_type = Option<schemas::DestinationId>)]
    destination_id: Option<DestinationId>,
    /// Only subscriptions whose name contains this text. Upper and lower case are the same.
    name_contains: Option<String>,
}

/// List subscriptions
///
/// Lists subscriptions, newest first. One page examines at most 1,000 subscriptions, so with a filter it may have few
/// items or none although there is a next page.
#[utoipa::path(
    get,
    path = "/v1/subscriptions",
    operation_id = "list_subscriptions",
    tag = "subscriptions",
    params(PageParameters, SubscriptionFilters),
    responses((status = 200, description = "A page of subscriptions.", body = Page<SubscriptionView>))
)]
pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    Filters(filters): Filters<SubscriptionFilters>,
) -> Result<Response, Problem> {
    let SubscriptionFilters { order, destination_id: destination, name_contains: part } = filters;
    let (list, account) = (&deps.subscriptions, &account);
    let step = if destination.is_none() && part.is_none() { page.to_read() } else { READ };
    let order = choices::Order::wanted(order);
    let read = |after: Option<SubscriptionId>| async move {
        list.list_subscriptions(account, order, after.as_ref(), step).await
    };
    let keep = |found: Subscription| {
        let wanted = destination.as_ref().is_none_or(|wanted| found.settings.destination_id == *wanted)
            && part.as_ref().is_none_or(|part| found.settings.name.has(part));
        wanted.then(|| view(found))
    };
    let found = page.sift(step, read, |found| found.id.clone(), keep).await?;
    Ok(Answer(found).into_response())
}

/// Read a subscription
///
/// Returns a subscription, in the same form as when it was created or changed.
#[utoipa::path(
    get,
    path = "/v1/subscriptions/{id}",
    operation_id = "read_subscription",
    tag = "subscriptions",
    params(("id" = schemas::SubscriptionId, Path)),
    responses((status = 200, description = "The subscription.", body = SubscriptionView,
        headers(("etag" = String, description = "The version of the subscription, for `If-Match`."))))
)]
pub async fn read(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<SubscriptionId>,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, find(&deps, &account, &id).await?))
}

async fn find(deps: &Deps, account: &AccountId, id: &SubscriptionId) -> Result<Subscription, Problem> {
    deps.subscriptions.find_subscription(account, id).await?.ok_or_else(SubscriptionId::not_found)
}

/// Change a subscription
///
/// The body is a merge patch (RFC 7396): fields in it are replaced, fields that are `null` get their defaults, and the rest stays. A
/// condition is merged field by field.
#[utoipa::path(
    patch,
    path = "/v1/subscriptions/{id}",
    operation_id = "change_subscription",
    tag = "subscriptions",
    params(("id" = schemas::SubscriptionId, Path),
        IfMatchHeader),
    request_body(content(
        (settings::SubscriptionChanges = "application/merge-patch+json"),
        (settings::SubscriptionChanges = "application/json")
    )),
    responses(
        (status = 200, description = "The subscription as it is now.", body = SubscriptionView,
            headers(("etag" = String, description = "The version of the subscription, for `If-Match`."))),
        (status = 409, description = "`name_taken`: another subscription has this name; `limit_reached` at `/condition`: the conditions of \
            the account would have more than 512 KiB together."),
        (status = 412, description = "`precondition_failed`: the subscription was changed since it was read; read it again.")
    )
)]
pub async fn change(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<SubscriptionId>,
    if_match: IfMatch,
    patch: MergePatch,
) -> Result<Response, Problem> {
    conflict::retry(OTHERS_KEPT_CHANGING, || async {
        let before = find(&deps, &account, &id).await?;
        if_match.check(before.version)?;
        let settings = patch.apply(&before.settings)?;
        if settings == before.settings {
            return Ok(Some(done::nothing(answer(StatusCode::OK, before))));
        }
        // Settings that are not changed stay, even if they were stored before this check existed.
        if settings.reach() != before.settings.reach() {
            warnings::refuse_unreachable(settings.reach())?;
        }
        let after = before.changed(settings, deps.clock.now());
        match deps.subscriptions.update_subscription(&before, &after).await? {
            UpdatedSubscription::Updated => Ok(Some(answer(StatusCode::OK, after))),
            UpdatedSubscription::NoDestination => Err(no_destination()),
            UpdatedSubscription::NameTaken => Err(name_taken()),
            UpdatedSubscription::TooManyConditions => Err(too_many_conditions("/condition")),
            UpdatedSubscription::Changed if if_match.is_given() => Err(changed()),
            UpdatedSubscription::Changed => Ok(None),
        }
    })
    .await
}

/// Delete a subscription
///
/// Within 5 s, it causes no new deliveries. Deliveries that are already owed are still made.
#[utoipa::path(
    delete,
    path = "/v1/subscriptions/{id}",
    operation_id = "delete_subscription",
    tag = "subscriptions",
    params(("id" = schemas::SubscriptionId, Path), IfMatchHeader),
    responses(
        (status = 204, description = "The subscription is deleted."),
        (status = 412, description = "`precondition_failed`: the subscription was changed since it was read; read it again.")
    )
)]
pub async fn delete(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<SubscriptionId>,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let mut version = None;
    if if_match.is_given() {
        let found = find(&deps, &account, &id).await?.version;
        if_match.check(found)?;
        version = Some(found);
    }
    match deps.subscriptions.delete_subscription(&account, &id, version).await? {
        DeletedSubscription::Deleted => Ok(StatusCode::NO_CONTENT.into_response()),
        DeletedSubscription::NotFound => Err(SubscriptionId::not_found()),
        DeletedSubscription::Changed => Err(changed()),
    }
}
