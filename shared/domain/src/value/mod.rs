//! Values that everything else is made of: ids, names, moments and days. A value of one of these types is well formed:
//! it was either parsed or made here.

mod day;
mod distinct;
pub mod horizon;
mod id;
mod label;
mod timestamp;

pub use self::day::Day;
pub use self::distinct::Distinct;
pub use self::horizon::{Horizon, HorizonError, Slot};
pub use self::id::{
    AccountId, DeliveryId, DestinationId, EventId, IdError, JobId, KeyId, RejectedEventId, SessionId, SubscriptionId,
};
pub use self::label::{Description, DescriptionError, Label, LabelError};
pub use self::timestamp::{Timestamp, TimestampError};
