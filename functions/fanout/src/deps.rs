//! What `fanout` needs from outside.

use std::sync::Arc;
use std::time::Duration;

use ports::{
    AwaitRuns, Clock, DeliveryQueue, Entropy, FindAccount, FindListeners, Postpone, Rejections, Transitions, WideEvents,
};
use runtime::metrics::Metrics;

use crate::seals::Seals;
use crate::seen_scopes::ScopeNotes;
use crate::unregistered::UnregisteredEvents;

pub struct Deps {
    pub accounts: Arc<dyn FindAccount>,
    pub listeners: Arc<dyn FindListeners>,
    pub transitions: Arc<dyn Transitions>,
    pub awaited_runs: Arc<dyn AwaitRuns>,
    pub events: Arc<dyn WideEvents>,
    pub deliveries: Arc<dyn DeliveryQueue>,
    /// The queue that events come from.
    pub queue: Arc<dyn Postpone>,
    pub rejections: Arc<dyn Rejections>,
    pub unregistered: UnregisteredEvents,
    pub scopes: ScopeNotes,
    pub seals: Seals,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// How long a sealed event is kept.
    pub retention: Duration,
    pub metrics: Arc<Metrics>,
}
