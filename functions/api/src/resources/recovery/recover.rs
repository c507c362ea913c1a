//! Starting the job that sends again the deliveries that a destination did not get.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;
use domain::delivery::job::MOST_PENDING;
use domain::delivery::{Job, JobKind, RecoverStatus, Recovery};
use domain::value::{AccountId, DestinationId, Timestamp};
use http::StatusCode;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::until;
use crate::resources::jobs::{self, JobView};
use crate::web::body::Json;
use crate::web::caller::Configurer;
use crate::web::named::{Kind, Named};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, done, schemas};

/// Which deliveries to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRecovery)]
pub struct Wanted {
    /// Deliveries of events that occurred at this time or later.
    #[schema(value_type = schemas::Moment)]
    since: Timestamp,
    /// Deliveries of events that occurred before this time. Default: now.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Moment>)]
    until: Option<Timestamp>,
    /// The states of the deliveries, each once. Default: all but `cancelled`.
    #[serde(default, deserialize_with = "statuses")]
    #[schema(value_type = Option<BTreeSet<choices::RecoverStatus>>, min_items = 1, max_items = 5)]
    statuses: Option<Vec<RecoverStatus>>,
}

/// Reads statuses in order. There must be at least one, and none may occur twice.
fn statuses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<RecoverStatus>>, D::Error> {
    let Some(mut statuses) = Option::<Vec<RecoverStatus>>::deserialize(deserializer)? else { return Ok(None) };
    statuses.sort_unstable();
    if statuses.is_empty() {
        return Err(D::Error::custom("must name at least one; leave it out to get all but the cancelled ones"));
    }
    if statuses.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(D::Error::custom("must name each only once"));
    }
    Ok(Some(statuses))
}

impl Wanted {
    fn read(self, account: AccountId, destination_id: DestinationId, now: Timestamp) -> Result<Recovery, Problem> {
        let until = until(self.since, self.until, now)?;
        let mut statuses = self.statuses.unwrap_or_else(|| RecoverStatus::USUAL.to_vec());
        statuses.sort_unstable();
        Ok(Recovery { account, destination_id, since: self.since, until, statuses })
    }
}

/// Recover a destination
///
/// Starts a job that sends again the deliveries of a span of events that the destination did not get, at the rate at which parked
/// deliveries are sent: at most 20 a second. The response is the job, which shows its progress. A destination has one such job at
/// a time; if the same request is repeated, the response is the job that is running.
#[utoipa::path(
    post,
    path = "/v1/destinations/{id}/recover",
    operation_id = "recover_destination",
    tag = "destinations",
    params(("id" = schemas::DestinationId, Path)),
    request_body = Wanted,
    responses(
        (status = 202, description = "The job that sends them.", body = JobView),
        (status = 409, description = "`recovery_under_way`: another such job of the destination is running; `detail` names it. `limit_reached`: the account has 20 jobs that have not ended; try again when one has ended.")
    )
)]
pub async fn recover(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    let (now, open) = (deps.clock.now(), wanted.until.is_none());
    let recovery = wanted.read(account, id, now)?;
    let found = deps.destinations.find_destination(&recovery.account, &recovery.destination_id).await?;
    found.ok_or_else(DestinationId::not_found)?;
    let new = Job::recover(recovery.clone(), now);
    let job = deps.jobs.start_job(&new, MOST_PENDING).await?.ok_or_else(jobs::limit_reached)?;
    if !is_about(&job, recovery, open) {
        let detail = format!(
            "the job {} is at work on this destination for another span or other statuses; wait until it has ended",
            job.id
        );
        return Err(Problem::new(Code::RecoveryUnderWay, detail));
    }
    // A job that was already running has an earlier time, unless it was started in the same millisecond.
    Ok(done::nothing_if(job != new, (StatusCode::ACCEPTED, Answer(JobView::from(job)))))
}

/// Whether the job does what the request asks for. A request without `until` (`open`) means until the job was started.
fn is_about(job: &Job, asked: Recovery, open: bool) -> bool {
    let until = if open { job.created_at } else { asked.until };
    matches!(&job.kind, JobKind::Recover(recovery) if *recovery == Recovery { until, ..asked })
}
