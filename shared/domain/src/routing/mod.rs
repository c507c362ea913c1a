//! Which event goes to which destination: subscriptions with their conditions, transitions and awaited runs, and the
//! plan that turns one configuration into another.

mod awaited_run;
mod pattern;
pub mod plan;
pub mod subscription;
mod transition;

pub use self::awaited_run::{AwaitedRun, Grace, GraceError};
pub use self::pattern::{Mismatch, Pattern, PatternError};
pub use self::plan::{Action, Configuration, ConfigurationError, Kind, NamedSubscription, Step};
pub use self::subscription::{
    Bucket, Candidate, EventTypes, EventTypesError, Miss, Subscription, SubscriptionSettings,
};
pub use self::transition::{AwaitedTransition, History, Judged, Run, Transition};
