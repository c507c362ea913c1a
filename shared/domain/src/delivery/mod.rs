//! One event owed to one destination: its id, its message, its request, its row, and work on many deliveries.
//!
//! [`request`] and [`proof`] are here and not beside the signature, because they need a delivery and a destination.

mod delivery;
pub mod job;
mod message;
pub mod proof;
mod record;
mod recovery;
pub mod request;
pub mod roll_up;
mod sending;

pub use self::delivery::Delivery;
pub use self::job::{Job, JobKind, JobStatus, Lease};
pub use self::message::{DeliveryMessage, OutgoingDelivery, Purpose};
pub use self::proof::{Judgement, NotRun, Probe, Sample, Trial};
pub use self::record::{DeliveryRecord, DeliveryState};
pub use self::recovery::{RecoverStatus, Recovered, RecoveredTo, Recovery};
pub use self::request::SignedRequest;
pub use self::roll_up::{DeliveryResult, Hour, HourRead, RollUp, Tally};
pub use self::sending::Sending;
