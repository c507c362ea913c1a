//! The last day of a destination, hour by hour, from the roll-up that `redrive` computes. Only 24 hours are added up
//! here, so the response takes the same time however much was delivered.
//!
//! Invariant: the statistics of a destination take two reads, however many deliveries it had (tests:
//! `reading_it_costs_two_reads_and_is_for_those_who_may_read_and_own_it`).

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::attempt::Latencies;
use domain::delivery::{Hour, RollUp, Tally};
use domain::value::{DestinationId, Timestamp};
use futures_util::future;
use serde::Serialize;
use utoipa::ToSchema;

use super::find;
use crate::web::caller::Reader;
use crate::web::named::Named;
use crate::web::problem::Problem;
use crate::web::{Deps, schemas};

/// The results of a destination's deliveries, by the hour in which their events occurred: the present hour and the 23 before it.
#[derive(Serialize, ToSchema)]
#[schema(as = DestinationStats)]
struct StatsView {
    #[schema(value_type = schemas::DestinationId)]
    destination_id: DestinationId,
    /// The beginning of the first hour.
    #[schema(value_type = schemas::Timestamp)]
    since: Timestamp,
    /// The end of the present hour.
    #[schema(value_type = schemas::Timestamp)]
    until: Timestamp,
    /// When the numbers were last computed; `null` if there was nothing to count in the last day.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    computed_at: Option<Timestamp>,
    /// The 24 hours, oldest first.
    #[schema(min_items = 24, max_items = 24)]
    hours: Vec<HourView>,
    /// Deliveries that succeeded, in all hours.
    delivered: u64,
    /// Deliveries that were given up, or wait after a failed attempt.
    failed: u64,
    /// Deliveries that were set aside until the destination is back, without a failed attempt.
    parked: u64,
    /// `delivered` / (`delivered` + `failed`); `null` if both are 0.
    #[schema(required, minimum = 0, maximum = 1)]
    success_rate: Option<f64>,
    /// The duration of successful attempts; `null` if there were none.
    #[schema(required)]
    latency_ms: Option<LatencyView>,
    /// Whether an hour had more deliveries than are counted.
    partial: bool,
}

/// The results of the deliveries of one hour.
#[derive(Serialize, ToSchema)]
#[schema(as = DestinationHour)]
struct HourView {
    #[schema(value_type = schemas::Timestamp)]
    start: Timestamp,
    delivered: u64,
    failed: u64,
    parked: u64,
}

/// Durations in whole milliseconds, exact to 5 %.
#[derive(Serialize, ToSchema)]
#[schema(as = Latency)]
struct LatencyView {
    median: u64,
    /// The 95th percentile.
    p95: u64,
}

impl LatencyView {
    fn of(latencies: &Latencies) -> Option<Self> {
        Some(Self { median: latencies.quantile(50)?, p95: latencies.quantile(95)? })
    }
}

impl HourView {
    fn of((hour, tally): (Hour, Tally)) -> Self {
        Self { start: hour.begin(), delivered: tally.delivered, failed: tally.failed, parked: tally.parked }
    }
}

/// Read how a destination did
///
/// Returns the results of its deliveries in the present hour and the 23 before it. They are computed every ten minutes (a sixth of
/// the stack's `HorizonSeconds`) if something was delivered, and again later if something had failed or was set aside.
#[utoipa::path(
    get,
    path = "/v1/destinations/{id}/stats",
    operation_id = "read_destination_stats",
    tag = "destinations",
    params(("id" = schemas::DestinationId, Path)),
    responses((status = 200, description = "The results of its deliveries, by the hour.", body = StatsView))
)]
pub async fn read(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
) -> Result<Response, Problem> {
    let rolled_up = async { Ok(deps.roll_ups.find_roll_up(&account, &id).await?) };
    let (found, rolled_up) = future::try_join(find(&deps, &account, &id), rolled_up).await?;
    let now = deps.clock.now();
    let (hours, all) = RollUp::last_day(rolled_up.as_ref(), now);
    let view = StatsView {
        destination_id: found.id,
        since: hours.first().map_or(now, |(hour, _)| hour.begin()),
        until: Hour::of(now).end(),
        computed_at: rolled_up.map(|rolled_up| rolled_up.computed_at),
        hours: hours.into_iter().map(HourView::of).collect(),
        delivered: all.delivered,
        failed: all.failed,
        parked: all.parked,
        success_rate: all.success_rate(),
        latency_ms: LatencyView::of(&all.latencies),
        partial: all.partial,
    };
    Ok(Answer(view).into_response())
}
