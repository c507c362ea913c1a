//! Cancelling a delivery that still had attempts to come.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;
use domain::delivery::DeliveryState;
use domain::value::DeliveryId;

use super::KEPT_CHANGING;
use crate::resources::deliveries::{self, DeliveryView, ReadDestinations};
use crate::web::caller::Configurer;
use crate::web::conflict;
use crate::web::named::Named;
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, done, schemas};

/// Cancel a delivery
///
/// No attempt of it is begun any more. One that is under way may still deliver; then it is `delivered`. It can be sent again
/// later.
#[utoipa::path(
    post,
    path = "/v1/deliveries/{id}/cancel",
    operation_id = "cancel_delivery",
    tag = "deliveries",
    params(("id" = schemas::DeliveryId, Path)),
    responses(
        (status = 200, description = "The delivery, which is cancelled, now or before.", body = DeliveryView),
        (status = 409, description = "`delivery_ended`: it was delivered, or is `exhausted` (given up).")
    )
)]
pub async fn cancel(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DeliveryId>,
) -> Result<Response, Problem> {
    conflict::retry(KEPT_CHANGING, || async {
        let before = deliveries::find(&deps, &account, &id).await?;
        let cancelled = before.cancelled();
        let written = match before.state() {
            DeliveryState::Cancelled => true,
            DeliveryState::Delivered | DeliveryState::Exhausted => {
                let detail = format!("it is {}: there is nothing left to cancel", before.state().as_str());
                return Err(Problem::new(Code::DeliveryEnded, detail));
            }
            DeliveryState::Retrying { .. } | DeliveryState::Parked => {
                deps.deliveries.replace_delivery(&before, &cancelled).await?
            }
        };
        let was_before = before.state() == DeliveryState::Cancelled;
        Ok(written.then(|| {
            let view = DeliveryView::of(cancelled, &ReadDestinations::default(), deps.clock.now());
            done::nothing_if(was_before, Answer(view))
        }))
    })
    .await
}
