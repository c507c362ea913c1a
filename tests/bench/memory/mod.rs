//! The peak memory of `fanout` and `redrive` with the worst inputs that are permitted, and how much time of a core they
//! take. Each input is measured in a process of its own, over the real adapters; table and queue answer from memory
//! ([`world`]).
//!
//! The processes run on one thread, like the functions. They are not optimized, unless this program is: then they take
//! more memory than the functions, and their times are printed and not judged.

mod deps;
mod inputs;
mod world;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use adapters::SystemClock;
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use harness::failure::OrFailure;
use harness::{Failure, Result};
use lambda_runtime::{Context, LambdaEvent};
use ports::Clock;
use runtime::telemetry;
use serde_json::{Value, json};

pub(crate) use self::inputs::text;
use self::inputs::{INPUTS, Input};
use self::world::World;
use crate::verdict;

/// This argument tells a process that it is the measured one; the next argument names its input.
pub(crate) const MEASURED: &str = "memory-of";
/// How much more a function may take than at its start, in MiB. With the 8 MiB that an optimized program has then, that
/// is half of what it has.
const MOST: u64 = 120;
/// How many milliseconds of one core a batch may take, if nothing of it is sent to very many.
const MOST_TIME: u64 = 1_000;
/// How long an invocation of `fanout` may take.
const INVOCATION: Duration = Duration::from_secs(60);
/// When `redrive` runs: the horizon of the events is over, and the audit is not behind.
const LATER: Duration = Duration::from_secs(90 * 60);

/// Runs the measured processes.
pub(crate) fn measure() -> Result<bool> {
    let mut all = true;
    for input in INPUTS {
        all &= measure_one(input)?;
    }
    println!();
    Ok(all)
}

fn measure_one(input: &Input) -> Result<bool> {
    let program = std::env::current_exe().or_failure(|| "this program has no path")?;
    let output = Command::new(program).args([MEASURED, input.name]).env_clear().output();
    let output = output.or_failure(|| "cannot start the process that is measured")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let measured: Option<Value> = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    let Some(measured) = measured.filter(|_| output.status.success()) else {
        return Err(Failure::new(format!("it ended early: {text}{}", String::from_utf8_lossy(&output.stderr))));
    };
    let number = |name: &str| measured[name].as_u64().or_failure(|| format!("{text} has no {name}"));
    let (peak, start, sent, ms) = (number("peak_mib")?, number("start_mib")?, number("sent")?, number("ms")?);
    let grown = peak.saturating_sub(start);
    let is_judged = !cfg!(debug_assertions) && sent == 0;
    let is_within = grown <= MOST && (!is_judged || ms <= MOST_TIME);
    println!(
        "memory of {}: {grown} MiB more than at its start{} ({peak} in all), {sent} deliveries sent, {ms} ms of a core for the \
         longest batch{}: {}",
        input.what,
        before(input.before.mb, "MB"),
        before(input.before.ms, "ms"),
        verdict(is_within)
    );
    Ok(is_within)
}

/// What was measured before this was bounded, to be printed beside what it is now.
fn before(measured: Option<u64>, unit: &str) -> String {
    measured.map(|measured| format!(" [before: {measured} {unit}]")).unwrap_or_default()
}

/// A line of `/proc/self/status` or the like, in MiB.
fn status(name: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status").or_failure(|| "this system has no /proc")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok());
    Ok(kib.or_failure(|| format!("/proc has no {name}"))?.div_ceil(1024))
}

/// The measured process.
pub(crate) async fn measured() -> Result<()> {
    let name = std::env::args().nth(2).unwrap_or_default();
    // As the functions do; their messages say why an input was not measured.
    telemetry::start("warn");
    let input = INPUTS.iter().find(|input| input.name == name).or_failure(|| format!("there is no input {name}"))?;
    let aws = World::of(input.subscribed)?;
    let (start, took) = if input.is_audited {
        seal(&aws, input.event).await?;
        // What the world stores of the event must not count as memory of the function.
        (status("VmRSS")?, audit(&aws).await?)
    } else {
        (status("VmHWM")?, fan_out(&aws, input.event).await?)
    };
    let ms = took.as_millis();
    println!(
        "{}",
        json!({ "peak_mib": status("VmHWM")?, "start_mib": start, "sent": aws.sent(), "ms": u64::try_from(ms).unwrap_or(u64::MAX) })
    );
    Ok(())
}

/// Two invocations; the second continues what the first left. Prints how much time of a core the longer one took.
async fn fan_out(aws: &World, text: fn(usize) -> String) -> Result<Duration> {
    let (deps, texts): (_, Vec<String>) = (deps::of_fanout(aws), (0..10).map(text).collect());
    let mut longest = Duration::ZERO;
    for receives in [1, 2] {
        let begun = aws.time_without_it();
        batch(&deps, texts.iter().enumerate().map(|(n, text)| record(n, text.clone(), receives))).await?;
        longest = longest.max(aws.time_without_it().saturating_sub(begun));
    }
    Ok(longest)
}

async fn batch(deps: &Arc<fanout::Deps>, records: impl Iterator<Item = SqsMessage>) -> Result<()> {
    let mut batch = SqsEvent::default();
    batch.records = records.collect();
    let mut context = Context::default();
    context.deadline = SystemClock.now().plus(INVOCATION).unix_ms();
    let answer = fanout::handle(deps.clone(), LambdaEvent::new(batch, context)).await;
    answer.map(drop).map_err(|error| Failure::new(format!("the batch failed: {error}")))
}

/// Seals an event whose deliveries are all lost: none of them has a row.
async fn seal(aws: &World, text: fn(usize) -> String) -> Result<()> {
    batch(&deps::of_fanout(aws), [record(0, text(0), 1)].into_iter()).await
}

/// Two runs, which audit a part of the event. All of it is in memory as soon as the first delivery is sent again.
/// Prints how much time of a core both took.
async fn audit(aws: &World) -> Result<Duration> {
    let begun = aws.time_without_it();
    let (deps, before) = (deps::of_redrive(aws, LATER), aws.sent());
    for _ in 0..2 {
        let mut context = Context::default();
        context.deadline = SystemClock.now().plus(LATER + INVOCATION).unix_ms();
        let answer = redrive::handle(deps.clone(), LambdaEvent::new(json!({}), context)).await;
        answer.map_err(|error| Failure::new(format!("the run failed: {error}")))?;
    }
    if aws.sent() == before {
        Err(Failure::new("the audit sent nothing"))
    } else {
        Ok(aws.time_without_it().saturating_sub(begun))
    }
}

fn record(n: usize, body: String, receives: u32) -> SqsMessage {
    let mut message = SqsMessage::default();
    (message.message_id, message.receipt_handle) = (Some(format!("message-{n}")), Some(format!("receipt-{n}")));
    message.body = Some(body);
    message.attributes.insert("ApproximateReceiveCount".into(), receives.to_string());
    message
}
