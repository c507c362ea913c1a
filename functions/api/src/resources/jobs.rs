//! Jobs and their progress: the operator sees all of them, an account its own. `redrive` does the work.
//!
//! Invariant: an account has at most twenty jobs at once that it started itself, however it asks, and its deletion is not
//! among them (tests: `an_account_has_no_more_than_twenty_jobs_at_once_and_is_deleted_all_the_same`, the contract suites
//! `limited_jobs` and `purge`).

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::delivery::job::MOST_PENDING;
use domain::delivery::{Job, JobKind, JobStatus};
use domain::value::{JobId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::caller::{Operator, Reader};
use crate::web::named::{Kind, Named};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, schemas};

/// Work that takes longer than a request.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    #[schema(value_type = schemas::JobId)]
    id: JobId,
    #[serde(flatten)]
    #[schema(value_type = choices::JobKind)]
    kind: JobKind,
    #[schema(value_type = choices::JobStatus)]
    status: JobStatus,
    progress: Progress,
    #[schema(value_type = schemas::Timestamp)]
    created_at: Timestamp,
    #[schema(value_type = schemas::Timestamp)]
    updated_at: Timestamp,
    /// Why it failed; only there when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    error: Option<String>,
}

/// How far a job is.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = JobProgress)]
enum Progress {
    /// Of the deletion of an account.
    Deletion {
        /// Rows deleted so far.
        deleted: u64,
    },
    /// Of a recovery.
    Recovery {
        /// Deliveries looked at so far.
        looked_at: u64,
        /// Those of them that were sent again.
        resent: u64,
        /// Those that were set aside, because the destination took nothing.
        set_aside: u64,
    },
    /// Of the replay of a subscription.
    Replay {
        /// Events looked at so far, the newest first.
        looked_at: u64,
        /// When the last of them occurred; `null` before the first.
        #[schema(required, value_type = Option<schemas::Timestamp>)]
        back_to: Option<Timestamp>,
        /// Those of them that the subscription matches, whether or not they were owed before.
        matched: u64,
        /// Deliveries that were not owed before, and were sent.
        sent: u64,
        /// Deliveries that were not owed before, and were set aside, because the destination took nothing.
        set_aside: u64,
        /// Events that were passed over, because it is not known any more whether they were the awaited transition.
        unjudged: u64,
        /// Events that were passed over, because they cannot be read.
        unreadable: u64,
    },
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let progress = match job.kind {
            JobKind::DeleteAccount { .. } => Progress::Deletion { deleted: job.done },
            JobKind::Recover(_) => {
                let recovered = job.recovered.unwrap_or_default();
                Progress::Recovery { looked_at: job.done, resent: recovered.resent, set_aside: recovered.set_aside }
            }
            JobKind::Replay(_) => {
                let replayed = job.replayed.unwrap_or_default();
                Progress::Replay {
                    looked_at: job.done,
                    back_to: replayed.to.map(|to| to.occurred_at),
                    matched: replayed.matched,
                    sent: replayed.sent,
                    set_aside: replayed.set_aside,
                    unjudged: replayed.unjudged,
                    unreadable: replayed.unreadable,
                }
            }
        };
        Self {
            id: job.id,
            kind: job.kind,
            status: job.status,
            progress,
            created_at: job.created_at,
            updated_at: job.updated_at,
            error: job.error,
        }
    }
}

impl Kind for JobId {
    const KIND: &'static str = "job";
}

/// The problem of an account that would start one job too many.
pub fn limit_reached() -> Problem {
    let detail = format!(
        "the account has {MOST_PENDING} jobs that have not ended, and may have no more; start this one when one of them \
         has ended, which `GET /v1/jobs/{{id}}` tells"
    );
    Problem::new(Code::LimitReached, detail)
}

/// Read a job
///
/// It can be read for 30 days after it ended.
#[utoipa::path(
    get,
    path = "/admin/v1/jobs/{id}",
    operation_id = "read_job",
    tag = "operator",
    params(("id" = schemas::JobId, Path)),
    responses((status = 200, description = "How far it is, or how it ended.", body = JobView))
)]
pub async fn read(_: Operator, State(deps): State<Arc<Deps>>, Named(id): Named<JobId>) -> Result<Response, Problem> {
    let job = deps.jobs.find_job(&id).await?.ok_or_else(JobId::not_found)?;
    Ok(Answer(JobView::from(job)).into_response())
}

/// Read a job of the account
///
/// One that the account began. It can be read for 30 days after it ended.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    operation_id = "read_own_job",
    tag = "jobs",
    params(("id" = schemas::JobId, Path)),
    responses((status = 200, description = "How far it is, or how it ended.", body = JobView))
)]
pub async fn read_own(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<JobId>,
) -> Result<Response, Problem> {
    let job = deps.jobs.find_job(&id).await?;
    // The operator's jobs about the account are not its own.
    let own = |job: &Job| !matches!(job.kind, JobKind::DeleteAccount { .. }) && *job.kind.account() == account;
    Ok(Answer(JobView::from(job.filter(own).ok_or_else(JobId::not_found)?)).into_response())
}
