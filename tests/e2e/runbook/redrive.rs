//! The alarms of `redrive`. Its schedule is off from the beginning: a trial runs it when something is to happen, and finds out
//! first that it does not run.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use harness::api_client::NewSubscription;
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::receiver::Answer;
use harness::{Failure, Result};
use serde_json::json;
use tests::chance::Chance;
use tests::faulty_table::FaultyTable;
use tests::world::World;
use tests::{closed_ledger, function};
use tokio::time::{Instant, sleep, sleep_until};

use crate::alike::{SAMPLE, SOON, arrived, closes};
use crate::bench::{Bench, now};
use crate::invoke::{Answer as Ended, invoke};
use crate::rows::Damaged;
use crate::taken::{Whole, reserve};
use crate::watch::Watch;

/// A run comes each minute.
const MINUTE: Duration = Duration::from_secs(60);
/// Events are audited a minute after a stretch of time has ended, and then sent again.
const AUDITED: Duration = Duration::from_secs(180);
/// With this, lanes do not get through their shards in their shares of a run.
const SLOW: Duration = Duration::from_millis(500);
/// A minute of the alarm on lag is a second here, because nobody waits for five minutes in which work is late.
const OF_LAG: f64 = 60.0;
const SCHEDULED: &str = "{}";

/// What the audit has to find: it is made before the other trials begin, because an event is audited when it is a minute old.
pub struct Lost {
    /// An account whose only delivery was lost.
    recovered: World,
    /// One whose only delivery was lost, and whose event cannot be read.
    open: World,
    event: Damaged,
    /// Since when the schedule is off.
    stopped: Instant,
    since: i64,
}

/// Stops the schedule, and loses two deliveries.
pub async fn lose(bench: &Bench) -> Result<Lost> {
    let (deployment, deliver) = (&bench.deployment, &bench.deployment.outputs.deliver_function_name);
    function::set_schedule(deployment, false).await?;
    let (stopped, since) = (Instant::now(), now());
    let (recovered, open) = (World::new("recovered").await?, World::new("open").await?);
    for world in [&recovered, &open] {
        world.subscribed_at("/all").await?;
    }
    reserve(bench, deliver, Some(0)).await?;
    // A poll that has begun may still hand out a message.
    sleep(Duration::from_secs(2)).await;
    recovered.push(SAMPLE).await?;
    let event = open.push(SAMPLE).await?;
    for world in [&recovered, &open] {
        world.await_list("/v1/events", 1, SOON).await?;
    }
    for _ in 0..2 {
        let stolen = eventually("a delivery to lose", SOON, async || {
            Ok(deployment.deliveries_queue().steal().await?.then_some(()))
        });
        stolen.await?;
    }
    reserve(bench, deliver, None).await?;
    let pk = format!("E#{}#{event}", open.customer.account());
    let event = Damaged::row(deployment, (&pk, "EVENT"), "owed", |_| ()).await?;
    Ok(Lost { recovered, open, event, stopped, since })
}

/// `…-redrive-stopped`: the schedule was disabled, and then it is deleted.
pub async fn stopped(bench: &Bench, lost: &Lost) -> Result<()> {
    let (deployment, function) = (&bench.deployment, &bench.deployment.outputs.redrive_function_name);
    let (section, operator) = (bench.section("redrive-stopped")?, &bench.operator);
    let mut watch = Watch::on(bench, "redrive-stopped")?;
    watch.looks_at("AWS/Lambda", "Invocations", function)?;
    // One minute without a run stands for three.
    sleep_until(lost.stopped + MINUTE + Duration::from_secs(3)).await;
    let runs = async |since: i64| -> Result<Option<f64>> {
        let lines = function::logs_since(deployment, function, since).await?;
        #[expect(clippy::cast_precision_loss, reason = "a few runs")]
        let runs = lines.iter().filter(|line| line.starts_with("START ")).count() as f64;
        Ok((runs > 0.0).then_some(runs))
    };
    watch.goes_off(async || runs(lost.since + 1_000).await).await?;
    let on = operator.run(&bench.page.which).await?;
    if !on.contains("synchub-webhooks-redrive-stopped") {
        return Err(Failure::new(format!("the alarm is not listed: {on}")));
    }

    let list = section.command("list-schedules")?;
    expect(&operator.run(&list).await?, "DISABLED")?;
    let invoked = section.command("lambda invoke")?;
    operator.run(&invoked).await?;
    let before = now();
    operator.run(&section.command("update-schedule")?).await?;
    expect(&operator.run(&list).await?, "ENABLED")?;
    watch
        .goes_ok(async || eventually("a run by the schedule", MINUTE * 2, async || runs(before).await).await.map(Some))
        .await?;

    let get = format!("aws scheduler get-schedule --name {function} --query '{SAME}' --output json");
    let whole = operator.run(&get).await?;
    operator.run(&format!("aws scheduler delete-schedule --name {function}")).await?;
    if !operator.run(&list).await?.trim().is_empty() {
        return Err(Failure::new("a schedule is listed that was deleted"));
    }
    operator.run(&section.command("create-schedule")?).await?;
    expect(&operator.run(&list).await?, "ENABLED")?;
    let again = operator.run(&get).await?;
    if again != whole {
        return Err(Failure::new(format!("the schedule was {whole}, and is {again}")));
    }
    function::set_schedule(deployment, false).await
}

