//! What the pages of events and of deliveries share.

use domain::event::EventType;

use crate::markup::address::segment;

/// All event types that a filter offers, with their titles.
pub fn types() -> Vec<(&'static str, &'static str)> {
    EventType::all().map(|event_type| (event_type.as_str(), event_type.title())).collect()
}

/// The name of the file that has the body of an event when it is downloaded.
pub fn body_file(event: &str) -> String {
    format!("event-{event}.json")
}

/// The path of an event in the API.
pub fn at(id: &str) -> String {
    format!("/v1/events/{}", segment(id))
}
