//! The alarms that `fanout` and `deliver` have alike: messages that fail, dead letters, invocations that fail, are slow or are
//! throttled, and messages that wait.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::queue::Queue;
use harness::receiver::Received;
use harness::{Failure, Result, checkout};
use tests::chance::Chance;
use tests::closed_ledger;
use tests::faulty_table::FaultyTable;
use tests::function;
use tests::world::World;
use tokio::time::sleep;

use crate::bench::{Bench, now};
use crate::invoke::{Answer, EMPTY_BATCH, invoke};
use crate::taken::{Whole, reserve};
use crate::watch::Watch;

pub const SAMPLE: &str = "demo-sync-run-succeeded";
pub const SOON: Duration = Duration::from_secs(60);
/// What failed on our side comes back after longer and longer waits, and other trials hold it up meanwhile.
const ARRIVED: Duration = Duration::from_secs(150);
/// A message that fails twenty times comes back each second, when the queue's timeout is a second.
const DEAD: Duration = Duration::from_secs(120);
/// What each call of a slow table takes. An invocation makes several.
const SLOW: Duration = Duration::from_millis(1_200);
/// The 48 s of the alarm are one second here, because a trial does not wait for a minute.
const OF_SLOW: f64 = 48.0;

/// One of the two functions, and its queue.
pub struct Side {
    /// As in the names of its alarms: `fanout` with `events`, `deliver` with `deliveries`.
    name: &'static str,
    records: &'static str,
    /// The output with the function's name.
    output: &'static str,
    pub function: Whole,
    queue: Queue,
    dead: Queue,
    queue_output: &'static str,
    dead_output: &'static str,
    /// Actions without which it can handle no message.
    needs: &'static [&'static str],
    /// A sample of what its queue hands it.
    event: &'static str,
}

pub async fn fanout(bench: &Bench) -> Result<Side> {
    let outputs = &bench.deployment.outputs;
    Ok(Side {
        name: "fanout",
        records: "events",
        output: "FanoutFunctionName",
        function: Whole::of(bench, &outputs.fanout_function_name).await?,
        queue: bench.deployment.events_queue(),
        dead: bench.operator.queue(&outputs.events_dead_letter_queue_url),
        queue_output: "EventsQueueUrl",
        dead_output: "EventsDeadLetterQueueUrl",
        needs: &["sqs:SendMessage"],
        event: include_str!("../../../events/fanout-two-events.json"),
    })
}

pub async fn deliver(bench: &Bench) -> Result<Side> {
    let outputs = &bench.deployment.outputs;
    Ok(Side {
        name: "deliver",
        records: "deliveries",
        output: "DeliverFunctionName",
        function: Whole::of(bench, &outputs.deliver_function_name).await?,
        queue: bench.deployment.deliveries_queue(),
        dead: bench.deployment.deliveries_dead_letter_queue(),
        queue_output: "DeliveriesQueueUrl",
        dead_output: "DeliveriesDeadLetterQueueUrl",
        needs: &["dynamodb:PutItem", "dynamodb:PartiQLInsert"],
        event: include_str!("../../../events/deliver-first-attempt.json"),
    })
}

impl Side {
    /// The names of its trials.
    pub fn alarms(&self) -> [String; 5] {
        let (records, name) = (self.records, self.name);
        [
            format!("{records}-failing"),
            format!("{records}-dead-letter"),
            format!("{name}-errors"),
            format!("{name}-slow"),
            format!("{name}-throttled, {records}-late"),
        ]
    }

    pub async fn put_back(&self, bench: &Bench) -> Result<()> {
        self.function.put_back(bench).await?;
        self.queue.set_visibility_timeout(360).await
    }

    /// A command of the section, for this function and its queue.
    fn command(&self, bench: &Bench, alarm: &str, part: &str) -> Result<String> {
        let command = bench.section(alarm)?.command(part)?;
        let command = command.replace("DeliverFunctionName", self.output);
        let command = command.replace("EventsDeadLetterQueueUrl", self.dead_output);
        Ok(command.replace("DeliveriesQueueUrl", self.queue_output))
    }

