//! One event owed to one destination: its id, its message, its request, its row, and work on many deliveries.
//!
//! [`request`] and [`proof`] are here and not beside the signature, because they need a delivery and a destination.

pub mod attempts;
pub mod custody;
mod delivery;
pub mod job;
mod message;
mod message_lease;
pub mod proof;
mod recovery;
pub mod replay;
pub mod request;
pub mod roll_up;
mod sending;
mod settlement;
mod state;
pub mod summing;
mod tally;

pub use self::attempts::{Attempts, LeftOut};
pub use self::custody::{DeliveryRecord, End, Exhaustion, Held};
pub use self::delivery::Delivery;
pub use self::job::{Job, JobKind, JobStatus, Lease};
pub use self::message::{DeliveryMessage, OutgoingDelivery, Purpose};
pub use self::message_lease::{MessageLease, MessageLeaseError};
pub use self::proof::{Judgement, NotRun, Probe, Sample, Trial};
pub use self::recovery::{RecoverStatus, Recovered, RecoveredTo, Recovery};
pub use self::replay::{Replay, Replayed, ReplayedTo};
pub use self::request::SignedRequest;
pub use self::roll_up::RollUp;
pub use self::sending::Sending;
pub use self::settlement::Settlement;
pub use self::state::DeliveryState;
pub use self::summing::{Begun, HourRead, Summed, Summing};
pub use self::tally::{DeliveryResult, Hour, Tally};
