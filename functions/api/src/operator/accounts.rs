//! Accounts, and the jobs that delete them. A deletion is only begun here: `redrive` does it.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::account::Account;
use shared::domain::id::{AccountId, JobId};
use shared::domain::job::{Job, JobKind, JobStatus};
use shared::domain::timestamp::Timestamp;
use shared::ports::{CreatedAccount, EntropyExt};

use crate::Deps;
use crate::body::Json;
use crate::caller::Operator;
use crate::named::{Kind, Named};
use crate::pages::PageRequest;
use crate::problem::{Code, Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    id: AccountId,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum AccountStatus {
    Active,
    Deleting,
}

#[derive(Serialize)]
struct AccountView {
    id: AccountId,
    status: AccountStatus,
    /// The job that deletes it.
    deletion_job: Option<JobId>,
    created_at: Timestamp,
}

fn view(account: Account) -> AccountView {
    let status = if account.deletion.is_some() { AccountStatus::Deleting } else { AccountStatus::Active };
    AccountView { id: account.id, status, deletion_job: account.deletion, created_at: account.created_at }
}

#[derive(Serialize)]
struct JobView {
    id: JobId,
    #[serde(flatten)]
    kind: JobKind,
    status: JobStatus,
    progress: Progress,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Progress {
    deleted: u64,
}

fn job_view(job: Job) -> JobView {
    let progress = match job.kind {
        JobKind::DeleteAccount { .. } => Progress { deleted: job.done },
    };
    JobView {
        id: job.id,
        kind: job.kind,
        status: job.status,
        progress,
        created_at: job.created_at,
        updated_at: job.updated_at,
        error: job.error,
    }
}

impl Kind for JobId {
    const KIND: &'static str = "job";
}

pub async fn create(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Json(new): Json<NewAccount>,
) -> Result<Response, Problem> {
    let created_at = deps.clock.now();
    let exists = |detail: &str| Err(Problem::at(Code::AccountExists, "/id", detail));
    match deps.accounts.create_account(&new.id, created_at).await? {
        CreatedAccount::Created => {
            let account = Account { id: new.id, created_at, deletion: None };
            Ok((StatusCode::CREATED, Answer(view(account))).into_response())
        }
        CreatedAccount::Exists => exists("an account of this id is registered already"),
        CreatedAccount::BeingDeleted => {
            exists("an account of this id is being deleted; register it again when its deletion job has succeeded")
        }
    }
}

pub async fn list(_: Operator, State(deps): State<Arc<Deps>>, page: PageRequest) -> Result<Response, Problem> {
    let after = page.after()?;
    let found = deps.accounts.list_accounts(after.as_ref(), page.to_read()).await?;
    Ok(Answer(page.page(found, |account| account.id.to_string(), view)).into_response())
}

pub async fn read(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
) -> Result<Response, Problem> {
    let found = deps.accounts.read_account(&account).await?.ok_or_else(AccountId::not_found)?;
    Ok(Answer(view(found)).into_response())
}

/// Begins the deletion, or answers with the one under way. A job that failed is followed by another one.
pub async fn delete(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
) -> Result<Response, Problem> {
    let accepted = |job| Ok((StatusCode::ACCEPTED, Answer(job_view(job))).into_response());
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
    // Somebody else began it meanwhile, or it has just ended.
    Err(Problem::new(Code::Unavailable, "the account is being deleted by another request; try again to see its job"))
}

pub async fn read_job(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<JobId>,
) -> Result<Response, Problem> {
    let job = deps.jobs.find_job(&id).await?.ok_or_else(JobId::not_found)?;
    Ok(Answer(job_view(job)).into_response())
}
