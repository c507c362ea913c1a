//! What happened, as producers report it: the event, its type and place, and the checks that it passes.
//!
//! [`Event`] parses a producer's JSON, [`EventType`] and the catalogue define the types, [`payload`] checks `data`
//! against the schema of the type, and [`envelope`] builds the body that every destination receives.

mod catalogue;
pub mod envelope;
mod event;
mod event_type;
mod fault;
mod own_event;
pub mod payload;
pub mod rejected_event;
mod rejection;
mod schema;
mod scope;
mod seen_scope;
pub mod unregistered_account;

pub use self::catalogue::{Entry, Place, Sample};
pub use self::event::{Event, MAX_AGE_SECONDS, MAX_AHEAD_SECONDS, MAX_EVENT_BYTES};
pub use self::event_type::{EventType, EventTypeFilter, UnknownEventType, UnknownStatus};
pub use self::fault::Fault;
pub use self::own_event::OwnEvent;
pub use self::rejected_event::{RejectedEvent, Resubmission};
pub use self::rejection::{Rejection, RejectionCode};
pub use self::scope::{Name, Scope, ScopeError};
pub use self::seen_scope::{SeenPlace, SeenScope};
pub use self::unregistered_account::{Unregistered, UnregisteredAccount};
