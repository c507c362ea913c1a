//! Jobs and their progress: the operator sees all of them, an account its own. `redrive` does the work.
//!
//! Invariant: an account has at most twenty unfinished jobs that it started itself, in whatever way; its deletion is not
//! counted (tests: `an_account_has_no_more_than_twenty_jobs_at_once_and_is_deleted_all_the_same`, the contract suites
//! `limited_jobs` and `purge`).

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::delivery::job::MOST_PENDING;
use domain::delivery::{Job, JobKind, JobStatus, RecoverStatus, Recovery, Replay};
use domain::value::{AccountId, DestinationId, JobId, SubscriptionId, Timestamp};
use ports::{JobPlace, ListedJob};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::caller::{Operator, Reader};
use crate::web::filters::Filters;
use crate::web::named::{Kind, Named};
use crate::web::pages::{Page, PageParameters, PageRequest};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, schemas};

/// Work that takes longer than a request, by its `kind`.
#[derive(Serialize, ToSchema)]
#[schema(as = Job, discriminator(property_name = "kind", mapping(
    ("delete_account" = "#/components/schemas/DeletionJob"),
    ("recover" = "#/components/schemas/RecoveryJob"),
    ("replay" = "#/components/schemas/ReplayJob")
)))]
#[serde(untagged)]
pub enum JobView {
    Deletion(DeletionJob),
    Recovery(RecoveryJob),
    Replay(ReplayJob),
}

/// The fields that every job has.
#[derive(Serialize, ToSchema)]
#[schema(as = JobFields)]
struct Fields {
    #[schema(value_type = schemas::JobId)]
    id: JobId,
    #[schema(value_type = schemas::AccountId)]
    account: AccountId,
    #[schema(value_type = choices::JobStatus)]
    status: JobStatus,
    #[schema(value_type = schemas::Timestamp)]
    created_at: Timestamp,
    #[schema(value_type = schemas::Timestamp)]
    updated_at: Timestamp,
    /// Why the job failed. Only failed jobs have this field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    error: Option<String>,
}

