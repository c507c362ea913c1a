//! `fanout` and `deliver` under load: full batches, one after the other, in a warm instance. What `fanout` sends is what
//! `deliver` gets.

use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use crate::Result;
use crate::aws::Counts;
use crate::stats::{median, percentile};
use crate::world::{Account, BATCH, World, batch};

/// How often a block of batches is measured; one more is for practice.
const SAMPLES: usize = 5;
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
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    pub(crate) scheme: &'static str,
    pub(crate) fan_out: usize,
    pub(crate) bytes: usize,
    pub(crate) fanout: Taken,
    pub(crate) deliver: Taken,
    /// The size of a message from one to the other.
    pub(crate) message_bytes: f64,
    pub(crate) connections_of_a_delivery: f64,
    /// Of these connections, those with TLS that resumed no session.
    pub(crate) full_handshakes_of_a_delivery: f64,
}

impl Measured {
    /// Milliseconds of a processor that a delivery takes in both.
    pub(crate) fn together(&self) -> f64 {
        self.fanout.cpu_ms / self.fan_out as f64 + self.deliver.cpu_ms
    }
}

pub(crate) async fn measure(world: &mut World, load: Load) -> Result<Measured> {
    let Load { account, bytes, fanout_batches, deliver_batches } = load;
    world.aws.keep_messages(true);
    let events = world.events(account, bytes, fanout_batches * BATCH * (SAMPLES + 1))?;
    let fanout = run(world, "fanout", &events, fanout_batches).await?;
    let mut messages = world.aws.take_messages();
    world.aws.keep_messages(false);
    if messages.len() != events.len() * account.fan_out {
        return Err(format!("{} events made {} deliveries", events.len(), messages.len()).into());
    }
    messages.truncate(deliver_batches * BATCH * (SAMPLES + 1));
    let message_bytes = messages.iter().map(String::len).sum::<usize>() as f64 / messages.len() as f64;
    let (connections, requests) = (world.receivers.connections(), world.receivers.requests());
    let full_handshakes = world.receivers.full_handshakes();
    let deliver = run(world, "deliver", &messages, deliver_batches).await?;
    let delivered = world.receivers.requests() - requests;
    if delivered != messages.len() as f64 {
        return Err(format!("{} deliveries made {delivered} requests", messages.len()).into());
    }
    let connections_of_a_delivery = (world.receivers.connections() - connections) / delivered;
    let full_handshakes_of_a_delivery = (world.receivers.full_handshakes() - full_handshakes) / delivered;
    world.receivers.counters.check()?;
    world.aws.check()?;
    Ok(Measured {
        scheme: account.scheme(),
        fan_out: account.fan_out,
        bytes,
        fanout,
        deliver,
        message_bytes,
        connections_of_a_delivery,
        full_handshakes_of_a_delivery,
    })
}

/// A new instance gets all of it in batches.
async fn run(world: &World, function: &str, messages: &[String], batches: usize) -> Result<Taken> {
    let payloads = messages.chunks(BATCH).map(batch).collect::<Result<Vec<_>>>()?;
    let mut instance = world.start(function).await?;
    let (mut cpu, mut took, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    let (mut practised, mut log) = (Counts::default(), 0.0);
    for (nth, block) in payloads.chunks(batches).enumerate() {
        if nth == 1 {
            (practised, log) = (world.aws.counts(), instance.log_bytes());
        }
        let before = instance.processor_time()?;
        for payload in block {
            let called = world.aws.counts();
            let answered = instance.invoke(payload.clone()).await?;
            accepted(&answered.body)?;
            took.push(answered.took.as_secs_f64() * 1_000.0);
            calls.push(world.aws.counts().since(&called).all_calls());
        }
        // Connections are closed that the last batch has left.
        sleep(SETTLING).await;
        let spent = instance.processor_time()?.saturating_sub(before);
        cpu.push(spent.as_secs_f64() * 1_000.0 / (block.len() * BATCH) as f64);
    }
    let records = (payloads.len().saturating_sub(batches) * BATCH) as f64;
    let taken = Taken {
        cpu_ms: median(&cpu[1..]),
        batch_p50_ms: percentile(&took[batches..], 50),
        batch_p99_ms: percentile(&took[batches..], 99),
        peak_mib: instance.peak_memory()?,
        calls_of_a_batch: median(&calls[batches..]),
        log_bytes_of_a_record: (instance.log_bytes() - log) / records,
        records,
        counts: world.aws.counts().since(&practised),
    };
    instance.end().await?;
    Ok(taken)
}

/// An error if a record of the batch was given back.
fn accepted(answer: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(answer);
    let answer: serde_json::Value = serde_json::from_str(&text)?;
    match answer["batchItemFailures"].as_array() {
        Some(failures) if failures.is_empty() => Ok(()),
        _ => Err(format!("records of a healthy batch failed: {text}").into()),
    }
}
