//! Starting the job that matches the events of a span with a subscription, and sends those that its destination was not
//! owed.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;
use domain::delivery::job::MOST_PENDING;
use domain::delivery::{Job, JobKind, Replay};
use domain::value::{SubscriptionId, Timestamp};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::until;
use crate::resources::jobs::{self, JobView};
use crate::web::body::Json;
use crate::web::caller::Configurer;
use crate::web::named::{Kind, Named};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, done, schemas};

/// Which events to match.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewReplay)]
pub struct Wanted {
    /// Events that occurred at this time or later.
    #[schema(value_type = schemas::Moment)]
    since: Timestamp,
    /// Events that occurred before this time. Default: now.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Moment>)]
    until: Option<Timestamp>,
}

/// Replay a span to a subscription
///
/// Starts a job that matches the events of a span with the present subscription and sends its destination those that it was not
/// owed, at the rate at which parked deliveries are sent: at most 20 a second. The response is the job, which shows its progress.
/// A subscription has one such job at a time; if the same request is repeated, the response is the job that is running.
#[utoipa::path(
    post,
    path = "/v1/subscriptions/{id}/replay",
    operation_id = "replay_subscription",
    tag = "subscriptions",
    params(("id" = schemas::SubscriptionId, Path)),
    request_body = Wanted,
    responses(
        (status = 202, description = "The job that sends them.", body = JobView),
        (status = 409, description = "`replay_under_way`: such a job of the subscription is running for another span; `detail` names it. `limit_reached`: the account has 20 jobs that have not ended; try again when one has ended.")
    )
)]
pub async fn replay(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(subscription_id): Named<SubscriptionId>,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    let (now, open) = (deps.clock.now(), wanted.until.is_none());
    let until = until(wanted.since, wanted.until, now)?;
    let replay = Replay { account, subscription_id, since: wanted.since, until };
    let found = deps.subscriptions.find_subscription(&replay.account, &replay.subscription_id).await?;
    found.ok_or_else(SubscriptionId::not_found)?;
    let new = Job::replay(replay.clone(), now);
    let job = deps.jobs.start_job(&new, MOST_PENDING).await?.ok_or_else(jobs::limit_reached)?;
    if !is_about(&job, replay, open) {
        let detail =
            format!("the job {} is at work on this subscription for another span; wait until it has ended", job.id);
        return Err(Problem::new(Code::ReplayUnderWay, detail));
    }
    // A job that was already running has an earlier time, unless it was started in the same millisecond.
    Ok(done::nothing_if(job != new, (StatusCode::ACCEPTED, Answer(JobView::from(job)))))
}

/// Whether the job does what the request asks for. A request without `until` (`open`) means until the job was started.
fn is_about(job: &Job, asked: Replay, open: bool) -> bool {
    let until = if open { job.created_at } else { asked.until };
    matches!(&job.kind, JobKind::Replay(replay) if *replay == Replay { until, ..asked })
}