    /// An account whose only destination gets everything.
    async fn account(&self) -> Result<World> {
        let world = World::new("runbook").await?;
        world.subscribed_at("/all").await?;
        // The first event shows that all is well, and lets the functions remember the account.
        world.push(SAMPLE).await?;
        world.receiver.await_count("/all", 1, SOON).await?;
        Ok(world)
    }

    /// `…-events-failing`, `…-deliveries-failing`: a permission is missing.
    pub async fn failing(&self, bench: &Bench) -> Result<()> {
        let alarm = format!("{}-failing", self.records);
        let (world, mut pushed) = (self.account().await?, 1);
        let mut watch = Watch::on(bench, &alarm)?;
        self.function.without(bench, self.needs).await?;
        watch
            .goes_off(async || {
                pushed += 1;
                world.push(SAMPLE).await.map(|_| None)
            })
            .await?;

        let command = self.command(bench, &alarm, "failed_record")?;
        bench.operator.finds(&command, &["is not authorized to perform", self.needs[0]]).await?;
        self.give_back_until_arrived(bench, &command, &world, pushed).await?;
        watch
            .goes_ok(async || {
                pushed += 1;
                world.push(SAMPLE).await?;
                arrived(&world, pushed).await.map(|()| None)
            })
            .await?;
        closes(&world, pushed).await
    }

    /// Gives back what the lines of the log say is missing, but for what is `given` already.
    async fn give_back(&self, bench: &Bench, command: &str, given: &mut BTreeSet<String>) -> Result<()> {
        for line in bench.operator.lines(command).await? {
            let line = line.to_string();
            let Some((_, action)) = line.split_once("is not authorized to perform: ") else { continue };
            if given.insert(action.split(' ').next().unwrap_or_default().to_owned()) {
                self.function.give_back(bench, &line).await?;
                // The name of each policy is the second in which it is made.
                sleep(Duration::from_secs(1)).await;
            }
        }
        Ok(())
    }

    /// Repeats that until everything has arrived.
    async fn give_back_until_arrived(
        &self,
        bench: &Bench,
        command: &str,
        world: &World,
        deliveries: usize,
    ) -> Result<()> {
        let mut given = BTreeSet::new();
        for _ in 0..3 {
            self.give_back(bench, command, &mut given).await?;
            if closes_within(world, deliveries, Duration::from_secs(20)).await.is_ok() {
                return Ok(());
            }
        }
        arrived(world, deliveries).await
    }

    /// `…-events-dead-letter`, `…-deliveries-dead-letter`: a message fails twenty times, because two permissions are missing.
    pub async fn dead_letter(&self, bench: &Bench) -> Result<()> {
        let alarm = format!("{}-dead-letter", self.records);
        let world = self.account().await?;
        let mut watch = Watch::on(bench, &alarm)?;
        self.queue.set_visibility_timeout(1).await?;
        let also = ["sqs:ChangeMessageVisibility"];
        self.function.without(bench, &[self.needs, &also].concat()).await?;
        let before = count(&self.dead).await?;
        world.push(SAMPLE).await?;
        watch
            .goes_off(async || {
                let dead = eventually("a dead letter", DEAD, async || {
                    let now = count(&self.dead).await?;
                    Ok((now > before).then_some(now - before))
                });
                Ok(Some(dead.await?))
            })
            .await?;

        let cause = self.command(bench, &format!("{}-failing", self.records), "failed_record")?;
        let counted = bench.operator.run(&self.command(bench, &alarm, "get-queue-attributes")?).await?;
        if !counted.contains("\"ApproximateNumberOfMessages\": \"1\"") {
            return Err(Failure::new(format!("the dead letters are not shown: {counted}")));
        }
        self.give_back(bench, &cause, &mut BTreeSet::new()).await?;
        let moves = bench.dead_letters.command("start-message-move-task")?;
        bench.operator.run(&moves).await?;
        bench.operator.run(&bench.dead_letters.command("list-message-move-tasks")?).await?;
        self.give_back_until_arrived(bench, &cause, &world, 2).await?;
        watch
            .goes_ok(async || {
                let left = count(&self.dead).await?;
                if left > before { Err(Failure::new(format!("{left} dead letters are left"))) } else { Ok(Some(0.0)) }
            })
            .await?;
        closes(&world, 2).await
    }

