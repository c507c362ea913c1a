//! Sending one delivery again, under the same id, to its destination as it is today.
//!
//! Invariant: what is sent again has a row from which `redrive` sends it if its message is lost, and asking twice sends
//! once (tests: `what_was_not_delivered_is_sent_again_once_however_often_it_is_asked_for`,
//! `a_resend_that_could_not_be_sent_is_sent_when_the_lease_has_run_out`).
//!
//! Invariant: what was delivered stays delivered, however often it is sent again (tests:
//! `what_was_delivered_is_sent_again_and_stays_delivered`).

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;
use domain::delivery::{DeliveryRecord, Held, OutgoingDelivery, Purpose};
use domain::destination::{Admission, Destination, HealthState};
use domain::value::DeliveryId;
use http::StatusCode;
use ports::UpdatedDestination;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{KEPT_CHANGING, body_of};
use crate::resources::deliveries::{self, DeliveryView, ReadDestinations};
use crate::web::caller::Configurer;
use crate::web::conflict;
use crate::web::named::Named;
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, done, schemas};

/// What was done: `sent` (an attempt is made now), `already_under_way` (one was sent before; nothing more was done), `set_aside`
/// (its destination takes nothing now; it is sent when that is back), `not_sent` (it was delivered before, and its destination
/// takes nothing now).
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Resent {
    Sent,
    AlreadyUnderWay,
    SetAside,
    NotSent,
}

/// What became of a request to send a delivery again.
#[derive(Serialize, ToSchema)]
#[schema(as = ResendResult)]
struct ResendView {
    result: Resent,
    /// The same in a sentence, for people.
    detail: String,
    /// As it is now.
    delivery: DeliveryView,
}

/// Send a delivery again
///
/// Under the same id, to its destination's present URL with its present secrets. One that was delivered is attempted once more,
/// and stays delivered. One that had ended otherwise goes on with its schedule: after as many attempts as that has, this is one
/// more and the last. A delivery whose first attempt has not ended is not found: it is under way, and its id tells no event.
#[utoipa::path(
    post,
    path = "/v1/deliveries/{id}/resend",
    operation_id = "resend_delivery",
    tag = "deliveries",
    params(("id" = schemas::DeliveryId, Path)),
    responses(
        (status = 202, description = "What was done.", body = ResendView),
        (status = 409, description = "`destination_deleted`: there is nowhere to send it to."),
        (status = 410, description = "`event_forgotten`: its event, and with it the body, is not kept any more.")
    )
)]
pub async fn resend(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DeliveryId>,
) -> Result<Response, Problem> {
    conflict::retry(KEPT_CHANGING, || async {
        let before = deliveries::find(&deps, &account, &id).await?;
        let found = deps.destinations.find_destination(&account, &before.delivery.destination).await?;
        let Some(destination) = found.filter(|found| found.health.admission() != Admission::Closed) else {
            let detail = "its destination was deleted; replay its event to send it where subscriptions lead today";
            return Err(Problem::new(Code::DestinationDeleted, detail));
        };
        let body = body_of(&deps, &before.delivery).await?;
        let was_set_aside = before.held == Held::ByDestination;
        let resent = again(&deps, before, &destination, &body).await?;
        let (now, destinations) = (deps.clock.now(), ReadDestinations::only(destination));
        Ok(resent.map(|(result, detail, record)| {
            let nothing_done = match result {
                Resent::Sent => false,
                Resent::SetAside => was_set_aside,
                Resent::AlreadyUnderWay | Resent::NotSent => true,
            };
            let answer = ResendView { result, detail, delivery: DeliveryView::of(record, &destinations, now) };
            done::nothing_if(nothing_done, (StatusCode::ACCEPTED, Answer(answer)))
        }))
    })
    .await
}

/// Sends the delivery again, or says why not. `None` if the delivery was changed in the meantime.
async fn again(
    deps: &Deps,
    before: DeliveryRecord,
    destination: &Destination,
    body: &RawValue,
) -> Result<Option<(Resent, String, DeliveryRecord)>, Problem> {
    let (now, ready) = (deps.clock.now(), destination.admission(deps.clock.now()) == Admission::Everything);
    if before.is_delivered() {
        if !ready {
            let detail = format!("it was delivered before, and {}: nothing was done", unready(destination));
            return Ok(Some((Resent::NotSent, detail, before)));
        }
        send(deps, &before, Purpose::Resend, body).await?;
        return Ok(Some((Resent::Sent, "it was delivered before; one more attempt is made now".to_owned(), before)));
    }
    if !ready {
        let detail = format!("{}: it is sent when that is back", unready(destination));
        // What is set aside is looked for before it expires.
        if let Some(health) = destination.health.parked(now) {
            let watched = destination.with_health(health);
            let answer = deps.destinations.update_destination(destination, &watched).await?;
            if answer != UpdatedDestination::Updated {
                return Ok(None);
            }
        }
        let after = before.parked();
        let done = before.held == Held::ByDestination || deps.deliveries.replace_delivery(&before, &after).await?;
        return Ok(done.then_some((Resent::SetAside, detail, after)));
    }
    if before.is_under_way(now) {
        return Ok(Some((
            Resent::AlreadyUnderWay,
            "it was sent before, and its attempt is under way".to_owned(),
            before,
        )));
    }
    let after = before.sent(now, now, deps.lease);
    if !deps.deliveries.replace_delivery(&before, &after).await? {
        return Ok(None);
    }
    // If it is delivered before this message is received, it needs no further attempt.
    send(deps, &after, Purpose::Again, body).await?;
    Ok(Some((Resent::Sent, "an attempt is made now".to_owned(), after)))
}

async fn send(deps: &Deps, record: &DeliveryRecord, purpose: Purpose, body: &RawValue) -> Result<(), Problem> {
    let (delivery, delay) = (&record.delivery, Duration::ZERO);
    Ok(deps.delivery_queue.send_deliveries(&[OutgoingDelivery { delivery, purpose, body, delay }]).await?)
}

/// Why a destination accepts nothing now, and what to do.
fn unready(destination: &Destination) -> String {
    let resume = "resume it to have it sent";
    match destination.health.state {
        _ if destination.settings.paused => format!("its destination is paused; {resume}"),
        HealthState::Disabled { reason, .. } => {
            format!("its destination is disabled ({}); {resume}", reason.as_str())
        }
        HealthState::Failing { next_probe_at, .. } => {
            format!("its destination is failing, and is tried again at {next_probe_at}, or at once when it is resumed")
        }
        HealthState::Healthy | HealthState::Closed => match destination.health.held_until {
            Some(until) => format!("its destination asked to be left alone until {until}, and gets it after that"),
            None => "its destination takes nothing now".to_owned(),
        },
    }
}
