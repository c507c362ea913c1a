//! Deleting a destination, alone or with the subscriptions that send to it.
//!
//! Subscriptions have no index by destination: to find those that send to it, the subscriptions of the account are read, as
//! many as one request may read. A cascade stores its position in the destination's row, so that the next request continues
//! there. The count in the destination's row, not the search, shows whether any are left.
//!
//! Invariant: a cascade reads and deletes a bounded part, the next request continues, and in the end none is left, wherever
//! it was (tests: `a_cascade_deletes_a_part_and_the_next_request_goes_on`,
//! `a_cascade_among_very_many_others_goes_on_where_it_was_and_finds_what_was_moved_before_that`).

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::value::{AccountId, DestinationId};
use http::StatusCode;
use ports::{DeletedDestination, DeletedSubscription, PortResult, read_units};
use serde::Deserialize;
use utoipa::IntoParams;

use super::find;
use crate::resources::subscriptions::parts::{Part, Parts};
use crate::web::caller::Configurer;
use crate::web::conflict::{TRIES, gave_up};
use crate::web::etag::{IfMatch, IfMatchHeader, changed};
use crate::web::filters::Filters;
use crate::web::named::{Kind, Named};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, schemas};

/// The greatest number of subscriptions that are named when a destination is in use.
const NAMED: usize = 100;
/// The greatest cost of deleting a subscription, in read units: its row is read again, and once more if that fails.
const DELETION_UNITS: usize = 4;
/// The read units that a cascade leaves for the deletion of the destination itself, and for a page that requests it.
const KEPT: usize = 40;

/// The query of a deletion.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Deletion {
    /// Whether the subscriptions that send to it are deleted as well, as many as one request may delete.
    #[serde(default)]
    cascade: bool,
}

/// Delete a destination
///
/// Each delivery that waits for an attempt is cancelled when the attempt is due. A parked delivery stays `parked`, is never
/// sent, and expires.
#[utoipa::path(
    delete,
    path = "/v1/destinations/{id}",
    operation_id = "delete_destination",
    tag = "destinations",
    params(("id" = schemas::DestinationId, Path), Deletion, IfMatchHeader),
    responses(
        (status = 204, description = "The destination is deleted."),
        (status = 409, description = "`destination_in_use`: subscriptions send to it; `detail` names up to 100 of them, as far as one request may \
            read. With `cascade`: a part of them was deleted, and more may be left; send the request again."),
        (status = 412, description = "`precondition_failed`: the destination was changed since it was read; read it again.")
    )
)]
pub async fn delete(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
    if_match: IfMatch,
    Filters(Deletion { cascade }): Filters<Deletion>,
) -> Result<Response, Problem> {
    let mut version = None;
    if if_match.is_given() {
        let found = find(&deps, &account, &id).await?.version;
        if_match.check(found)?;
        version = Some(found);
    }
    let mut users = 0;
    let deleted = with_users(&deps, &account, &id, version, cascade, &mut users).await;
    deleted.map_err(|problem| if users > 0 { problem.after_changes() } else { problem })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Deletes the destination, and with `cascade` the subscriptions that send to it, which are counted in `users`.
async fn with_users(
    deps: &Deps,
    account: &AccountId,
    id: &DestinationId,
    version: Option<u64>,
    cascade: bool,
    users: &mut usize,
) -> Result<(), Problem> {
    for _ in 0..TRIES {
        match deps.destinations.delete_destination(account, id, version).await? {
            DeletedDestination::Changed => return Err(changed()),
            DeletedDestination::Deleted => return Ok(()),
            DeletedDestination::NotFound => return Err(DestinationId::not_found()),
            DeletedDestination::InUse if cascade => delete_users(deps, account, id, users).await?,
            DeletedDestination::InUse => return Err(in_use(deps, account, id).await?),
        }
    }
    Err(gave_up("others keep creating subscriptions to it; try again"))
}

/// Names some of the subscriptions that send to it.
async fn in_use(deps: &Deps, account: &AccountId, id: &DestinationId) -> PortResult<Problem> {
    let (mut users, mut parts) = (Vec::new(), Parts::new(deps, account, None, KEPT));
    while users.len() < NAMED
        && let Part::Read(some) = parts.next().await?
    {
        users.extend(some.into_iter().filter(|one| one.settings.destination_id == *id));
    }
    let named: Vec<_> = users.iter().take(NAMED).map(|user| user.id.as_str()).collect();
    let detail = if named.is_empty() {
        format!(
            "subscriptions send to it; `GET /v1/subscriptions?destination_id={id}` lists them; delete them first, or together \
             with it by `?cascade=true`"
        )
    } else {
        let named = named.join(", ");
        format!("these subscriptions send to it; delete them first, or together with it by `?cascade=true`: {named}")
    };
    Ok(Problem::new(Code::DestinationInUse, detail))
}

/// Deletes the subscriptions that send to it, as many as one request may delete. They are deleted one after the other,
/// because each deletion updates the account's row.
async fn delete_users(
    deps: &Deps,
    account: &AccountId,
    id: &DestinationId,
    deleted: &mut usize,
) -> Result<(), Problem> {
    let mut after = deps.destinations.find_searched(account, id).await?;
    let (mut parts, began_anew) = (Parts::new(deps, account, after.clone(), KEPT), after.is_none());
    'search: loop {
        let some = match parts.next().await? {
            Part::Read(some) => some,
            Part::Ended if began_anew => return Ok(()),
            Part::Ended => return Ok(deps.destinations.note_searched(account, id, None).await?),
            Part::TooMuch => break,
        };
        for one in some {
            if one.settings.destination_id == *id {
                if read_units::left_for(DELETION_UNITS + KEPT) == 0 {
                    break 'search;
                }
                let answer = deps.subscriptions.delete_subscription(account, &one.id, Some(one.version)).await?;
                *deleted += usize::from(answer == DeletedSubscription::Deleted);
            }
            after = Some(one.id);
        }
    }
    deps.destinations.note_searched(account, id, after.as_ref()).await?;
    let detail = format!(
        "{deleted} of the subscriptions that send to it were deleted, as many as one request can find and delete, and more may be \
         left; send the request again"
    );
    Err(Problem::new(Code::DestinationInUse, detail))
}
