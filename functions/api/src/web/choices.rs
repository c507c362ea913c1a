//! Words of which there are only a few (states, kinds and reasons) as schemas of the OpenAPI document. Some are also
//! read as filters or answered. A test compares them with the domain's.

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
    /// What whoever opened a page session may do: `viewer` reads; `editor` reads and configures; `admin` rotates secrets and
    /// publishes events as well.
    PageRole { Viewer, Editor, Admin }

    /// How far a page session is: its link can be opened, it is open, or it admits nobody any more.
    SessionStatus { Offered, Open, Ended }

    /// In which order a list comes: `desc` the newest first, `asc` the oldest first.
    Order { Desc, Asc }

    /// How far a job is.
    JobStatus { Queued, Running, Succeeded, Failed }

    /// Whether an event owes at least one delivery.
    EventStatus { Matched, Unmatched }

    /// Why an event owes no delivery: no subscription listens to it, or it is not what any of those wants.
    Unmatched { NoSubscription, ConditionsNotMet }

    /// Whether an event is new. `duplicate`: the same was matched before, and nothing is sent.
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

    /// Which deliveries are sent again, by where they stand.
    RecoverStatus { Pending, Retrying, Parked, Exhausted, Cancelled }

    /// How an attempt ended: `delivered` (2xx), `refused` (any other answer), `timed_out`, `unreachable` (no connection, or no
    /// HTTP on it), `blocked_address` (an address that is never called).
    AttemptOutcome { Delivered, Refused, TimedOut, Unreachable, BlockedAddress }

    /// The change in the runs of its place that an event is: `broke` failed after the one before succeeded, `recovered` the
    /// other way round.
    Transition { Broke, Recovered }

    /// The change that a subscription waits for: `changed` is either of the two.
    AwaitedTransition { Broke, Recovered, Changed }

    /// What a step of a configuration is about.
    ConfigKind { Destination, Subscription }

    /// What is done with it.
    ConfigAction { Create, Update, Delete, Unchanged }
}

impl Order {
    /// The order that is asked for; the newest first if none is.
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