/// What makes two schedules the same.
const SAME: &str = "[ScheduleExpression, FlexibleTimeWindow.Mode, Target.Arn, Target.RoleArn, \
                    Target.RetryPolicy.to_number(MaximumRetryAttempts), Target.RetryPolicy.to_number(MaximumEventAgeInSeconds), State]";

fn expect(said: &str, text: &str) -> Result<()> {
    if said.contains(text) { Ok(()) } else { Err(Failure::new(format!("no {text}, but {said}"))) }
}

/// Runs it, whether it succeeds or not, and says whether it failed.
async fn run(bench: &Bench) -> Result<bool> {
    Ok(invoke(&bench.deployment, &bench.deployment.outputs.redrive_function_name, SCHEDULED).await?.failed)
}

/// Runs it until its log has a line with these texts.
async fn run_until(bench: &Bench, since: i64, texts: &[&str]) -> Result<()> {
    let (deployment, function) = (&bench.deployment, &bench.deployment.outputs.redrive_function_name);
    let what = format!("a line with {texts:?}");
    let told = eventually(&what, AUDITED, async || {
        run(bench).await?;
        let lines = function::logs_since(deployment, function, since).await?;
        let found = lines.iter().any(|line| texts.iter().all(|text| line.contains(text)));
        if !found {
            sleep(Duration::from_secs(2)).await;
        }
        Ok(found.then_some(()))
    });
    told.await
}

/// `…-recovered-by-audit`: a message was lost.
pub async fn recovered(bench: &Bench, lost: &Lost) -> Result<()> {
    let account = lost.recovered.customer.account();
    // The audit may have found it before this trial began.
    let mut watch = Watch::on(bench, "recovered-by-audit")?.since(lost.since);
    watch
        .goes_off(async || run_until(bench, lost.since, &["recovered_by_audit", account]).await.map(|()| None))
        .await?;
    let command = bench.section("recovered-by-audit")?.command("recovered_by_audit")?;
    bench.operator.finds(&command, &[account]).await?;
    arrived(&lost.recovered, 1).await?;
    watch.goes_ok(async || run(bench).await.map(|_| None)).await?;
    closes(&lost.recovered, 1).await
}

/// `…-ledger-open`: the audit cannot read what an event owes.
pub async fn ledger_open(bench: &Bench, lost: &Lost) -> Result<()> {
    let (account, section) = (lost.open.customer.account(), bench.section("ledger-open")?);
    let mut watch = Watch::on(bench, "ledger-open")?;
    run_until(bench, now(), &["ledger_open", account]).await?;
    watch.goes_off(async || run(bench).await.map(|_| None)).await?;
    bench.operator.finds(&section.command("ledger_open")?, &[account]).await?;
    let named = bench.operator.finds(&section.command("poisoned_row")?, &[account, "\"event\""]).await?;
    let key = format!("E#{account}#{}", named["id"].as_str().unwrap_or_default());
    if key != lost.event.pk || lost.event.sk != "EVENT" {
        return Err(Failure::new(format!("the row is {} and not {key}: {named}", lost.event.pk)));
    }
    lost.event.mend(bench).await?;
    watch.goes_ok(async || run(bench).await.map(|_| None)).await?;
    let all = eventually("the lost delivery", AUDITED, async || {
        run(bench).await?;
        sleep(Duration::from_secs(1)).await;
        Ok((!lost.open.receiver.requests().is_empty()).then_some(()))
    });
    all.await?;
    closes(&lost.open, 1).await
}

/// `…-redrive-errors`: permissions are missing, and a row cannot be read.
pub async fn errors(bench: &Bench, redrive: &Whole) -> Result<()> {
    let section = bench.section("redrive-errors")?;
    let mut watch = Watch::on(bench, "redrive-errors")?;
    watch.looks_at("AWS/Lambda", "Errors", &redrive.function)?;
    let (world, row) = poisoned(bench).await?;
    redrive.without(bench, &["dynamodb:Query"]).await?;
    let since = now();
    let fails = async || Ok(Some(Ended::count(run(bench).await?)));
    watch.goes_off(fails).await?;
    let command = section.command("ERROR")?;
    let line = bench.operator.finds(&command, &["is not authorized to perform", "dynamodb:Query"]).await?;
    redrive.give_back(bench, &line.to_string()).await?;
    run_until(bench, since, &["poisoned_row", world.customer.account()]).await?;
    let named = bench.operator.finds(&command, &["poisoned_row", world.customer.account(), "\"delivery\""]).await?;
    let id = named["id"].as_str().unwrap_or_default();
    let place = id.trim_start_matches("dlv_").chars().take(16).collect::<String>();
    let key = (format!("D#{}#dst_{place}", world.customer.account()), format!("DLV#{id}"));
    if key != (row.pk.clone(), row.sk.clone()) {
        return Err(Failure::new(format!("the row is {}, {} and not {key:?}: {named}", row.pk, row.sk)));
    }
    row.mend(bench).await?;
    watch.goes_ok(fails).await?;
    let ledger = closed_ledger::read(&world.customer).await?;
    if ledger["closes"] == true && ledger["retrying"] == 1 && ledger["pending"] == 0 {
        return Ok(());
    }
    Err(Failure::new(format!("the delivery of the row does not wait for its retry: {ledger}")))
}

