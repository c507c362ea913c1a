//! Deleting a destination, alone or with the subscriptions that send to it.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use domain::value::DestinationId;
use http::StatusCode;
use ports::DeletedDestination;
use serde::Deserialize;
use utoipa::IntoParams;

use super::find;
use crate::resources::subscriptions;
use crate::web::caller::Configurer;
use crate::web::etag::{IfMatch, IfMatchHeader, changed};
use crate::web::named::{Kind, Named};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, schemas};

/// The query of a deletion.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Deletion {
    /// Whether the subscriptions that send to it are deleted as well.
    #[serde(default)]
    cascade: bool,
}

/// Delete a destination
///
/// Deliveries still owed to it are cancelled at their next attempt.
#[utoipa::path(
    delete,
    path = "/v1/destinations/{id}",
    operation_id = "delete_destination",
    tag = "destinations",
    params(("id" = schemas::DestinationId, Path), Deletion, IfMatchHeader),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 409, description = "`destination_in_use`: subscriptions send to it; `detail` names up to 100 of them."),
        (status = 412, description = "`precondition_failed`: it was changed since it was read; read it again.")
    )
)]
pub async fn delete(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
    if_match: IfMatch,
    deletion: Result<Query<Deletion>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Deletion { cascade }) =
        deletion.map_err(|_| Problem::parameter("cascade", "must be `true` or `false`, and is the only parameter"))?;
    let mut version = None;
    if if_match.is_given() {
        let found = find(&deps, &account, &id).await?.version;
        if_match.check(found)?;
        version = Some(found);
    }
    loop {
        match deps.destinations.delete_destination(&account, &id, version).await? {
            DeletedDestination::Changed => return Err(changed()),
            DeletedDestination::Deleted => return Ok(StatusCode::NO_CONTENT.into_response()),
            DeletedDestination::NotFound => return Err(DestinationId::not_found()),
            DeletedDestination::InUse => {}
        }
        let users = subscriptions::sending_to(&deps, &account, &id).await?;
        if !cascade {
            let users: Vec<_> = users.iter().map(ToString::to_string).collect();
            let detail = format!(
                "these subscriptions send to it; delete them first, or with it by `?cascade=true`: {}",
                users.join(", ")
            );
            return Err(Problem::new(Code::DestinationInUse, detail));
        }
        for user in users {
            deps.subscriptions.delete_subscription(&account, &user, None).await?;
        }
    }
}
