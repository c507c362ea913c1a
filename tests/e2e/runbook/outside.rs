//! The alarms on what is around the functions: the key, the table, and the messages that are in flight.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::receiver::Answer;
use harness::{Failure, Result};
use http::Method;
use serde_json::json;
use tests::chance::Chance;
use tests::faulty_table::FaultyTable;
use tests::function;
use tests::world::World;
use tokio::time::sleep;

use crate::alike::{SAMPLE, SOON, arrived, closes};
use crate::bench::Bench;
use crate::taken::Whole;
use crate::watch::Watch;

/// 96,000 messages are twelve here: so many cannot be sent, and the local AWS has no limit of 120,000.
const OF_IN_FLIGHT: f64 = 8_000.0;
const DESTINATIONS: usize = 4;
const EVENTS: usize = 10;
/// How long the receivers take, which is how long the messages are in flight at first.
const TAKES: Duration = Duration::from_secs(4);

/// `…-key-failing`: the key was disabled, and then its deletion is scheduled.
pub async fn key_failing(bench: &Bench, deliver: &Whole, api: &Whole) -> Result<()> {
    let (deployment, operator, section) = (&bench.deployment, &bench.operator, bench.section("key-failing")?);
    let key = &deployment.outputs.secrets_key_arn;
    let world = World::new("key").await?;
    world.subscribed_at("/all").await?;
    let mut watch = Watch::on(bench, "key-failing")?;
    operator.run(&format!("aws kms disable-key --key-id {key}")).await?;
    // Whoever has opened the data key goes on.
    deliver.restart(deployment).await?;
    api.restart(deployment).await?;
    let mut pushed = 0;
    watch
        .goes_off(async || {
            pushed += 1;
            world.push(SAMPLE).await.map(|_| None)
        })
        .await?;
    let command = section.command("key_failed")?;
    operator.finds(&command, &["code"]).await?;
    let created = json!({"name": "new", "url": world.receiver.url("/new")});
    let status = world.customer.call(Method::POST, "/v1/destinations", Some(&created)).await?.status;
    if status < 500 {
        return Err(Failure::new(format!("without the key, a destination is created: {status}")));
    }
    operator.finds(&command.replace("Deliver", "Api"), &["code"]).await?;
    let (state, enable) = (section.command("describe-key")?, section.command("enable-key")?);
    expect(&operator.run(&state).await?, "Disabled")?;
    operator.run(&enable).await?;
    arrived(&world, pushed).await?;

    operator.run(&format!("aws kms schedule-key-deletion --key-id {key} --pending-window-in-days 7")).await?;
    expect(&operator.run(&state).await?, "PendingDeletion")?;
    operator.run(&section.command("cancel-key-deletion")?).await?;
    operator.run(&enable).await?;
    expect(&operator.run(&state).await?, "Enabled")?;
    deliver.restart(deployment).await?;
    watch
        .goes_ok(async || {
            pushed += 1;
            world.push(SAMPLE).await?;
            arrived(&world, pushed).await.map(|()| None)
        })
        .await?;
    closes(&world, pushed).await
}

fn expect(said: &str, text: &str) -> Result<()> {
    if said.contains(text) { Ok(()) } else { Err(Failure::new(format!("no {text}, but {said}"))) }
}

