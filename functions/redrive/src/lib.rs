//! `redrive`: what has to be gone back to, each minute. Today that is the pending jobs; it answers no request and receives no
//! event.
//!
//! The schedule's event says nothing: what there is to do is in the table. Nothing to do costs one query. Two invocations at
//! once do not disturb each other, because each job is worked on under a lease.

mod deletion;
mod jobs;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent};
use serde_json::Value;
use shared::domain::timestamp::Timestamp;
use shared::ports::{AccountPurge, Accounts, Clock, Entropy, Jobs};

pub struct Deps {
    pub jobs: Arc<dyn Jobs>,
    pub accounts: Arc<dyn Accounts>,
    pub purge: Arc<dyn AccountPurge>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// One run. An error means that something of ours did not work; the next run goes on where this one stopped.
pub async fn handle(deps: Arc<Deps>, event: LambdaEvent<Value>) -> Result<(), Error> {
    let deadline = Timestamp::from_unix_ms(event.context.deadline);
    jobs::run(&deps, deadline).await?;
    Ok(())
}
