//! What the API answers, as far as several pages use it: destinations, subscriptions, lists with their filters, and the
//! faults of forms. The API's OpenAPI document describes each field.

pub mod destination;
pub mod event;
pub mod faults;
pub mod listing;
pub mod names;
pub mod places;
pub mod subscription;
pub mod when;

use serde::Deserialize;

pub use self::destination::Destination;
pub use self::subscription::Subscription;

/// A page of a list in the API.
#[derive(Debug, Deserialize)]
pub struct Listed<T> {
    pub data: Vec<T>,
    pub next_cursor: Option<String>,
}
