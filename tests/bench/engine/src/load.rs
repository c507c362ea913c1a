//! `fanout` and `deliver` under load: full batches, one after the other, in a warm instance. What `fanout` sends is what
//! `deliver` gets.

use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use crate::Result;
use crate::account::{Account, Over};
use crate::allocations::{Allocations, Counter};
use crate::aws::Counts;
use crate::batches::{Batch, failed, in_batches, mean_length};
use crate::stats::{median, percentile};
use crate::world::{BATCH, World};

/// How often a block of batches is measured; one more is for practice.
const SAMPLES: usize = 5;
/// The most batches in which allocations are counted; as many again are for practice.
const MOST_COUNTED: usize = 10;
const SETTLING: Duration = Duration::from_millis(5);

/// A load: an account, the size of its events, and how many batches a sample of each function has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) account: Account,
    pub(crate) bytes: usize,
    pub(crate) fanout_batches: usize,
    pub(crate) deliver_batches: usize,
}

/// What a function took.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Taken {
    /// Milliseconds of a processor for a record, which is an event or a delivery.
    pub(crate) cpu_ms: f64,
    /// Milliseconds of a processor for the first batch of a new instance, for which everything is read.
    pub(crate) first_batch_ms: f64,
    pub(crate) first_batch_read_units: f64,
    pub(crate) batch_p50_ms: f64,
    pub(crate) batch_p99_ms: f64,
    pub(crate) peak_mib: f64,
    /// In the middle one of the batches.
    pub(crate) calls_of_a_batch: f64,
    pub(crate) log_bytes_of_a_record: f64,
    pub(crate) records: f64,
    /// For all these records.
    pub(crate) counts: Counts,
}

impl Taken {
    pub(crate) fn per_record(&self, of: impl Fn(&Counts) -> f64) -> f64 {
        of(&self.counts) / self.records
    }

