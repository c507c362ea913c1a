//! What `redrive` needs from outside.

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::MessageLease;
use domain::value::Horizon;
use ports::{
    AccountPurge, Accounts, Alerts, Audit, AwaitedRuns, Clock, Deliveries, DeliveryQueue, DestinationHealth,
    Destinations, Entropy, EventQueue, HandOut, Jobs, ListDeliveries, ListEvents, OweMore, Paces, Reckoning, RollUps,
    Subscriptions, Transitions, Waiting,
};
use runtime::metrics::Metrics;

use crate::alerted::Alerted;
use crate::audited::Audited;

/// Time reserved for the current step when the run's time is up: every call to AWS times out after 10 s.
pub(crate) const MARGIN: Duration = Duration::from_secs(15);
/// Time reserved for the answer. A step with many slow calls that is still running then is given up.
pub(crate) const ANSWER: Duration = Duration::from_secs(3);

pub struct Deps {
    pub waiting: Arc<dyn Waiting>,
    pub destinations: Arc<dyn DestinationHealth>,
    pub destination_list: Arc<dyn Destinations>,
    pub deliveries: Arc<dyn Deliveries>,
    pub delivery_list: Arc<dyn ListDeliveries>,
    pub events: Arc<dyn OweMore>,
    pub event_list: Arc<dyn ListEvents>,
    pub audit: Arc<dyn Audit>,
    pub audited: Audited,
    pub reckoning: Arc<dyn Reckoning>,
    pub roll_ups: Arc<dyn RollUps>,
    pub paces: Arc<dyn Paces>,
    pub awaited_runs: Arc<dyn AwaitedRuns>,
    pub subscriptions: Arc<dyn Subscriptions>,
    pub transitions: Arc<dyn Transitions>,
    pub queue: Arc<dyn DeliveryQueue>,
    pub event_queue: Arc<dyn EventQueue>,
    pub alerts: Arc<dyn Alerts>,
    pub alerted: Alerted,
    pub jobs: Arc<dyn Jobs>,
    pub accounts: Arc<dyn Accounts>,
    pub purge: Arc<dyn AccountPurge>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub hand_out: Arc<dyn HandOut>,
    /// How many units of work a run hands out at most.
    pub units: u16,
    pub horizon: Horizon,
    /// After this time a message counts as lost.
    pub lease: MessageLease,
    /// How long a delivery's row is kept.
    pub retention: Duration,
    pub metrics: Arc<Metrics>,
}
