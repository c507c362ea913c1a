//! Loads that are not healthy: of the deliveries, some are refused once and delivered at their second attempt; or one of
//! a hundred destinations never answers, until its breaker opens and its deliveries are parked.

use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use crate::Result;
use crate::account::Account;
use crate::batches::{in_batches, in_batches_again, mean_length};
use crate::load::{Taken, run, run_failing};
use crate::world::{BATCH, World};

const HORIZON_SECONDS: u32 = 3_600;
const BYTES: usize = 1_024;
/// One of so many is refused.
const REFUSED_OF: u64 = 20;
/// Batches of a sample, and all samples with the one for practice.
const FANOUT_BATCHES: usize = 40;
const DELIVER_BATCHES: usize = 40;
const BLOCKS: usize = 6;
/// The wait before the second attempt is 5 s, more or less by a fifth.
const FIRST_WAIT: Duration = Duration::from_secs(7);
/// Enough failures in a row for the breaker to open.
const ENOUGH: usize = 10;

/// A load with failures. What `deliver` took is for a delivery, with all of its attempts.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Failing {
    pub(crate) what: &'static str,
    pub(crate) fan_out: usize,
    pub(crate) bytes: usize,
    pub(crate) fanout: Taken,
    pub(crate) deliver: Taken,
    pub(crate) message_bytes: f64,
    /// How often a message is received.
    pub(crate) receives: f64,
    /// Whether a destination hangs, which is called now and then.
    pub(crate) hangs: bool,
}

pub(crate) async fn measure(world: &World) -> Result<Vec<Failing>> {
    Ok(vec![refused(world).await?, hanging(world).await?])
}

/// Has `fanout` send a load's deliveries.
async fn fan_out(world: &mut World, account: Account, batches: usize) -> Result<(Taken, Vec<String>)> {
    world.aws.keep_messages(true);
    let events = world.events(&account.id(), BYTES, batches * BATCH * BLOCKS)?;
    let fanout = run(world, "fanout", &in_batches(&events, BATCH)?, batches).await?;
    let messages = world.aws.take_messages();
    world.aws.keep_messages(false);
    Ok((fanout, messages))
}

async fn refused(world: &World) -> Result<Failing> {
    eprintln!("measuring deliveries of which one of {REFUSED_OF} is refused once …");
    let account = Account::http(3);
    let mut world = world.beside("refused", HORIZON_SECONDS).await?;
    world.create(&[account]).await?;
    let (fanout, messages) = fan_out(&mut world, account, FANOUT_BATCHES).await?;
    world.receivers.counters.refuse_one_of(REFUSED_OF);
    let (first, given_back) = run_failing(&world, "deliver", &in_batches(&messages, BATCH)?, DELIVER_BATCHES).await?;
    world.receivers.counters.refuse_one_of(0);
    let refused = world.receivers.counters.refused();
    if given_back.len() as f64 != refused {
        return Err(format!("of {refused} that were refused, {} are tried again", given_back.len()).into());
    }
    sleep(FIRST_WAIT).await;
    let share = refused / messages.len() as f64;
    let batches = in_batches_again(&given_back, 2)?;
    let again = run(&world, "deliver", &batches, batches.len() / BLOCKS).await?;
    world.aws.check()?;
    Ok(Failing {
        what: "5 % fail once",
        fan_out: account.fan_out,
        bytes: BYTES,
        fanout,
        deliver: first.with(&again, share),
        message_bytes: mean_length(&messages),
        receives: 1.0 + share,
        hangs: false,
    })
}

async fn hanging(world: &World) -> Result<Failing> {
    let account = Account::http(100);
    eprintln!("measuring deliveries to {} destinations of which one hangs …", account.fan_out);
    let mut world = world.beside("hanging", HORIZON_SECONDS).await?;
    world.create(&[account]).await?;
    let (fanout, messages) = fan_out(&mut world, account, FANOUT_BATCHES / 10).await?;
    let hangs = world.ids.first().cloned().ok_or("an account without destinations")?;
    let (its, others): (Vec<_>, Vec<_>) = messages.into_iter().partition(|message| message.contains(&hangs));
    world.receivers.counters.hang(0);
    let mut deliver = world.start("deliver").await?;
    for batch in in_batches(&its[..ENOUGH], BATCH)? {
        // Some are to be tried again, and some parked, once the breaker has opened.
        deliver.invoke(batch.payload).await?;
    }
    deliver.end().await?;
    // Its deliveries are among the others, as they were sent.
    let (mut its, of_others) = (its.into_iter().skip(ENOUGH), account.fan_out - 1);
    let mut messages = Vec::with_capacity(others.len());
    for (number, message) in others.into_iter().enumerate() {
        messages.push(message);
        if number % of_others == of_others - 1 {
            messages.extend(its.next());
        }
    }
    messages.truncate(DELIVER_BATCHES * BATCH * BLOCKS);
    let before = world.receivers.requests();
    let taken = run(&world, "deliver", &in_batches(&messages, BATCH)?, DELIVER_BATCHES).await?;
    let parked = messages.len() as f64 - (world.receivers.requests() - before);
    if (parked - messages.len() as f64 / 100.0).abs() > 2.0 {
        return Err(format!("of {} deliveries, {parked} were parked", messages.len()).into());
    }
    world.aws.check()?;
    Ok(Failing {
        what: "one of 100 hangs",
        fan_out: account.fan_out,
        bytes: BYTES,
        fanout,
        deliver: taken,
        message_bytes: mean_length(&messages),
        receives: 1.0,
        hangs: true,
    })
}
