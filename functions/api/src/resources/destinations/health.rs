//! How the health of a destination is answered. The rules are in [`domain::destination::health`].

use domain::destination::{Destination, HealthState};
use domain::value::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::{choices, schemas};

/// How a destination does: `failing` while nothing but probes is sent to it, `disabled` when it has been failing for five days or
/// has answered `410 Gone`, `paused` while its owner wants nothing sent. One that asked to be left alone for a while is
/// `healthy`, with `held_until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Health)]
pub enum HealthView {
    Healthy,
    Failing,
    Disabled,
    Paused,
}

impl HealthView {
    pub fn of(destination: &Destination) -> Self {
        match destination.health.state {
            HealthState::Disabled { .. } | HealthState::Closed => HealthView::Disabled,
            _ if !destination.settings.enabled => HealthView::Paused,
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
    /// When one delivery is sent to find out whether it is back, while it is failing.
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
    pub fn of(destination: &Destination) -> Self {
        let (health, enabled) = (&destination.health, destination.settings.enabled);
        let (failing_since, next_probe_at, disabled_reason) = match health.state {
            HealthState::Healthy | HealthState::Closed => (None, None, None),
            HealthState::Failing { since, next_probe_at, .. } => {
                (Some(since), Some(next_probe_at).filter(|_| enabled), None)
            }
            HealthState::Disabled { since, reason } => {
                (Some(health.failing_since.unwrap_or(since)), None, Some(reason.as_str()))
            }
        };
        Self {
            health: HealthView::of(destination),
            failing_since,
            next_probe_at,
            held_until: health.held_until.filter(|_| enabled && health.state == HealthState::Healthy),
            disabled_reason,
            draining: enabled && health.drain.is_some() && health.held_until.is_none(),
        }
    }
}