    /// `…-fanout-errors`, `…-deliver-errors`: a variable is missing, as after a deployment that went wrong.
    pub async fn errors(&self, bench: &Bench) -> Result<()> {
        let alarm = format!("{}-errors", self.name);
        let world = self.account().await?;
        let mut watch = Watch::on(bench, &alarm)?;
        watch.looks_at("AWS/Lambda", "Errors", &self.function.function)?;
        self.queue.set_visibility_timeout(2).await?;
        self.function.broken(bench).await?;
        world.push(SAMPLE).await?;
        watch.goes_off(async || self.run_fails(bench).await.map(Some)).await?;

        // The local AWS keeps what a process says before its start has failed in its own log.
        bench.operator.lines(&self.command(bench, &alarm, "ERROR")?).await?;
        let log = checkout::run_directory(bench.deployment.port).join("ministack.log");
        let log = std::fs::read_to_string(log).or_failure(|| "no log of the local AWS")?;
        if !log.lines().any(|line| line.contains("a function cannot run") && line.contains(&self.function.function)) {
            return Err(Failure::new("the function does not say why it cannot run"));
        }
        // The local AWS does not write Lambda's own lines as JSON.
        bench.operator.lines(&self.command(bench, &alarm, "platform")?).await?;
        self.function.deployed_again(&bench.deployment).await?;
        watch.goes_ok(async || self.run_fails(bench).await.map(Some)).await?;
        arrived(&world, 2).await?;
        closes(&world, 2).await
    }

    async fn run_fails(&self, bench: &Bench) -> Result<f64> {
        Ok(Answer::count(invoke(&bench.deployment, &self.function.function, EMPTY_BATCH).await?.failed))
    }

    /// `…-fanout-slow`, `…-deliver-slow`: each call of the table takes long.
    pub async fn slow(&self, bench: &Bench) -> Result<()> {
        let alarm = format!("{}-slow", self.name);
        let mut watch = Watch::on(bench, &alarm)?.scaled(OF_SLOW);
        watch.looks_at("AWS/Lambda", "Duration", &self.function.function)?;
        let table = FaultyTable::start(bench.deployment.table_url(), Chance::from_seed(0)).await?;
        table.mend();
        function::set_variable(&bench.deployment, &self.function.function, function::TABLE, Some(&table.url())).await?;
        invoke(&bench.deployment, &self.function.function, EMPTY_BATCH).await?.expect_success()?;
        table.slow_down(SLOW);
        let run = async || {
            let answer = invoke(&bench.deployment, &self.function.function, self.event).await?.expect_success()?;
            Ok(Some(answer.took.as_secs_f64() * 1_000.0))
        };
        watch.goes_off(run).await?;
        let shown = bench.operator.numbers(&self.command(bench, &alarm, "metric")?).await?;
        if !shown.iter().any(|shown| *shown > watch.threshold()) {
            return Err(Failure::new(format!("the metric does not show what took long: {shown:?}")));
        }
        bench.operator.lines(&self.command(bench, &alarm, "ERROR")?).await?;
        table.slow_down(Duration::ZERO);
        watch.goes_ok(run).await
    }

