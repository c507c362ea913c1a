//! What `deliver` needs from outside.

use std::sync::Arc;
use std::time::Duration;

use domain::attempt::RetryPolicy;
use domain::delivery::MessageLease;
use ports::{Clock, Deliveries, DeliveryQueue, DestinationHealth, Entropy, FindAccount, HttpSender, Paces, Vault};
use runtime::metrics::Metrics;

use crate::container::{Rows, Turns};

pub struct Deps {
    /// Asked only when a destination does not exist.
    pub accounts: Arc<dyn FindAccount>,
    pub destinations: Arc<dyn DestinationHealth>,
    pub deliveries: Arc<dyn Deliveries>,
    pub vault: Arc<dyn Vault>,
    pub queue: Arc<dyn DeliveryQueue>,
    pub sender: Arc<dyn HttpSender>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub rows: Rows,
    pub paces: Arc<dyn Paces>,
    pub turns: Turns,
    pub retries: RetryPolicy,
    /// After how long a message counts as lost.
    pub lease: MessageLease,
    /// How long a delivery's row is kept.
    pub retention: Duration,
    pub metrics: Arc<Metrics>,
}
