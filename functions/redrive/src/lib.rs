//! `redrive` does everything that has to be done later. Each minute it sends what is due, looks after destinations that
//! are or were down and reports on them, reports missed runs, rolls up the results of deliveries, audits events after
//! their horizon, and works on pending jobs. It answers no request and receives no event.
//!
//! The schedule's event contains nothing: the table says what there is to do. Concurrent invocations do not disturb
//! each other: each step is claimed first, by a change of a row or by a lease. Whatever one run leaves undone, the next
//! one finds.
//!
//! Invariant: a run with nothing to do costs twenty-one small reads. Once in every sixth of the horizon, it costs two
//! more reads and two small writes (tests: `with_nothing_to_do_a_run_costs_twenty_one_small_reads`).

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

/// One run. An error means that something of ours failed; the next run continues. A part that fails does not keep the
/// other parts from being done.
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
    // Before the audit, which deletes the notes that roll-ups need.
    done("roll-ups", roll_ups::run(&deps, deadline).await);
    done("audit", audit::run(&deps, deadline).await);
    done("jobs", jobs::run(&deps, deadline).await);
    failure.map_or(Ok(()), |error| Err(error.into()))
}