    /// `…-fanout-throttled`, `…-deliver-throttled`, and with them `…-events-late`, `…-deliveries-late`: somebody has reserved
    /// too few instances, namely none, so messages wait.
    pub async fn throttled_and_late(&self, bench: &Bench) -> Result<()> {
        let (alarm, late) = (format!("{}-throttled", self.name), format!("{}-late", self.records));
        let (world, function) = (self.account().await?, &self.function.function);
        let mut throttled = Watch::on(bench, &alarm)?;
        throttled.looks_at("AWS/Lambda", "Throttles", function)?;
        let mut waiting = Watch::on(bench, &late)?;
        waiting.looks_at(
            "AWS/SQS",
            "ApproximateAgeOfOldestMessage",
            self.queue.url().rsplit('/').next().unwrap_or(""),
        )?;
        // Five minutes, or fifteen, are three seconds here, and a minute is one.
        let scale = waiting.threshold() / 3.0;
        waiting = waiting.scaled(scale);
        reserve(bench, function, Some(0)).await?;
        world.push(SAMPLE).await?;
        throttled.goes_off(async || self.run_is_throttled(bench).await.map(Some)).await?;
        let is_old = eventually("a message that waits", SOON, async || {
            Ok(self.age().await?.filter(|age| *age > waiting.threshold()))
        });
        is_old.await?;
        waiting
            .goes_off(async || {
                // A message that was looked at is hidden for a second.
                sleep(Duration::from_millis(1_200)).await;
                self.age().await
            })
            .await?;

        let shown = bench.operator.numbers(&self.command(bench, &alarm, "metric")?).await?;
        if !shown.iter().any(|shown| *shown > 0.0) {
            return Err(Failure::new(format!("the metric shows no throttles: {shown:?}")));
        }
        bench.operator.run(&bench.section(&alarm)?.command("get-account-settings")?).await?;
        let reserved = bench.operator.run(&self.command(bench, &alarm, "get-function-concurrency")?).await?;
        if !reserved.contains("\"ReservedConcurrentExecutions\": 0") {
            return Err(Failure::new(format!("the reservation is not shown: {reserved}")));
        }
        // The local AWS does not publish metrics of SQS.
        bench.operator.numbers(&self.command(bench, &late, "metric")?).await?;
        bench.operator.run(&self.command(bench, &alarm, "delete-function-concurrency")?).await?;
        arrived(&world, 2).await?;
        throttled.goes_ok(async || self.run_is_throttled(bench).await.map(Some)).await?;
        waiting.goes_ok(async || self.age().await).await?;
        closes(&world, 2).await
    }

    async fn run_is_throttled(&self, bench: &Bench) -> Result<f64> {
        Ok(Answer::count(invoke(&bench.deployment, &self.function.function, EMPTY_BATCH).await?.status == 429))
    }

    /// How long the oldest message has waited, in seconds: what SQS publishes.
    async fn age(&self) -> Result<Option<f64>> {
        let receive = self.queue.sqs().receive_message().queue_url(self.queue.url()).max_number_of_messages(10);
        let receive = receive.visibility_timeout(1).message_system_attribute_names(MessageSystemAttributeName::All);
        let messages = receive.send().await.or_failure(|| "cannot look into a queue")?.messages.unwrap_or_default();
        let sent = messages.iter().filter_map(|message| {
            message.attributes.as_ref()?.get(&MessageSystemAttributeName::SentTimestamp)?.parse::<i64>().ok()
        });
        #[expect(clippy::cast_precision_loss, reason = "a short time in milliseconds")]
        Ok(sent.min().map(|sent| (now() - sent) as f64 / 1_000.0))
    }
}

/// All messages of a queue, visible and hidden.
async fn count(queue: &Queue) -> Result<f64> {
    let names =
        [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible];
    let ask = queue.sqs().get_queue_attributes().queue_url(queue.url()).set_attribute_names(Some(names.to_vec()));
    let all = ask.send().await.or_failure(|| "cannot count messages")?.attributes.unwrap_or_default();
    Ok(names.iter().filter_map(|name| all.get(name)?.parse::<f64>().ok()).sum())
}

/// Waits until the account's destination has accepted so many deliveries, however often each was sent.
pub async fn arrived(world: &World, deliveries: usize) -> Result<()> {
    let all = |requests: &[Received]| {
        let accepted = requests.iter().filter(|request| request.answered == Some(200));
        accepted.map(Received::delivery_id).collect::<BTreeSet<_>>().len() >= deliveries
    };
    let what = format!("{deliveries} deliveries of {}", world.customer.account());
    world.receiver.await_requests(&what, ARRIVED, all).await.map(drop)
}

/// The ledger of the account closes, and everything was delivered.
pub async fn closes(world: &World, deliveries: usize) -> Result<()> {
    closes_within(world, deliveries, SOON).await
}

async fn closes_within(world: &World, deliveries: usize, limit: Duration) -> Result<()> {
    let mut last = serde_json::Value::Null;
    let closed = eventually("the ledger", limit, async || {
        last = closed_ledger::read(&world.customer).await?;
        Ok((last["closes"] == true && last["delivered"] == deliveries && last["pending"] == 0).then_some(()))
    });
    closed.await.or_failure(|| format!("not {deliveries} deliveries, but {last}"))
}