/// An account with a delivery that is due, and whose row is damaged.
async fn poisoned(bench: &Bench) -> Result<(World, Damaged)> {
    let world = World::new("poisoned").await?;
    world.receiver.answer("/all", [Answer::status(500)]);
    let settings = json!({"name": "later", "url": world.receiver.url("/all"), "retry_policy": [600, 600]});
    let created = world.customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
    let id = created["id"].as_str().or_failure(|| "no id")?;
    world.customer.subscribe(&NewSubscription::to_everything(id)).await?;
    world.push(SAMPLE).await?;
    world.await_list("/v1/deliveries?status=retrying", 1, SOON).await?;
    let pk = format!("D#{}#", world.customer.account());
    let row = Damaged::row(&bench.deployment, (&pk, "DLV#"), "attempts", |row| {
        row.insert("gsi2sk".to_owned(), AttributeValue::S(format!("{:015}", now())));
    });
    let row = row.await?;
    Ok((world, row))
}

/// `…-redrive-lag`: each call of the table takes long, so a run has more to do than it has time for.
pub async fn lag(bench: &Bench, redrive: &Whole) -> Result<()> {
    let section = bench.section("redrive-lag")?;
    let mut watch = Watch::on(bench, "redrive-lag")?.scaled(OF_LAG).line_by_line();
    let table = FaultyTable::start(bench.deployment.table_url(), Chance::from_seed(0)).await?;
    table.mend();
    function::set_variable(&bench.deployment, &redrive.function, function::TABLE, Some(&table.url())).await?;
    // So long nothing was looked at.
    sleep(Duration::from_secs_f64(watch.threshold() + 1.0)).await;
    table.slow_down(SLOW);
    // The runs of five minutes are made at once, because each takes a third of a minute.
    tokio::try_join!(run(bench), run(bench), run(bench), run(bench), run(bench))?;
    watch.goes_off(async || Ok(None)).await?;
    let line = bench.operator.finds(&section.command("redrive_lag")?, &["shards_left", "units_handed_out"]).await?;
    if line["lag_seconds"].as_f64().is_none_or(|lag| lag <= watch.threshold()) {
        return Err(Failure::new(format!("not late: {line}")));
    }
    table.slow_down(Duration::ZERO);
    watch.goes_ok(async || run(bench).await.map(|_| None)).await
}

/// `…-redrive-dropped`: somebody has reserved too few instances, namely none, so what a run hands out is dropped.
pub async fn dropped(bench: &Bench, redrive: &Whole) -> Result<()> {
    let (section, reserved) = (bench.section("redrive-dropped")?, bench.section("fanout-throttled")?);
    let mut watch = Watch::on(bench, "redrive-dropped")?;
    watch.looks_at("AWS/Lambda", "AsyncEventsDropped", &redrive.function)?;
    let of_redrive = |part: &str| Ok(reserved.command(part)?.replace("DeliverFunctionName", "RedriveFunctionName"));
    // The local AWS does not publish the metric. What is throttled is not tried again, and so is dropped.
    let throttles: String = of_redrive("metric")?;
    let all = async || Ok(bench.operator.numbers(&throttles).await?.iter().sum::<f64>());
    let hand_out = format!(
        "aws sns publish --topic-arn {} --message '{}'",
        bench.deployment.outputs.work_topic_arn, r#"{"lane":"due","shard":3,"part":1,"of":4}"#
    );
    let mut before = all().await?;
    reserve(bench, &redrive.function, Some(0)).await?;
    watch
        .goes_off(async || {
            bench.operator.run(&hand_out).await?;
            let now =
                eventually("a unit that is dropped", SOON, async || Ok(Some(all().await?).filter(|now| *now > before)));
            let now = now.await?;
            Ok(Some(now - std::mem::replace(&mut before, now)))
        })
        .await?;
    bench.operator.numbers(&section.command("metric")?).await?;
    expect(
        &bench.operator.run(&of_redrive("get-function-concurrency")?).await?,
        "\"ReservedConcurrentExecutions\": 0",
    )?;
    bench.operator.run(&of_redrive("delete-function-concurrency")?).await?;
    watch
        .goes_ok(async || {
            bench.operator.run(&hand_out).await?;
            let now = all().await?;
            Ok(Some(now - std::mem::replace(&mut before, now)))
        })
        .await
}
