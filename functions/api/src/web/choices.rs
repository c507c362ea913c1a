//! Enumerations (states, kinds and reasons) as schemas of the OpenAPI document. Some are also read as filters or
//! returned. A test compares them with the domain's.

use domain::delivery::{self, DeliveryState};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Defines enums with their schemas.
macro_rules! choices {
    ($($(#[doc = $description:literal])* $name:ident { $($choice:ident),* $(,)? })*) => {
        $(
            $(#[doc = $description])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
            #[serde(rename_all = "snake_case")]
            pub enum $name { $($choice),* }
        )*

        /// All of them, by name.
        pub fn choices() -> Vec<(String, RefOr<Schema>)> {
            vec![$((stringify!($name).to_owned(), $name::schema())),*]
        }
    };
}

choices! {
    /// What the person who opened a page session may do: `viewer` reads; `editor` reads and configures; `admin` also rotates
    /// secrets and publishes events.
    PageRole { Viewer, Editor, Admin }

    /// The state of a page session: its link can still be opened, it is open, or it has ended.
    SessionStatus { Offered, Open, Ended }

    /// The order of a list: `desc` is newest first, `asc` is oldest first.
    Order { Desc, Asc }

    /// The state of a job.
    JobStatus { Queued, Running, Succeeded, Failed }

    /// Whether an event owes at least one delivery.
    EventStatus { Matched, Unmatched }

    /// Why an event owes no delivery: no subscription listens to it, or those that listen have other conditions.
    Unmatched { NoSubscription, ConditionsNotMet }

    /// Whether an event is new. `duplicate`: the same event was matched before, so nothing is sent.
    Acceptance { Accepted, Duplicate }

    /// Why an event was rejected.
    RejectionCode { MalformedJson, InvalidEvent, UnknownEventType, EventTooLarge, OccurredAtOutOfRange, IdReused, UnknownAccount }

    /// What became of a delivery: `parked` is set aside until its destination is back, `exhausted` was given up (its last
    /// attempt failed, or its event was no longer kept), `cancelled` was so by somebody or because its destination was deleted.
    DeliveryStatus { Delivered, Retrying, Parked, Exhausted, Cancelled }

    /// What became of a delivery that an event owes: as of a delivery (`parked` is set aside, `exhausted` given up), and
    /// `pending` until its first attempt has ended.
    OwedStatus { Pending, Delivered, Retrying, Parked, Exhausted, Cancelled }

    /// Why a destination is disabled: it answered `410 Gone`, or it had been failing for five days.
    DisabledReason { Gone, Failing }

    /// Which deliveries are sent again, by their state.
    RecoverStatus { Pending, Retrying, Parked, Exhausted, Cancelled }

    /// How an attempt ended: `delivered` (2xx), `refused` (any other response), `timed_out`, `unreachable` (no connection, or no
    /// HTTP on it), `blocked_address` (an address that is never called).
    AttemptOutcome { Delivered, Refused, TimedOut, Unreachable, BlockedAddress }

    /// How the event's run differs from the run before it at the same place: `broke` is a failure after a success,
    /// `recovered` a success after a failure.
    Transition { Broke, Recovered }

    /// The change that a subscription waits for: `changed` is either of the two.
    AwaitedTransition { Broke, Recovered, Changed }

    /// The kind of resource that a step of a configuration changes.
    ConfigKind { Destination, Subscription }

    /// What the step does.
    ConfigAction { Create, Update, Delete, Unchanged }
}

impl Order {
    /// The requested order; newest first by default.
    pub fn wanted(asked: Option<Self>) -> ports::Order {
        match asked {
            None | Some(Self::Desc) => ports::Order::NewestFirst,
            Some(Self::Asc) => ports::Order::OldestFirst,
        }
    }
}

impl DeliveryStatus {
    pub fn of(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Retrying { .. } => Self::Retrying,
            DeliveryState::Parked => Self::Parked,
            DeliveryState::Exhausted => Self::Exhausted,
            DeliveryState::Cancelled => Self::Cancelled,
        }
    }
}

impl JobStatus {
    pub fn of(status: delivery::JobStatus) -> Self {
        match status {
            delivery::JobStatus::Queued => Self::Queued,
            delivery::JobStatus::Running => Self::Running,
            delivery::JobStatus::Succeeded => Self::Succeeded,
            delivery::JobStatus::Failed => Self::Failed,
        }
    }
}

impl OwedStatus {
    /// The status by the state in a delivery's row; `Pending` without a row.
    pub fn of(row: Option<DeliveryState>) -> Self {
        match row {
            None => Self::Pending,
            Some(DeliveryState::Delivered) => Self::Delivered,
            Some(DeliveryState::Retrying { .. }) => Self::Retrying,
            Some(DeliveryState::Parked) => Self::Parked,
            Some(DeliveryState::Exhausted) => Self::Exhausted,
            Some(DeliveryState::Cancelled) => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::access::Role;
    use domain::attempt::Outcome;
    use domain::delivery::{self, DeliveryState};
    use domain::destination::health;
    use domain::event;
    use domain::routing;
    use domain::value::Timestamp;
    use ports::UnmatchedReason;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check<Choice: PartialSchema>(domain: &[impl Serialize]) {
        let schema = serde_json::to_value(Choice::schema()).expect("JSON");
        assert_eq!(schema["enum"], json!(domain));
    }

    #[test]
    fn the_choices_are_those_of_the_domain() {
        check::<PageRole>(&[Role::Viewer, Role::Editor, Role::Admin]);
        use domain::access::SessionStatus::{Ended, Offered, Open};
        check::<SessionStatus>(&[Offered, Open, Ended]);
        check::<JobStatus>(&[
            delivery::JobStatus::Queued,
            delivery::JobStatus::Running,
            delivery::JobStatus::Succeeded,
            delivery::JobStatus::Failed,
        ]);
        let reasons = [UnmatchedReason::NoSubscription, UnmatchedReason::ConditionsNotMet];
        check::<Unmatched>(&reasons.map(UnmatchedReason::as_str));
        check::<RejectionCode>(&event::RejectionCode::ALL);
        check::<RejectionCode>(&event::RejectionCode::ALL.map(event::RejectionCode::as_str));
        let states = [
            DeliveryState::Delivered,
            DeliveryState::Retrying { due_at: Timestamp::from_unix_ms(0) },
            DeliveryState::Parked,
            DeliveryState::Exhausted,
            DeliveryState::Cancelled,
        ];
        let states = states.map(DeliveryState::as_str);
        check::<DeliveryStatus>(&states);
        check::<DisabledReason>(&[health::DisabledReason::Gone, health::DisabledReason::Failing]);
        use delivery::RecoverStatus::{Cancelled, Exhausted, Parked, Pending, Retrying};
        check::<RecoverStatus>(&[Pending, Retrying, Parked, Exhausted, Cancelled]);
        check::<OwedStatus>(&[&["pending"], states.as_slice()].concat());
        check::<ConfigKind>(&[routing::Kind::Destination, routing::Kind::Subscription]);
        use routing::Action::{Create, Delete, Unchanged, Update};
        check::<ConfigAction>(&[Create, Update, Delete, Unchanged]);
        check::<Transition>(&[routing::Transition::Broke, routing::Transition::Recovered]);
        use routing::AwaitedTransition::{Broke, Changed, Recovered};
        check::<AwaitedTransition>(&[Broke, Recovered, Changed]);
    }

    #[test]
    fn the_outcomes_are_those_of_the_domain() {
        let outcomes = [
            Outcome::Delivered { status: 200 },
            Outcome::Refused { status: 500, retry_after: None, excerpt: String::new() },
            Outcome::TimedOut,
            Outcome::Unreachable { reason: String::new() },
            Outcome::Blocked { host: String::new(), address: None },
        ];
        check::<AttemptOutcome>(&outcomes.each_ref().map(Outcome::as_str));
    }
}
