//! What the functions need from outside, as small traits in the words of the domain. No SDK type appears here.
//!
//! `adapters` implements them with AWS, `testing` in memory, and both pass the same contract suites.

mod accounts;
mod api_keys;
mod audit;
mod awaited_runs;
mod budgets;
mod deliveries;
mod destinations;
mod events;
mod health;
mod jobs;
mod kept_answers;
mod order;
mod outside;
mod paces;
mod purge;
pub mod read_units;
mod reckoning;
mod rejected_events;
mod roll_ups;
mod seen_scopes;
mod sessions;
mod subscriptions;
mod test_places;
mod transitions;
mod unregistered_accounts;
mod waiting;
mod wide_events;

pub use accounts::{Accounts, CreatedAccount, FindAccount};
pub use api_keys::{ApiKeys, CreatedKey};
pub use audit::{Audit, ByShard, ListedNote, SealNote, SealNotes};
pub use awaited_runs::{AwaitRuns, AwaitedPlace, AwaitedRuns};
pub use budgets::Budgets;
pub use deliveries::{Deliveries, ListDeliveries};
pub use destinations::{CreatedDestination, DeletedDestination, Destinations, FindDestination, UpdatedDestination};
pub use domain::value::Span;
pub use events::{EventPlace, Events, ListEvents, ListedEvent, OweMore, Sealed, SealedEvent, UnmatchedReason};
pub use health::DestinationHealth;
pub use jobs::{FindJob, Held, JobPlace, Jobs, ListedJob, PendingJob, StartJob};
pub use kept_answers::{BegunRequest, KeptAnswers, KeyedRequest, RequestKey};
pub use order::Order;
pub use outside::{
    Alerts, Clock, DeliveryQueue, Entropy, EntropyExt, EventQueue, HandOut, HostLookup, HttpSender, Postpone, Vault,
};
pub use paces::Paces;
pub use purge::{AccountPurge, Purged};
pub use reckoning::{DeliveryStanding, OwedRow, Reckoning};
pub use rejected_events::Rejections;
pub use roll_ups::{DueRollUp, FindRollUp, RollUps, RolledUpTo};
pub use seen_scopes::SeenScopes;
pub use sessions::{OpenedSession, Sessions};
pub use subscriptions::{
    CreatedSubscription, DeletedSubscription, FindListeners, FindSubscriptions, Subscriptions, UpdatedSubscription,
};
pub use test_places::{TakenPlace, TestPlace, TestPlaces};
pub use transitions::{Remembered, Transitions};
pub use unregistered_accounts::UnregisteredAccounts;
pub use waiting::{Due, SHARDS, Waiting, Watched};
pub use wide_events::{Seal, WideEvents};

/// The cause of a [`PortError`].
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A failure on our side, never one of a receiver.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Trying again may help: throttling, time-outs, faults of a service, and mistakes that are corrected outside the
    /// table, such as a missing permission.
    #[error("{doing} did not work this time")]
    Transient { doing: &'static str, source: BoxError },
    /// Trying again does not help: invalid input, unreadable data.
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
