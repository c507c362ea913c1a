//! Values that everything else is made of: ids, names, moments and days. A value of one of these types is well formed:
//! it was either parsed or made here.
//!
//! Invariant: a parser accepts the written form of each value that it accepted, and reads the same value from it. So no
//! row is written that cannot be read (tests: `a_url_is_read_back`, `headers_are_read_back`, `a_condition_is_read_back`,
//! `the_settings_of_a_destination_are_read_back`, `the_settings_of_a_subscription_are_read_back`,
//! `a_configuration_is_read_back`, `names_and_descriptions_are_read_back`, `a_scope_is_read_back`,
//! `event_types_are_read_back`, `ids_are_read_back`, `times_and_days_are_read_back`).

mod day;
mod excerpt;
pub mod horizon;
mod id;
pub mod json;
pub mod keys;
pub mod known;
mod label;
pub mod place;
mod secrets;
mod spread;
mod stretches;
mod timestamp;
pub mod trace_parent;

pub use self::day::Day;
pub use self::excerpt::{bounded, excerpt};
pub use self::horizon::{Horizon, HorizonError};
pub use self::id::{
    AccountId, DeliveryId, DestinationId, EventId, IdError, JobId, KeyId, RejectedEventId, SessionId, SubscriptionId,
};
pub use self::label::{Description, DescriptionError, Label, LabelError, is_invisible};
pub use self::place::Place;
pub use self::secrets::without_secrets;
pub use self::spread::spread;
pub use self::stretches::{Span, Stretches};
pub use self::timestamp::{Timestamp, TimestampError};
pub use self::trace_parent::{TRACEPARENT, TraceParent, TraceParentError};
