//! Accounts: the operator registers, lists, reads and deletes them. A handler only starts a deletion; `redrive` carries
//! it out as a job.
//!
//! Invariant: an account that is being deleted is not registered again and gets no key (tests:
//! `an_account_that_is_being_deleted_is_not_registered_again_and_gets_no_key`).

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::access::Account;
use domain::delivery::Job;
use domain::value::{AccountId, JobId, Timestamp};
use http::StatusCode;
use ports::{CreatedAccount, EntropyExt};
use runtime::telemetry::ErrorChain;
use serde::{Deserialize, Serialize};
use tracing::warn;
use utoipa::ToSchema;

use crate::resources::jobs::JobView;
use crate::web::body::Json;
use crate::web::caller::Operator;
use crate::web::named::{Kind, Named};
use crate::web::pages::{Page, PageParameters, PageRequest};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, schemas};

/// An account to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    #[schema(value_type = schemas::AccountId)]
    id: AccountId,
}

/// Whether an account is active or is being deleted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AccountStatus {
    Active,
    Deleting,
}

/// One customer of the platform.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
struct AccountView {
    #[schema(value_type = schemas::AccountId)]
    id: AccountId,
    status: AccountStatus,
    /// The job that deletes it.
    #[schema(required, value_type = Option<schemas::JobId>)]
    deletion_job: Option<JobId>,
    #[schema(value_type = schemas::Timestamp)]
    created_at: Timestamp,
}

fn view(account: Account) -> AccountView {
    let status = if account.deletion.is_some() { AccountStatus::Deleting } else { AccountStatus::Active };
    AccountView { id: account.id, status, deletion_job: account.deletion, created_at: account.created_at }
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
        (status = 409, description = "`account_exists`: an account with this id is already registered, or is being deleted.")
    )
)]
pub async fn create(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Json(new): Json<NewAccount>,
) -> Result<Response, Problem> {
    let created_at = deps.clock.now();
    let exists = |detail: &str| Err(Problem::at(Code::AccountExists, "/id", detail));
    match deps.accounts.create_account(&new.id, created_at).await? {
        CreatedAccount::Created => {
            if let Err(error) = deps.unregistered.forget_unregistered(&new.id).await {
                warn!(error = %ErrorChain(&error), "a registered account could not be removed from the list of unregistered accounts");
            }
            let account = Account { id: new.id, created_at, deletion: None };
            Ok((StatusCode::CREATED, Answer(view(account))).into_response())
        }
        CreatedAccount::Exists => exists("an account with this id is already registered"),
        CreatedAccount::BeingDeleted => {
            exists("an account with this id is being deleted; register it again when its deletion job has succeeded")
        }
    }
}

/// List accounts
///
/// Lists accounts in the alphabetical order of their ids.
#[utoipa::path(
    get,
    path = "/admin/v1/accounts",
    operation_id = "list_accounts",
    tag = "operator",
    params(PageParameters),
    responses((status = 200, description = "A page of accounts.", body = Page<AccountView>))
)]
pub async fn list(_: Operator, State(deps): State<Arc<Deps>>, page: PageRequest) -> Result<Response, Problem> {
    let after = page.after()?;
    let found = deps.accounts.list_accounts(after.as_ref(), page.to_read()).await?;
    Ok(Answer(page.page(found, |account| account.id.to_string(), view)).into_response())
}

/// Read an account
///
/// Returns an account, even if it is being deleted.
#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}",
    operation_id = "read_account",
    tag = "operator",
    params(("account" = schemas::AccountId, Path)),
    responses((status = 200, description = "The account.", body = AccountView))
)]
pub async fn read(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
) -> Result<Response, Problem> {
    let found = deps.accounts.read_account(&account).await?.ok_or_else(AccountId::not_found)?;
    Ok(Answer(view(found)).into_response())
}

/// Delete an account
///
/// Starts a job that deletes the account with everything that belongs to it, or returns the job that is already running. If a
/// job failed, a new one is started. A deletion cannot be undone.
#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}",
    operation_id = "delete_account",
    tag = "operator",
    params(("account" = schemas::AccountId, Path)),
    responses((status = 202, description = "The job that deletes it.", body = JobView))
)]
pub async fn delete(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
) -> Result<Response, Problem> {
    let accepted = |job| Ok((StatusCode::ACCEPTED, Answer(JobView::from(job))).into_response());
    let found = deps.accounts.read_account(&account).await?.ok_or_else(AccountId::not_found)?;
    let before = match &found.deletion {
        Some(id) => deps.jobs.find_job(id).await?,
        None => None,
    };
    if let Some(job) = before.filter(|job| !job.has_ended()) {
        return accepted(job);
    }
    let id = JobId::from_entropy(deps.entropy.bytes()?);
    let job = Job::delete_account(id, account.clone(), deps.clock.now());
    if deps.accounts.start_deletion(&account, &job, found.deletion.as_ref()).await? {
        return accepted(job);
    }
    // Another request started it in the meantime, or it has just ended.
    Err(Problem::new(Code::Unavailable, "the account is being deleted by another request; try again to see its job"))
}
