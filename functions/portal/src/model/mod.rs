//! What the API answers, as far as more than one page shows it: things, lists of them with their filters, and what it finds wrong
//! with a form. The API's document says what each field means.

pub mod destination;
pub mod event;
pub mod faults;
pub mod listing;
pub mod names;
pub mod subscription;
pub mod when;

use serde::Deserialize;

pub use self::destination::Destination;
pub use self::subscription::Subscription;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub struct Listed<T> {
    pub data: Vec<T>,
    pub next_cursor: Option<String>,
}
