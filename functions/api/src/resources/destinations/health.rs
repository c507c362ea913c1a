//! How the health of a destination is answered. The rules are in [`domain::destination::health`].
//!
//! Invariant: what the owner decided (`paused`), what the receiver's answers made of it (`health`) and what the receiver asked
//! for (`held_until`) are told side by side, and none hides another (tests:
//! `what_a_destination_is_does_not_depend_on_whether_it_is_paused`).

use domain::destination::{Destination, HealthState};
use domain::value::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::{choices, schemas};

/// What a destination's answers have made of it, whether it is paused or not: `failing` while nothing but probes is sent to it,
/// `disabled` when it has been failing for five days or has answered `410 Gone`. One that asked to be left alone for a while is
/// `healthy`, with `held_until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Health)]
enum HealthView {
    Healthy,
    Failing,
    Disabled,
}

impl HealthView {
    fn of(state: HealthState) -> Self {
        match state {
            HealthState::Disabled { .. } | HealthState::Closed => HealthView::Disabled,
            HealthState::Failing { .. } => HealthView::Failing,
            HealthState::Healthy => HealthView::Healthy,
        }
    }
}

/// How a destination does, and since when.
#[derive(Serialize, ToSchema)]
#[schema(as = DestinationHealth)]
pub struct HealthFields {
    health: HealthView,
    /// Since when it has been failing, until it is back.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    failing_since: Option<Timestamp>,
    /// When one delivery is sent to find out whether it is back, while it is failing and not paused.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    next_probe_at: Option<Timestamp>,
    /// Until when nothing is sent, because it answered 429 or 503 with `Retry-After`. What comes is set aside, and is sent
    /// within a minute after that.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    held_until: Option<Timestamp>,
    /// While it is disabled.
    #[schema(required, value_type = Option<choices::DisabledReason>)]
    disabled_reason: Option<&'static str>,
    /// Whether what was set aside is being sent, or looked for.
    draining: bool,
}

impl HealthFields {
    pub fn of(destination: &Destination, now: Timestamp) -> Self {
        let (health, paused) = (&destination.health, destination.settings.paused);
        // While it is paused nobody looks at a hold that has passed.
        let has_passed = |until: Timestamp| paused && until <= now;
        let (failing_since, next_probe_at, disabled_reason) = match health.state {
            HealthState::Healthy | HealthState::Closed => (None, None, None),
            HealthState::Failing { since, next_probe_at, .. } => {
                (Some(since), Some(next_probe_at).filter(|_| !paused), None)
            }
            HealthState::Disabled { since, reason } => {
                (Some(health.failing_since.unwrap_or(since)), None, Some(reason.as_str()))
            }
        };
        Self {
            health: HealthView::of(health.state),
            failing_since,
            next_probe_at,
            held_until: health.held_until.filter(|until| health.state == HealthState::Healthy && !has_passed(*until)),
            disabled_reason,
            draining: !paused && health.drain.is_some() && health.held_until.is_none(),
        }
    }
}
