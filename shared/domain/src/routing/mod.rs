//! Which event goes to which destination: subscriptions with their conditions, transitions and awaited runs, and the
//! plan that turns one configuration into another.

mod awaited_run;
pub mod listeners;
mod pattern;
pub mod plan;
mod reach;
pub mod subscription;
mod transition;

pub use self::awaited_run::{AwaitedRun, Grace, GraceError};
pub use self::listeners::{Filing, Hearing, Listeners, TooCostly};
pub use self::pattern::{MOST_STEPS, Mismatch, Pattern, PatternError, Work};
pub use self::plan::{Action, Configuration, ConfigurationError, Kind, NamedSubscription, Step};
pub use self::reach::{Reach, Remark};
pub use self::subscription::{
    Bucket, Candidate, EventTypes, EventTypesError, MAX_CONDITION_BYTES, Miss, Subscription, SubscriptionSettings,
};
pub use self::transition::{AwaitedTransition, History, Judged, Run, Transition};
