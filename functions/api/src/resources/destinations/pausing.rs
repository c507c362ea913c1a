//! Pausing a destination, and resuming it whatever stopped its deliveries. Asking twice has no further effect.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::destination::Destination;
use domain::value::{AccountId, DestinationId, Timestamp};
use http::StatusCode;
use ports::UpdatedDestination;

use super::{DestinationView, answer, find, view};
use crate::web::caller::Configurer;
use crate::web::conflict::{self, OTHERS_KEPT_CHANGING};
use crate::web::etag::{IfMatch, IfMatchHeader};
use crate::web::named::Named;
use crate::web::problem::Problem;
use crate::web::{Deps, done, schemas};

/// Pause a destination
///
/// Nothing is sent to it until it is resumed; what it is owed is set aside (`parked`). The same as changing `paused` to `true`.
#[utoipa::path(
    post,
    path = "/v1/destinations/{id}/pause",
    operation_id = "pause_destination",
    tag = "destinations",
    params(("id" = schemas::DestinationId, Path), IfMatchHeader),
    responses(
        (status = 200, description = "The destination as it is now.", body = DestinationView,
            headers(("etag" = String, description = "The version of what is answered, for `If-Match`."))),
        (status = 412, description = "`precondition_failed`: it was changed since it was read; read it again.")
    )
)]
pub async fn pause(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    change(&deps, &account, &id, &if_match, Destination::paused).await
}

/// Resume a destination
///
/// What was set aside is sent at a bounded rate, whether it was paused or disabled. One that is failing is probed within a
/// minute; a healthy one is looked at for what was left behind.
#[utoipa::path(
    post,
    path = "/v1/destinations/{id}/resume",
    operation_id = "resume_destination",
    tag = "destinations",
    params(("id" = schemas::DestinationId, Path), IfMatchHeader),
    responses(
        (status = 200, description = "The destination as it is now.", body = DestinationView,
            headers(("etag" = String, description = "The version of what is answered, for `If-Match`."))),
        (status = 412, description = "`precondition_failed`: it was changed since it was read; read it again.")
    )
)]
pub async fn resume(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    change(&deps, &account, &id, &if_match, Destination::resumed).await
}

async fn change(
    deps: &Deps,
    account: &AccountId,
    id: &DestinationId,
    if_match: &IfMatch,
    to: impl Fn(&Destination, Timestamp) -> Option<Destination>,
) -> Result<Response, Problem> {
    conflict::retry(OTHERS_KEPT_CHANGING, || async {
        let (before, now) = (find(deps, account, id).await?, deps.clock.now());
        if_match.check(before.version)?;
        let Some(after) = to(&before, now) else {
            return Ok(Some(done::nothing(answer(StatusCode::OK, before.version, view(before, now)))));
        };
        let updated = deps.destinations.update_destination(&before, &after).await? == UpdatedDestination::Updated;
        Ok(updated.then(|| answer(StatusCode::OK, after.version, view(after, now))))
    })
    .await
}
