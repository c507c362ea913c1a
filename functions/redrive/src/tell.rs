//! Reports what happened to destinations and deliveries: to other destinations by an event, to people by an alert.
//! [`domain::operational`] writes the texts.
//!
//! The event and the alert do not wait for each other, and nothing waits for them. A failure is logged, and the report
//! is repeated the next time. So either may be sent twice; the event is the same then, and `fanout` recognizes it.
//!
//! Invariant: a change of health, and a delivery that was given up, is reported at least once, as an event and as an
//! alert; neither waits for the other, and nothing waits for them (tests:
//! `an_alert_that_fails_does_not_keep_the_event_back_and_both_are_told_again_the_event_being_the_same`,
//! `an_event_that_fails_does_not_keep_the_alert_back`, `a_crash_between_telling_and_writing_that_down_tells_it_again`,
//! `one_that_cannot_be_told_is_told_later_and_keeps_nothing_that_is_due_back`).
//!
//! Invariant: a change that cannot be reported for an hour is dropped with an error in the log, so that no row grows
//! without limit. People hear about deliveries that were given up at most once an hour for each destination (tests:
//! `a_change_that_cannot_be_told_for_an_hour_is_dropped`,
//! `every_delivery_that_was_given_up_is_an_event_and_people_hear_of_a_destination_once_an_hour`).

use std::time::Duration;

use domain::delivery::DeliveryRecord;
use domain::destination::{Destination, HealthChange};
use domain::event::OwnEvent;
use domain::operational;
use domain::operational::{Alert, Expiring};
use ports::PortResult;
use runtime::telemetry::ErrorChain;
use tracing::{error, warn};

use crate::deps::Deps;

/// How long redrive tries to report a change of health. The limit keeps the row of a destination that keeps changing
/// small.
const TRY_FOR: Duration = Duration::from_secs(3_600);

/// Reports a change of a destination's health; returns whether that is finished.
pub(crate) async fn changed(deps: &Deps, destination: &Destination, change: &HealthChange) -> bool {
    warn!(
        "account.id" = %destination.account, "destination.id" = %destination.id, change = ?change.to,
        "a destination's health has changed"
    );
    let notice = operational::changed(destination, change);
    let sent = send(deps, notice.event.as_ref()).await;
    let alerted = alert(deps, &notice.alert).await;
    if sent && alerted {
        return true;
    }
    let late = deps.clock.now().since(change.at) >= TRY_FOR;
    if late {
        error!(
            "destination.id" = %destination.id, change = ?change.to,
            "a change of health could not be reported for an hour and is dropped"
        );
    }
    late
}

/// Reports that a delivery was given up; returns whether that worked.
pub(crate) async fn exhausted(deps: &Deps, record: &DeliveryRecord) -> bool {
    let delivery = &record.delivery;
    warn!("account.id" = %delivery.account, "delivery.id" = %delivery.id, "a delivery was given up");
    let destination = deps.destinations.find_destination(&delivery.account, &delivery.destination).await;
    let Some(destination) = worked("looking a destination up", destination) else { return false };
    let notice = operational::exhausted(record, destination.as_ref());
    let sent = send(deps, notice.event.as_ref()).await;
    if !deps.alerted.begin(&delivery.destination, deps.clock.now()) {
        return sent;
    }
    let alerted = alert(deps, &notice.alert).await;
    if !alerted {
        deps.alerted.undo(&delivery.destination);
    }
    sent && alerted
}

/// Reports that parked deliveries are about to expire; returns whether that worked.
pub(crate) async fn expiring(deps: &Deps, destination: &Destination, expiring: &Expiring) -> bool {
    warn!(
        "account.id" = %destination.account, "destination.id" = %destination.id, count = expiring.count,
        first_expires_at = %expiring.first_at, "parked deliveries are about to expire"
    );
    let notice = operational::expiring(destination, expiring);
    let sent = send(deps, notice.event.as_ref()).await;
    let alerted = alert(deps, &notice.alert).await;
    sent && alerted
}

async fn send(deps: &Deps, event: Option<&OwnEvent>) -> bool {
    let Some(event) = event else { return true };
    worked("an operational event", deps.event_queue.send_event(&event.account, &event.text(), None).await).is_some()
}

async fn alert(deps: &Deps, alert: &Alert) -> bool {
    worked("an alert", deps.alerts.publish(alert).await).is_some()
}

fn worked<T>(what: &str, result: PortResult<T>) -> Option<T> {
    result
        .map_err(|error| error!(what, error = %ErrorChain(&error), "a report could not be sent; it is tried again"))
        .ok()
}
