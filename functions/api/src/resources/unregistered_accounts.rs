//! Accounts that events named and nobody registered: the operator lists them to find misspelled ones.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::event::UnregisteredAccount;
use domain::value::{AccountId, EventId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::caller::Operator;
use crate::web::pages::{Page, PageParameters, PageRequest};
use crate::web::problem::Problem;
use crate::web::{Deps, schemas};

/// An account that events named and nobody registered.
#[derive(Serialize, ToSchema)]
#[schema(as = UnregisteredAccount)]
struct UnregisteredView {
    #[schema(value_type = schemas::AccountId)]
    account: AccountId,
    /// When the first known event of the account came.
    #[schema(value_type = schemas::Timestamp)]
    first_event_at: Timestamp,
    /// When its last event came. It may be an hour behind.
    #[schema(value_type = schemas::Timestamp)]
    last_event_at: Timestamp,
    #[schema(value_type = schemas::EventId)]
    last_event_id: EventId,
    /// The least number of events that came.
    events: u64,
}

impl From<UnregisteredAccount> for UnregisteredView {
    fn from(noted: UnregisteredAccount) -> Self {
        Self {
            account: noted.account,
            first_event_at: noted.first_at,
            last_event_at: noted.last_at,
            last_event_id: noted.last_event,
            events: noted.events,
        }
    }
}

/// List unregistered accounts
///
/// Lists accounts that events named and nobody registered, in the alphabetical order of their ids. It is a sample of about 200
/// accounts. An account is removed 30 days after its last event, or when it is registered.
#[utoipa::path(
    get,
    path = "/admin/v1/unregistered-accounts",
    operation_id = "list_unregistered_accounts",
    tag = "operator",
    params(PageParameters),
    responses((status = 200, description = "A page of accounts.", body = Page<UnregisteredView>))
)]
pub async fn list(_: Operator, State(deps): State<Arc<Deps>>, page: PageRequest) -> Result<Response, Problem> {
    let (now, step, list) = (deps.clock.now(), page.to_read(), &deps.unregistered);
    let read = |after| async move { list.list_unregistered(Option::as_ref(&after), step).await };
    let keep =
        |noted: UnregisteredAccount| Some(noted).filter(|noted| noted.expires_at > now).map(UnregisteredView::from);
    let found = page.sift(step, read, |noted| noted.account.clone(), keep).await?;
    Ok(Answer(found).into_response())
}
