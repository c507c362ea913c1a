//! One trace from a producer to a receiver that both record with OpenTelemetry's SDK (`traces.py`), through the deployed
//! stack: for events that are pushed and posted, for a retry that `redrive` sends minutes later, and for what is not
//! sampled.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use harness::api_client::NewSubscription;
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::producer::fresh_sample;
use harness::supervised::Supervised;
use harness::unique::unique;
use harness::{Failure, Result, checkout};
use serde_json::Value;
use tests::world::World;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const SOON: Duration = Duration::from_secs(60);
/// 121 s, two runs of `redrive`, and a machine that is busy.
const MUCH_LATER: Duration = Duration::from_secs(300);

fn program() -> PathBuf {
    checkout::root().join("tests/e2e/traces.py")
}

/// The receiver, for as long as this value lives.
struct Receiver {
    _process: Supervised,
    output: PathBuf,
    port: u64,
}

impl Receiver {
    async fn start() -> Result<Self> {
        let output = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(unique("receiver"));
        let file = std::fs::File::create(&output).or_failure(|| "no file for the receiver")?;
        let errors = file.try_clone().or_failure(|| "no second handle")?;
        let mut process = Supervised::start(&checkout::tool("opentelemetry", "python")?, |command| {
            command.arg(program()).arg("receive").stdin(Stdio::null()).stdout(file).stderr(errors);
        })?;
        let port = eventually("a receiver that listens", SOON, async || match process.ended()? {
            Some(_) => Err(Failure::new(std::fs::read_to_string(&output).unwrap_or_default())),
            None => Ok(lines(&output).first().and_then(|line| line["port"].as_u64())),
        });
        let port = port.await?;
        Ok(Self { _process: process, output, port })
    }

    /// The spans below this path, once there are so many.
    async fn await_spans(&self, path: &str, count: usize, limit: Duration) -> Result<Vec<Value>> {
        eventually(&format!("{count} spans at {path}"), limit, async || {
            let spans = lines(&self.output).into_iter().filter(|line| line["path"] == path).collect::<Vec<_>>();
            Ok((spans.len() >= count).then_some(spans))
        })
        .await
    }
}

/// The lines that a program has finished so far.
fn lines(output: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(output).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Lets the sync job send the event, and returns its span.
async fn produce(arguments: &[&str], event: &Value) -> Result<Value> {
    let mut command = Command::new(checkout::tool("opentelemetry", "python")?);
    command.arg(program()).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().or_failure(|| "the sync job does not start")?;
    let mut input = process.stdin.take().expect("a pipe");
    input.write_all(event.to_string().as_bytes()).await.or_failure(|| "no event for the sync job")?;
    drop(input);
    let output = process.wait_with_output().await.or_failure(|| "the sync job does not end")?;
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&said).or_failure(|| format!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}

/// An account whose events all go to this path of the receiver.
async fn world(receiver: &Receiver, path: &str) -> Result<World> {
    let world = World::new("traces").await?;
    let url = format!("http://127.0.0.1:{}{path}", receiver.port);
    let created = world.customer.create_destination("traced", &url).await?;
    world.customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
    Ok(world)
}

async fn push(world: &World, sampler: &str) -> Result<Value> {
    let event = fresh_sample("demo-sync-run-succeeded", world.customer.account())?;
    produce(&["push", &world.deployment.outputs.events_queue_url, sampler], &event).await
}

/// The trace and the span of a `traceparent`, and whether it is sampled, as the programs describe their spans.
fn described(traceparent: &Value) -> Value {
    let parts: Vec<_> = traceparent.as_str().unwrap_or_default().split('-').collect();
    let [_, trace, span, flags] = parts[..] else { return Value::Null };
    let sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
    serde_json::json!({"trace_id": trace, "span_id": span, "sampled": sampled})
}

/// Checks that the spans of one delivery are one trace: the producer's span is the parent of each attempt, and an attempt of
/// the receiver's span. The attempts are between them: the API shows them.
async fn check_chain(world: &World, produced: &Value, received: &[Value]) -> Result<()> {
    let id = received[0]["delivery"].as_str().unwrap_or_default();
    let delivery = eventually("all attempts", SOON, async || {
        let delivery = world.customer.get(&format!("/v1/deliveries/{id}")).await?;
        let is_recorded = delivery.body["attempt_count"].as_u64() == Some(received.len() as u64);
        Ok(is_recorded.then_some(delivery.body))
    });
    let delivery = delivery.await?;
    assert_eq!(&described(&delivery["traceparent"]), produced, "the attempts' parent is the producer's span");
    let attempts: Vec<_> = delivery["attempts"].as_array().into_iter().flatten().collect();
    assert_eq!(attempts.len(), received.len());
    let mut spans = vec![&produced["span_id"]];
    for (attempt, span) in attempts.into_iter().zip(received) {
        assert_eq!(span["parent"], described(&attempt["traceparent"]), "the receiver's parent is the attempt");
        assert_eq!(span["attempt"], attempt["number"].to_string());
        for one in [span, &span["parent"]] {
            assert_eq!((&one["trace_id"], &one["sampled"]), (&produced["trace_id"], &produced["sampled"]));
            assert!(!spans.contains(&&one["span_id"]), "each span has an id of its own: {one}");
            spans.push(&one["span_id"]);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_pushed_event_is_one_trace_from_its_sync_job_to_its_receiver() -> Result<()> {
    let receiver = Receiver::start().await?;
    let world = world(&receiver, "/pushed").await?;
    let produced = push(&world, "on").await?;
    assert_eq!(produced["sampled"], true);
    check_chain(&world, &produced, &receiver.await_spans("/pushed", 1, SOON).await?).await
}

#[tokio::test]
async fn a_retry_that_redrive_sends_minutes_later_is_in_the_same_trace() -> Result<()> {
    let receiver = Receiver::start().await?;
    let world = world(&receiver, "/later").await?;
    let produced = push(&world, "on").await?;
    let spans = receiver.await_spans("/later", 2, MUCH_LATER).await?;
    assert_eq!(spans[0]["delivery"], spans[1]["delivery"]);
    check_chain(&world, &produced, &spans).await
}

#[tokio::test]
async fn a_posted_event_is_one_trace_too() -> Result<()> {
    let receiver = Receiver::start().await?;
    let world = world(&receiver, "/posted").await?;
    let event = fresh_sample("demo-sync-run-succeeded", world.customer.account())?;
    let (url, port) = (world.deployment.api_url(), world.deployment.port);
    let host = url.strip_prefix("http://").unwrap_or_default();
    let produced = produce(&["post", &format!("127.0.0.1:{port}"), host, world.customer.key(), "on"], &event).await?;
    check_chain(&world, &produced, &receiver.await_spans("/posted", 1, SOON).await?).await
}

#[tokio::test]
async fn what_is_not_sampled_is_passed_on_as_that() -> Result<()> {
    let receiver = Receiver::start().await?;
    let world = world(&receiver, "/unsampled").await?;
    let produced = push(&world, "off").await?;
    assert_eq!(produced["sampled"], false);
    check_chain(&world, &produced, &receiver.await_spans("/unsampled", 1, SOON).await?).await
}
