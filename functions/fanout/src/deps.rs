//! What `fanout` needs from outside.

use std::sync::Arc;
use std::time::Duration;

use ports::{
    AwaitRuns, Clock, DeliveryQueue, Events, FindAccount, FindSubscriptions, RejectedEvents, Rejections, Transitions,
};

use crate::seals::Seals;
use crate::seen_scopes::ScopeNotes;

pub struct Deps {
    pub accounts: Arc<dyn FindAccount>,
    pub subscriptions: Arc<dyn FindSubscriptions>,
    pub transitions: Arc<dyn Transitions>,
    pub awaited_runs: Arc<dyn AwaitRuns>,
    pub events: Arc<dyn Events>,
    pub deliveries: Arc<dyn DeliveryQueue>,
    pub rejected: Arc<dyn RejectedEvents>,
    pub rejections: Arc<dyn Rejections>,
    pub scopes: ScopeNotes,
    pub seals: Seals,
    pub clock: Arc<dyn Clock>,
    /// How long a sealed event is kept.
    pub retention: Duration,
}