    /// What a record takes if this share of all comes a second time, as `again`.
    pub(crate) fn with(self, again: &Taken, share: f64) -> Taken {
        let counts = self.counts.times(1.0 / self.records).plus(&again.counts.times(share / again.records));
        Taken {
            cpu_ms: self.cpu_ms + share * again.cpu_ms,
            log_bytes_of_a_record: self.log_bytes_of_a_record + share * again.log_bytes_of_a_record,
            records: 1.0,
            counts,
            ..self
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    pub(crate) over: Over,
    pub(crate) fan_out: usize,
    pub(crate) bytes: usize,
    pub(crate) fanout: Taken,
    pub(crate) deliver: Taken,
    /// The size of a message from one to the other.
    pub(crate) message_bytes: f64,
    pub(crate) connections_of_a_delivery: f64,
    /// Of these connections, those with TLS that resumed no session.
    pub(crate) full_handshakes_of_a_delivery: f64,
    pub(crate) fanout_allocates: Allocations,
    pub(crate) deliver_allocates: Allocations,
}

impl Measured {
    /// Milliseconds of a processor that a delivery takes in both.
    pub(crate) fn together(&self) -> f64 {
        self.fanout.cpu_ms / self.fan_out as f64 + self.deliver.cpu_ms
    }

    /// How many deliveries a whole processor makes in a second.
    pub(crate) fn deliveries_a_second(&self) -> f64 {
        1_000.0 / self.deliver.cpu_ms
    }
}

impl Load {
    /// How many events a batch has: ten, unless one owes very much.
    fn events_of_a_batch(&self) -> usize {
        if self.account.fan_out > 1_000 { 1 } else { BATCH }
    }
}

pub(crate) async fn measure(world: &mut World, counter: &Counter, load: Load) -> Result<Measured> {
    let Load { account, bytes, fanout_batches, deliver_batches } = load;
    world.aws.keep_messages(true);
    let of_a_batch = load.events_of_a_batch();
    let events = world.events(&account.id(), bytes, fanout_batches * of_a_batch * (SAMPLES + 1))?;
    let fanout = run(world, "fanout", &in_batches(&events, of_a_batch)?, fanout_batches).await?;
    let mut messages = world.aws.take_messages();
    world.aws.keep_messages(false);
    if messages.len() != events.len() * account.fan_out {
        return Err(format!("{} events made {} deliveries", events.len(), messages.len()).into());
    }
    messages.truncate(deliver_batches * BATCH * (SAMPLES + 1));
    let message_bytes = mean_length(&messages);
    let (connections, requests) = (world.receivers.connections(), world.receivers.requests());
    let full_handshakes = world.receivers.full_handshakes();
    let deliver = run(world, "deliver", &in_batches(&messages, BATCH)?, deliver_batches).await?;
    let delivered = world.receivers.requests() - requests;
    if delivered != messages.len() as f64 {
        return Err(format!("{} deliveries made {delivered} requests", messages.len()).into());
    }
    let connections_of_a_delivery = (world.receivers.connections() - connections) / delivered;
    let full_handshakes_of_a_delivery = (world.receivers.full_handshakes() - full_handshakes) / delivered;
    let (fanout_allocates, deliver_allocates) = allocations(world, counter, load).await?;
    world.receivers.counters.check()?;
    world.aws.check()?;
    Ok(Measured {
        over: account.over,
        fan_out: account.fan_out,
        bytes,
        fanout,
        deliver,
        message_bytes,
        connections_of_a_delivery,
        full_handshakes_of_a_delivery,
        fanout_allocates,
        deliver_allocates,
    })
}

/// What an event and a delivery of the load allocate.
async fn allocations(world: &mut World, counter: &Counter, load: Load) -> Result<(Allocations, Allocations)> {
    let (account, of_a_batch) = (load.account, load.events_of_a_batch());
    world.aws.keep_messages(true);
    let batches = 2 * load.fanout_batches.min(MOST_COUNTED);
    let events = world.events(&account.id(), load.bytes, batches * of_a_batch)?;
    let fanout = counter.count(world, "fanout", &in_batches(&events, of_a_batch)?).await?;
    let mut messages = world.aws.take_messages();
    world.aws.keep_messages(false);
    messages.truncate(2 * load.deliver_batches.min(MOST_COUNTED) * BATCH);
    let deliver = counter.count(world, "deliver", &in_batches(&messages, BATCH)?).await?;
    Ok((fanout, deliver))
}

/// A new instance gets all of them, in blocks of so many. The first block is for practice. None may be given back.
pub(crate) async fn run(world: &World, function: &str, all: &[Batch<'_>], batches: usize) -> Result<Taken> {
    Ok(run_blocks(world, function, all, batches, false).await?.0)
}

/// The same where records may be given back, which are returned.
pub(crate) async fn run_failing(
    world: &World,
    function: &str,
    all: &[Batch<'_>],
    batches: usize,
) -> Result<(Taken, Vec<String>)> {
    run_blocks(world, function, all, batches, true).await
}

async fn run_blocks(
    world: &World,
    function: &str,
    all: &[Batch<'_>],
    batches: usize,
    may_fail: bool,
) -> Result<(Taken, Vec<String>)> {
    let records = |some: &[Batch<'_>]| some.iter().map(|batch| batch.messages.len()).sum::<usize>() as f64;
    let mut given_back = Vec::new();
    let (mut first_batch_ms, mut first_batch_read_units) = (f64::NAN, f64::NAN);
    let mut instance = world.start(function).await?;
    let (mut cpu, mut took, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    let (mut practised, mut log) = (Counts::default(), 0.0);
    for (nth, block) in all.chunks(batches).enumerate() {
        if nth == 1 {
            (practised, log) = (world.aws.counts(), instance.log_bytes());
        }
        let before = instance.processor_time()?;
        for batch in block {
            let called = world.aws.counts();
            let answered = instance.invoke(batch.payload.clone()).await?;
            given_back.extend(failed(&answered.body, batch.messages)?);
            if !may_fail && !given_back.is_empty() {
                let (count, log) = (given_back.len(), instance.log());
                return Err(format!("{count} records of a healthy batch of {function} failed:\n{log}").into());
            }
            if took.is_empty() {
                first_batch_ms = (instance.processor_time()?.saturating_sub(before)).as_secs_f64() * 1_000.0;
                first_batch_read_units = world.aws.counts().since(&called).table.read_units;
            }
            took.push(answered.took.as_secs_f64() * 1_000.0);
            calls.push(world.aws.counts().since(&called).all_calls());
        }
        // Connections are closed that the last batch has left.
        sleep(SETTLING).await;
        let spent = instance.processor_time()?.saturating_sub(before);
        cpu.push(spent.as_secs_f64() * 1_000.0 / records(block));
    }
    let records = records(all.get(batches..).unwrap_or_default());
    let taken = Taken {
        cpu_ms: median(&cpu[1..]),
        first_batch_ms,
        first_batch_read_units,
        batch_p50_ms: percentile(&took[batches..], 50),
        batch_p99_ms: percentile(&took[batches..], 99),
        peak_mib: instance.peak_memory()?,
        calls_of_a_batch: median(&calls[batches..]),
        log_bytes_of_a_record: (instance.log_bytes() - log) / records,
        records,
        counts: world.aws.counts().since(&practised),
    };
    instance.end().await?;
    Ok((taken, given_back))
}