/// `…-table-reads-throttled`, `…-table-writes-throttled`: DynamoDB's answers are those of a proxy, because the table of the local
/// AWS takes everything.
pub async fn table_throttled(bench: &Bench, fanout: &Whole) -> Result<()> {
    let (deployment, section) = (&bench.deployment, bench.section("table-reads-throttled")?);
    bench.section("table-writes-throttled")?;
    let world = World::new("throttled").await?;
    world.subscribed_at("/all").await?;
    let (mut reads, mut writes) =
        (Watch::on(bench, "table-reads-throttled")?, Watch::on(bench, "table-writes-throttled")?);
    reads.looks_at("AWS/DynamoDB", "ReadThrottleEvents", &deployment.outputs.table_name)?;
    writes.looks_at("AWS/DynamoDB", "WriteThrottleEvents", &deployment.outputs.table_name)?;
    let table = FaultyTable::start(deployment.table_url(), Chance::from_seed(0)).await?;
    function::set_variable(deployment, &fanout.function, function::TABLE, Some(&table.url())).await?;
    let (mut pushed, mut before) = (0, 0);
    let throttled = || table.faults().throttled.load(std::sync::atomic::Ordering::Relaxed);
    let mut ill = async || {
        let new = eventually("calls that are throttled", SOON, async || {
            pushed += 1;
            world.push(SAMPLE).await?;
            sleep(Duration::from_millis(500)).await;
            let all = throttled();
            let new = all - before;
            before = all;
            Ok((new > 0).then_some(new))
        });
        #[expect(clippy::cast_precision_loss, reason = "a few calls")]
        new.await.map(|new| Some(new as f64))
    };
    // `fanout` reads and writes with each event, and the proxy throttles both alike.
    reads.goes_off(&mut ill).await?;
    writes.goes_off(&mut ill).await?;
    let command = section.command("metric")?;
    for command in [command.replace("Write", "Read"), command] {
        bench.operator.numbers(&command).await?;
    }
    table.mend();
    for watch in [&mut reads, &mut writes] {
        watch.goes_ok(async || Ok(Some(0.0))).await?;
    }
    arrived(&world, pushed).await?;
    function::set_variable(deployment, &fanout.function, function::TABLE, None).await?;
    closes(&world, pushed).await
}

/// `…-deliveries-in-flight`: receivers take long, and then fail.
pub async fn in_flight(bench: &Bench) -> Result<()> {
    let (section, operator) = (bench.section("deliveries-in-flight")?, &bench.operator);
    let world = World::new("flight").await?;
    let mut destinations = Vec::new();
    for n in 0..DESTINATIONS {
        let path = format!("/{n}");
        world.receiver.answer(&path, [Answer::status(500).after(TAKES)]);
        destinations.push(world.subscribed_at(&path).await?);
    }
    let mut watch = Watch::on(bench, "deliveries-in-flight")?.scaled(OF_IN_FLIGHT);
    let queue = bench.deployment.deliveries_queue();
    let name = queue.url().rsplit('/').next().unwrap_or_default();
    watch.looks_at("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", name)?;
    let hidden = async || {
        let attribute = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let ask = queue.sqs().get_queue_attributes().queue_url(queue.url()).attribute_names(attribute.clone());
        let all = ask.send().await.or_failure(|| "cannot count messages")?.attributes.unwrap_or_default();
        Ok(all.get(&attribute).and_then(|count| count.parse::<f64>().ok()))
    };
    for _ in 0..EVENTS {
        world.push(SAMPLE).await?;
    }
    let many = eventually("messages in flight", SOON, async || {
        Ok(hidden().await?.filter(|hidden| *hidden > watch.threshold()))
    });
    many.await?;
    watch.goes_off(hidden).await?;

    let outcomes = section.command("outcome")?;
    let names_one = eventually("a line that names a destination", SOON, async || {
        let lines = operator.lines(&outcomes).await?;
        let of_one = |id: &&String| lines.iter().any(|line| line["destination.id"] == **id);
        Ok(destinations.iter().all(|id| of_one(&id)).then_some(()))
    });
    names_one.await?;
    let key = section.command("KEY=")?.replace("<account.id>", world.customer.account());
    let pause = section.command("/pause")?;
    let all: Vec<String> = destinations.iter().map(|id| pause.replace("<destination.id>", id)).collect();
    operator.run(&format!("{key}\n{}", all.join("\n"))).await?;
    let few = eventually("few messages in flight", SOON * 2, async || {
        Ok(hidden().await?.filter(|hidden| *hidden <= watch.threshold()))
    });
    few.await?;
    watch.goes_ok(hidden).await?;
    // The local AWS does not publish metrics of SQS.
    operator.numbers(&section.command("metric")?).await?;
    world.await_list("/v1/deliveries?status=parked", DESTINATIONS * EVENTS, SOON * 2).await.map(drop)
}
