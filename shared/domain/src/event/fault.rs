//! What is wrong with an event's `data`.

use std::fmt;

use crate::value::Place;

/// One thing to correct in an event's `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its place in the event: `data.records.read`.
    pub place: Place,
    pub reason: String,
}

impl Fault {
    pub(super) fn new(place: Place, reason: impl fmt::Display) -> Self {
        Self { place, reason: reason.to_string() }
    }
}
