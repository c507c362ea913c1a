//! `redrive`: what has to be gone back to, each minute. It sends what is due, looks at destinations that are down or were and tells
//! of them, tells of runs that did not come, rolls up what became of deliveries, visits events after their horizon, and works on
//! pending jobs. It answers no request and receives no event.
//!
//! The schedule's event says nothing: what there is to do is in the table. Two invocations at once do not disturb each other:
//! whatever one does is claimed first, by a row's change or a lease. What one leaves undone, the next one finds.

mod alerted;
mod audit;
mod awaited_runs;
mod deps;
mod due;
mod jobs;
mod roll_ups;
mod send;
mod tell;
mod watch;

use std::sync::Arc;

use domain::value::Timestamp;
use lambda_runtime::{Error, LambdaEvent};
use ports::PortResult;
use runtime::telemetry::ErrorChain;
use serde_json::Value;
use tracing::error;

pub use self::alerted::Alerted;
pub use self::deps::Deps;

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
    done("missed runs", awaited_runs::run(&deps, deadline).await);
    // The audit forgets the notes that roll-ups go by.
    done("roll-ups", roll_ups::run(&deps, deadline).await);
    done("audit", audit::run(&deps, deadline).await);
    done("jobs", jobs::run(&deps, deadline).await);
    failure.map_or(Ok(()), |error| Err(error.into()))
}
