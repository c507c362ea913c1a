//! What it costs `redrive` to send a delivery that is due, and a run that finds nothing to do. What is due are deliveries
//! whose first attempt was refused, as `deliver` left them.

use serde::Serialize;

use crate::Result;
use crate::account::Account;
use crate::batches::{in_batches, in_batches_again};
use crate::load::{run, run_failing};
use crate::redrive::{Work, lane, scheduled};
use crate::world::{BATCH, World};

/// Events, of whose deliveries a quarter is refused.
const EVENTS: [usize; 4] = [20, 40, 400, 4_000];
const REFUSED_OF: u64 = 4;
/// A message that was received this often is not kept in the queue for its next attempt, however soon that is: the table
/// holds the delivery, and `redrive` sends it.
const RECEIVED: usize = 10;
const IDLE_RUNS: usize = 31;
const HORIZON_SECONDS: u32 = 3_600;

/// What was sent again at once.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Due {
    pub(crate) deliveries: f64,
    pub(crate) all: Work,
}

/// What was due, the first of them for practice; and a run with nothing to do.
pub(crate) async fn measure(world: &World) -> Result<(Vec<Due>, Work)> {
    let account = Account::http(10);
    let mut world = world.beside("due", HORIZON_SECONDS).await?;
    world.create(&[account]).await?;
    let mut redrive = world.start("redrive").await?;
    let mut idle = Vec::new();
    for _ in 0..IDLE_RUNS {
        idle.push(scheduled(&world, &mut redrive).await?);
    }
    let mut due = Vec::new();
    for events in EVENTS {
        eprintln!("measuring redrive with what {events} events left due …");
        let deliveries = refused(&mut world, account, events).await?;
        let all = lane(&world, &mut redrive, "due").await?;
        // Where calls take long, there may be no time for all of them.
        if all.messages > deliveries || all.messages == 0.0 {
            return Err(format!("of {deliveries} that were due, {} were sent", all.messages).into());
        }
        due.push(Due { deliveries: all.messages, all });
    }
    redrive.end().await?;
    Ok((due.split_off(1), Work::median(&idle[1..])))
}

/// Has events delivered, and returns how many deliveries were refused.
async fn refused(world: &mut World, account: Account, events: usize) -> Result<f64> {
    world.aws.keep_messages(true);
    let events = world.events(&account.id(), 1_024, events)?;
    run(world, "fanout", &in_batches(&events, BATCH)?, events.len() / BATCH).await?;
    let messages = world.aws.take_messages();
    world.aws.keep_messages(false);
    let before = world.receivers.counters.refused();
    world.receivers.counters.refuse_one_of(REFUSED_OF);
    let batches = in_batches_again(&messages, RECEIVED)?;
    let (_, given_back) = run_failing(world, "deliver", &batches, batches.len()).await?;
    world.receivers.counters.refuse_one_of(0);
    if !given_back.is_empty() {
        return Err(format!("{} records were given back", given_back.len()).into());
    }
    Ok(world.receivers.counters.refused() - before)
}
