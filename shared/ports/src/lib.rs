//! What the functions need from outside, as questions in the domain's words. No SDK type appears here.
//!
//! Adapters answer them for real, [`testing`] answers them in memory, and both pass the same contract suites.

mod accounts;
mod audit;
mod awaited_runs;
mod destinations;
mod jobs;
mod ledger;
mod ledger_lists;
mod outside;
mod paces;
mod reckoning;
mod rejected_events;
mod roll_ups;
mod scopes;
mod sessions;
mod subscriptions;
mod waiting;

pub use accounts::{Accounts, ApiKeys, CreatedAccount, CreatedKey, FindAccount};
pub use audit::{Audit, SealNote, SealNotes};
pub use awaited_runs::{AwaitRuns, AwaitedPlace, AwaitedRuns};
pub use destinations::{CreatedDestination, DeletedDestination, Destinations, FindDestination, UpdatedDestination};
pub use jobs::{AccountPurge, FindJob, Held, Jobs, Purged, StartJob};
pub use ledger::{Deliveries, Events, OweMore, Recorded, Sealed, SealedEvent, UnmatchedReason};
pub use ledger_lists::{EventPlace, ListDeliveries, ListEvents, ListedEvent, OlderThan, Span};
pub use outside::{Alerts, Clock, DeliveryQueue, Entropy, EntropyExt, EventQueue, HostLookup, HttpSender, Vault};
pub use paces::Paces;
pub use reckoning::{DeliveryStanding, Reckoning};
pub use rejected_events::{RejectedEvents, Rejections};
pub use roll_ups::{FindRollUp, RollUps, RolledUpTo};
pub use scopes::SeenScopes;
pub use sessions::{OpenedSession, Sessions};
pub use subscriptions::{
    CreatedSubscription, FindSubscriptions, Remembered, Subscriptions, Transitions, UpdatedSubscription,
};
pub use waiting::{DestinationHealth, Due, SHARDS, Waiting};

/// The cause of a [`PortError`].
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Our own failure to do something. It is never about a receiver.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Worth trying again: throttling, time-outs, faults of a service.
    #[error("{doing} did not work this time")]
    Transient { doing: &'static str, source: BoxError },
    /// Trying again changes nothing: refused permission, invalid input, unreadable data.
    #[error("{doing} failed")]
    Permanent { doing: &'static str, source: BoxError },
}

impl PortError {
    pub fn permanent(doing: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Permanent { doing, source: source.into() }
    }

    pub fn transient(doing: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Transient { doing, source: source.into() }
    }
}

pub type PortResult<T> = Result<T, PortError>;
