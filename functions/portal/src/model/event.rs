//! What pages of deliveries and of events have in common.

use domain::event::EventType;

use crate::markup::address::segment;

/// The event types to choose from, with their titles.
pub fn types() -> Vec<(&'static str, &'static str)> {
    EventType::all().map(|event_type| (event_type.as_str(), event_type.title())).collect()
}

/// The name of the file that an event's body is downloaded as.
pub fn body_file(event: &str) -> String {
    format!("event-{event}.json")
}

/// Where the API has an event.
pub fn at(id: &str) -> String {
    format!("/v1/events/{}", segment(id))
}
