//! Sending again on request: one delivery, everything a destination missed, an event to today's subscriptions, or the
//! events of a span to one of them.
//! A repeated request does no harm, because it does not affect deliveries that are already under way.

pub mod cancel;
pub mod recover;
pub mod replay;
pub mod replay_span;
pub mod resend;

use domain::delivery::Delivery;
use domain::value::Timestamp;
use ports::PortError;
use serde_json::value::RawValue;

use crate::web::Deps;
use crate::web::problem::{Code, Problem};

/// The detail of a problem when attempts or other callers kept changing the same delivery or event.
const KEPT_CHANGING: &str = "it kept being changed by others; try again";

/// The end of a span that begins at `since`. Default: now.
fn until(since: Timestamp, until: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Problem> {
    let until = until.unwrap_or(now);
    if since >= until {
        let detail = "must be before `until`, which is now by default";
        return Err(Problem::at(Code::ValidationFailed, "/since", detail));
    }
    Ok(until)
}

/// The body that every attempt of the delivery sends.
async fn body_of(deps: &Deps, delivery: &Delivery) -> Result<Box<RawValue>, Problem> {
    let event = deps.events.find_event_with(&delivery.account, &delivery.event, 0).await?.map(|(event, _)| event);
    let event = event.filter(|event| event.expires_at > deps.clock.now()).ok_or_else(|| {
        let detail =
            "its event is no longer kept, so there is nothing to send; publish the event again, under another id";
        Problem::new(Code::EventForgotten, detail)
    })?;
    Ok(RawValue::from_string(event.body).map_err(|error| PortError::permanent("reading a body", error))?)
}