/// A job that deletes an account with everything that belongs to it.
#[derive(Serialize, ToSchema)]
pub struct DeletionJob {
    #[schema(inline)]
    kind: DeletionKind,
    #[serde(flatten)]
    job: Fields,
    progress: DeletionProgress,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DeletionKind {
    DeleteAccount,
}

/// The progress of the deletion of an account.
#[derive(Serialize, ToSchema)]
struct DeletionProgress {
    /// Rows deleted so far.
    deleted: u64,
}

/// A job that sends again the deliveries that a destination did not get.
#[derive(Serialize, ToSchema)]
pub struct RecoveryJob {
    #[schema(inline)]
    kind: RecoveryKind,
    #[serde(flatten)]
    job: Fields,
    #[schema(value_type = schemas::DestinationId)]
    destination_id: DestinationId,
    #[schema(value_type = schemas::Timestamp)]
    since: Timestamp,
    #[schema(value_type = schemas::Timestamp)]
    until: Timestamp,
    #[schema(value_type = Vec<choices::RecoverStatus>)]
    statuses: Vec<RecoverStatus>,
    progress: RecoveryProgress,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RecoveryKind {
    Recover,
}

/// The progress of a recovery.
#[derive(Serialize, ToSchema)]
struct RecoveryProgress {
    /// Deliveries that were examined so far.
    looked_at: u64,
    /// Deliveries that were sent again.
    resent: u64,
    /// Deliveries that were set aside, because nothing could be sent to the destination.
    set_aside: u64,
}

/// A job that matches past events with a subscription.
#[derive(Serialize, ToSchema)]
pub struct ReplayJob {
    #[schema(inline)]
    kind: ReplayKind,
    #[serde(flatten)]
    job: Fields,
    #[schema(value_type = schemas::SubscriptionId)]
    subscription_id: SubscriptionId,
    #[schema(value_type = schemas::Timestamp)]
    since: Timestamp,
    #[schema(value_type = schemas::Timestamp)]
    until: Timestamp,
    progress: ReplayProgress,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ReplayKind {
    Replay,
}

/// The progress of a replay to a subscription.
#[derive(Serialize, ToSchema)]
struct ReplayProgress {
    /// Events that were examined so far, newest first.
    looked_at: u64,
    /// When the last event that was examined occurred; `null` before the first.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    back_to: Option<Timestamp>,
    /// Events that the subscription matches, whether or not they were owed before.
    matched: u64,
    /// Deliveries that were not owed before, and were sent.
    sent: u64,
    /// Deliveries that were not owed before, and were set aside, because nothing could be sent to the destination.
    set_aside: u64,
    /// Events that were skipped, because it is no longer known whether they were the awaited transition.
    unjudged: u64,
    /// Events that were skipped, because they cannot be read.
    unreadable: u64,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let account = job.kind.account().clone();
        let Job { id, status, created_at, updated_at, error, .. } = job;
        let (fields, looked_at) = (Fields { id, account, status, created_at, updated_at, error }, job.done);
        match job.kind {
            JobKind::DeleteAccount { .. } => Self::Deletion(DeletionJob {
                kind: DeletionKind::DeleteAccount,
                job: fields,
                progress: DeletionProgress { deleted: job.done },
            }),
            JobKind::Recover(Recovery { account: _, destination_id, since, until, statuses }) => {
                let recovered = job.recovered.unwrap_or_default();
                let (resent, set_aside) = (recovered.resent, recovered.set_aside);
                let progress = RecoveryProgress { looked_at, resent, set_aside };
                let kind = RecoveryKind::Recover;
                Self::Recovery(RecoveryJob { kind, job: fields, destination_id, since, until, statuses, progress })
            }
            JobKind::Replay(Replay { account: _, subscription_id, since, until }) => {
                let replayed = job.replayed.unwrap_or_default();
                let progress = ReplayProgress {
                    looked_at,
                    back_to: replayed.to.map(|to| to.occurred_at),
                    matched: replayed.matched,
                    sent: replayed.sent,
                    set_aside: replayed.set_aside,
                    unjudged: replayed.unjudged,
                    unreadable: replayed.unreadable,
                };
                Self::Replay(ReplayJob {
                    kind: ReplayKind::Replay,
                    job: fields,
                    subscription_id,
                    since,
                    until,
                    progress,
                })
            }
        }
    }
}

impl Kind for JobId {
    const KIND: &'static str = "job";
}

/// The problem of an account that would start one job too many.
pub fn limit_reached() -> Problem {
    let detail = format!(
        "the account has {MOST_PENDING} jobs that have not ended, which is the limit; start this one when one of them \
         has ended (see `GET /v1/jobs/{{id}}`)"
    );
    Problem::new(Code::LimitReached, detail)
}

/// Read a job
///
/// Returns a job, until 30 days after it ended.
#[utoipa::path(
    get,
    path = "/admin/v1/jobs/{id}",
    operation_id = "read_job_as_operator",
    tag = "operator",
    params(("id" = schemas::JobId, Path)),
    responses((status = 200, description = "The job, with its progress or its result.", body = JobView))
)]
pub async fn read(_: Operator, State(deps): State<Arc<Deps>>, Named(id): Named<JobId>) -> Result<Response, Problem> {
    let job = deps.jobs.find_job(&id).await?.ok_or_else(JobId::not_found)?;
    Ok(Answer(JobView::from(job)).into_response())
}

/// The filters of the list of jobs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobFilters {
    /// The order of the items. Default: `desc`, newest first.
    order: Option<choices::Order>,
    status: Option<choices::JobStatus>,
}

/// List jobs
///
/// Lists the jobs that the account started, newest first. One page examines at most 1,000 jobs.
#[utoipa::path(
    get,
    path = "/v1/jobs",
    operation_id = "list_jobs",
    tag = "jobs",
    params(PageParameters, JobFilters),
    responses((status = 200, description = "A page of jobs.", body = Page<JobView>))
)]
pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    Filters(JobFilters { order, status }): Filters<JobFilters>,
) -> Result<Response, Problem> {
    let (jobs, account, step) = (&deps.jobs, &account, page.to_read());
    let order = choices::Order::wanted(order);
    let read = |after: Option<JobPlace>| async move { jobs.list_jobs(account, order, after.as_ref(), step).await };
    let wanted = |job: &Job| status.is_none_or(|wanted| choices::JobStatus::of(job.status) == wanted);
    let keep = |listed: ListedJob| listed.job.filter(wanted).map(JobView::from);
    let found = page.sift(step, read, |listed| listed.place.clone(), keep).await?;
    Ok(Answer(found).into_response())
}

/// Read a job of the account
///
/// Returns a job that the account started, until 30 days after it ended.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    operation_id = "read_job",
    tag = "jobs",
    params(("id" = schemas::JobId, Path)),
    responses((status = 200, description = "The job, with its progress or its result.", body = JobView))
)]
pub async fn read_own(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<JobId>,
) -> Result<Response, Problem> {
    let job = deps.jobs.find_job(&id).await?;
    // Jobs that the operator started about the account are not the account's own.
    let own = |job: &Job| !matches!(job.kind, JobKind::DeleteAccount { .. }) && *job.kind.account() == account;
    Ok(Answer(JobView::from(job.filter(own).ok_or_else(JobId::not_found)?)).into_response())
}
