//! `redrive`: what has to be gone back to, each minute. It sends what is due, looks at destinations that are down or were and tells
//! of them, tells of runs that did not come, rolls up what became of deliveries, visits events after their horizon, and works on
//! pending jobs. It answers no request and receives no event.
//!
//! The schedule's event says nothing: what there is to do is in the table. Two invocations at once do not disturb each other:
//! whatever one does is claimed first, by a row's change or a lease. What one leaves undone, the next one finds.

mod audit;
mod deletion;
mod due;
mod jobs;
mod missed;
mod recover;
mod roll_ups;
mod send;
mod tell;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use domain::value::{Horizon, Timestamp};
use lambda_runtime::{Error, LambdaEvent};
use ports::{
    AccountPurge, Accounts, Alerts, Audit, AwaitedRuns, Clock, Deliveries, DeliveryQueue, DestinationHealth,
    Destinations, Entropy, EventQueue, Events, FindSubscriptions, Jobs, ListDeliveries, ListEvents, Paces, PortResult,
    Reckoning, RollUps, Waiting,
};
use runtime::telemetry::ErrorChain;
use serde_json::Value;
use tracing::error;

pub use self::tell::Alerted;

/// Left for the step under way when the time is up: every call to AWS gives up after 10 s.
const MARGIN: Duration = Duration::from_secs(15);

pub struct Deps {
    pub waiting: Arc<dyn Waiting>,
    pub destinations: Arc<dyn DestinationHealth>,
    pub destination_list: Arc<dyn Destinations>,
    pub deliveries: Arc<dyn Deliveries>,
    pub delivery_list: Arc<dyn ListDeliveries>,
    pub events: Arc<dyn Events>,
    pub event_list: Arc<dyn ListEvents>,
    pub audit: Arc<dyn Audit>,
    pub reckoning: Arc<dyn Reckoning>,
    pub roll_ups: Arc<dyn RollUps>,
    pub paces: Arc<dyn Paces>,
    pub awaited_runs: Arc<dyn AwaitedRuns>,
    pub subscriptions: Arc<dyn FindSubscriptions>,
    pub queue: Arc<dyn DeliveryQueue>,
    pub event_queue: Arc<dyn EventQueue>,
    pub alerts: Arc<dyn Alerts>,
    pub alerted: Alerted,
    pub jobs: Arc<dyn Jobs>,
    pub accounts: Arc<dyn Accounts>,
    pub purge: Arc<dyn AccountPurge>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub horizon: Horizon,
    /// How long a delivery's row is kept.
    pub retention: Duration,
}

/// One run. An error means that something of ours did not work; the next run goes on where this one stopped. What does not
/// work keeps none of the rest from being done.
pub async fn handle(deps: Arc<Deps>, event: LambdaEvent<Value>) -> Result<(), Error> {
    let deadline = Timestamp::from_unix_ms(event.context.deadline);
    let mut failure = None;
    let mut done = |what, result: PortResult<()>| {
        if let Err(error) = result {
            error!(what, error = %ErrorChain(&error), "a part of the run failed; the next run goes on");
            failure = Some(error);
        }
    };
    done("due", due::run(&deps, deadline).await);
    done("watch", watch::run(&deps, deadline).await);
    done("missed runs", missed::run(&deps, deadline).await);
    // The audit forgets the notes that roll-ups go by.
    done("roll-ups", roll_ups::run(&deps, deadline).await);
    done("audit", audit::run(&deps, deadline).await);
    done("jobs", jobs::run(&deps, deadline).await);
    failure.map_or(Ok(()), |error| Err(error.into()))
}

pub(crate) fn has_time(deps: &Deps, deadline: Timestamp) -> bool {
    deadline.since(deps.clock.now()) > MARGIN
}
