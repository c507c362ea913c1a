//! An account whose deliveries are in every state while another version is deployed, and what has to be true afterwards.
//!
//! Six destinations are owed something. Four get every run of a table: one takes everything (`well`), one has a new
//! secret beside the old one (`rotated`), one refuses until it is mended (`down`), and one is paused by its owner
//! (`paused`). Two get only the few runs of an insight: one refuses the first attempts, and waits in the table for the
//! next ones (`later`), and one refuses, and is given up at once (`gives-up`).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use harness::api_client::{Customer, NewSubscription};
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::producer::fresh_sample;
use harness::receiver::{Answer, Receiver};
use harness::unique::unique;
use harness::{Deployment, Failure, Result};
use serde_json::{Value, json};
use tests::{closed_ledger, function};
use tokio::time::sleep;

use crate::visitor::Visitor;

const OF_TABLES: [&str; 4] = ["well", "rotated", "down", "paused"];
const OF_INSIGHTS: [&str; 2] = ["later", "gives-up"];
/// How many runs of tables are pushed before all states are there.
const RUNS: usize = 20;
/// How many runs of insights: fewer failures than a breaker counts.
const INSIGHTS: usize = 3;
/// How many events are in the queue when the deployment begins.
const BURST: usize = 60;
/// The wait of `later` before its second attempt, in seconds: long enough to be spent in the table.
const LATER: u32 = 130;
const BETWEEN_EVENTS: Duration = Duration::from_millis(250);
const SETTLING: Duration = Duration::from_secs(120);
/// From the repair to the last delivery: the wait of `later`, the next probe of `down`, and the drains.
const LIMIT: Duration = Duration::from_secs(480);

pub(crate) struct World<'d> {
    deployment: &'d Deployment,
    receiver: &'d Receiver,
    name: &'static str,
    customer: Customer,
    visitor: Visitor,
    /// The ids of the destinations by their names.
    destinations: BTreeMap<&'static str, String>,
    /// How many runs of tables were pushed.
    runs: Cell<usize>,
}

impl<'d> World<'d> {
    pub(crate) async fn set_up(deployment: &'d Deployment, receiver: &'d Receiver, name: &'static str) -> Result<Self> {
        let customer = deployment.operator()?.register(&unique(name)).await?;
        let visitor = Visitor::of(deployment, &customer).await?;
        let (destinations, runs) = (BTreeMap::new(), Cell::new(0));
        let mut world = Self { deployment, receiver, name, customer, visitor, destinations, runs };
        receiver.answer(&world.path("down"), [Answer::status(500)]);
        receiver.answer(&world.path("gives-up"), [Answer::status(500)]);
        let refusals = (0..INSIGHTS).map(|_| Answer::status(503));
        receiver.answer(&world.path("later"), refusals.chain([Answer::status(200)]));
        for (destinations, event_type) in
            [(&OF_TABLES[..], "sync_run.completed"), (&OF_INSIGHTS[..], "insight_population.completed")]
        {
            for destination in destinations {
                world.create(destination, event_type).await?;
            }
        }
        let rotated = world.act_on("rotated", "secrets/rotate").await?;
        receiver.expect_secret(&world.path("rotated"), rotated["secret"].as_str().unwrap_or_default());
        world.act_on("paused", "pause").await?;
        Ok(world)
    }

    pub(crate) fn name(&self) -> &str {
        self.name
    }

    fn path(&self, destination: &str) -> String {
        format!("/{}/{destination}", self.name)
    }

    async fn create(&mut self, name: &'static str, event_type: &str) -> Result<()> {
        let path = self.path(name);
        let mut settings = json!({"name": name, "url": self.receiver.url(&path)});
        match name {
            "later" => settings["retry_policy"] = json!([LATER, LATER]),
            "gives-up" => settings["retry_policy"] = json!("none"),
            _ => {}
        }
        let created = self.customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
        let id = created["id"].as_str().unwrap_or_default();
        // The receiver of `rotated` knows only the new secret.
        if name != "rotated" {
            self.receiver.expect_secret(&path, created["secret"].as_str().unwrap_or_default());
        }
        let subscription = NewSubscription::to_everything(id).event_types(&[event_type]);
        // One of them has a path of its own.
        let subscription = if name == "well" { subscription.path("/below") } else { subscription };
        self.customer.subscribe(&subscription).await?;
        self.destinations.insert(name, id.to_owned());
        Ok(())
    }

    async fn act_on(&self, destination: &str, action: &str) -> Result<Value> {
        let path = format!("/v1/destinations/{}/{action}", self.destinations[destination]);
        self.customer.post(&path, &json!({})).await?.expect_status(200)
    }

    /// Pushes this many runs of tables.
    async fn push(&self, count: usize) -> Result<()> {
        let sample = fresh_sample("demo-sync-run-succeeded", self.customer.account())?;
        let events: Vec<_> = (0..count).map(|n| numbered(&sample, "run", self.runs.get() + n)).collect();
        self.deployment.producer().push_all(&events).await?;
        self.runs.set(self.runs.get() + count);
        Ok(())
    }

    /// Pushes the first events, and waits until there are deliveries in every state. Returns the ledger.
    pub(crate) async fn await_every_state(&self) -> Result<Value> {
        self.push(RUNS).await?;
        let sample = fresh_sample("demo-insight-succeeded", self.customer.account())?;
        let insights: Vec<_> = (0..INSIGHTS).map(|n| numbered(&sample, "insight", n)).collect();
        self.deployment.producer().push_all(&insights).await?;
        eventually("deliveries in every state", SETTLING, async || {
            let ledger = closed_ledger::read(&self.customer).await?;
            let at_least = |state: &str, least: usize| ledger[state].as_u64() >= u64::try_from(least).ok();
            let every = at_least("delivered", 2 * RUNS) && at_least("retrying", INSIGHTS);
            Ok((every && at_least("parked", RUNS + 1) && at_least("exhausted", INSIGHTS)).then_some(ledger))
        })
        .await
    }

    /// Pushes more than is handled before the deployment begins.
    pub(crate) async fn push_burst(&self) -> Result<()> {
        self.push(BURST).await
    }

    /// Pushes events and asks the API until everything is deployed. Says what the API answered.
    pub(crate) async fn load(&self, deployed: &Cell<bool>) -> Result<String> {
        let (before, mut asked, mut failed) = (self.runs.get(), 0, 0);
        while !deployed.get() {
            self.push(1).await?;
            asked += 1;
            let answer = self.customer.get("/v1/destinations").await.and_then(|reply| reply.expect_status(200));
            if let Err(failure) = answer {
                failed += 1;
                eprintln!("{}: {failure:?}", self.name);
            }
            sleep(BETWEEN_EVENTS).await;
        }
        Ok(format!("{} events; {failed} of {asked} requests of the API failed", self.runs.get() - before))
    }

    /// Everything that kept deliveries from arriving ends. Nobody helps the destination that was down.
    pub(crate) async fn mend(&self) -> Result<()> {
        self.receiver.answer(&self.path("down"), [Answer::status(200)]);
        self.act_on("paused", "resume").await.map(drop)
    }

    fn owed(&self) -> usize {
        self.runs.get() * OF_TABLES.len() + INSIGHTS * OF_INSIGHTS.len()
    }

    /// Waits until the ledger closes with everything delivered but what was given up, and checks what receivers got.
    pub(crate) async fn await_everything(&self) -> Result<()> {
        // Reports on the destination that is down are events, too, which nobody here is subscribed to.
        let expected = json!({
            "matched": self.runs.get() + INSIGHTS, "owed": self.owed(), "delivered": self.owed() - INSIGHTS,
            "exhausted": INSIGHTS, "retrying": 0, "parked": 0, "cancelled": 0, "pending": 0, "closes": true,
        });
        let mut last = Value::Null;
        let closed = eventually("the ledger to close", LIMIT, async || {
            // More often than the schedule's once a minute. What a run cannot do, the next one does.
            if let Err(failure) = function::run_redrive(self.deployment).await {
                eprintln!("{}: {failure:?}", self.name);
            }
            sleep(Duration::from_secs(3)).await;
            last = closed_ledger::read(&self.customer).await?;
            let is = |(name, value): (&String, &Value)| last[name] == *value;
            Ok(expected.as_object().is_some_and(|expected| expected.iter().all(is)).then_some(()))
        });
        closed.await.or_failure(|| format!("{}: the ledger is {last} instead of {expected}", self.name))?;
        self.assert_arrived()
    }

    fn assert_arrived(&self) -> Result<()> {
        for destination in OF_TABLES.iter().chain(&OF_INSIGHTS) {
            let requests = self.receiver.requests_below(&self.path(destination));
            if let Some(bad) = requests.iter().find(|request| request.verified.is_err()) {
                return Err(Failure::new(format!("a signature is not valid: {}", bad.summary())));
            }
            let accepted = requests.iter().filter(|request| request.answered == Some(200));
            let accepted: BTreeSet<_> = accepted.map(|r| (r.event_id(), r.delivery_id().to_owned())).collect();
            let arrived: BTreeSet<_> = accepted.iter().map(|(event, _)| event.clone()).collect();
            if accepted.len() != arrived.len() {
                return Err(Failure::new(format!("{destination} got an event under two ids: {accepted:?}")));
            }
            let missing: Vec<_> = self.expected_at(destination).difference(&arrived).cloned().collect();
            if !missing.is_empty() {
                return Err(Failure::new(format!("{}: {destination} did not get {missing:?}", self.name)));
            }
        }
        Ok(())
    }

    fn expected_at(&self, destination: &str) -> BTreeSet<String> {
        match destination {
            "gives-up" => BTreeSet::new(),
            "later" => (0..INSIGHTS).map(|n| format!("insight-{n}")).collect(),
            _ => (0..self.runs.get()).map(|n| format!("run-{n}")).collect(),
        }
    }

    /// Keys, secrets and page sessions of before, and new ones.
    pub(crate) async fn assert_still_works(&self) -> Result<()> {
        self.visitor.get("/configure").await?;
        let (name, account) = (unique("later"), self.customer.account());
        let path = self.path(&name);
        let made = self.customer.create_destination(&name, &self.receiver.url(&path)).await?;
        self.receiver.expect_secret(&path, &made.secret);
        let key = json!({"name": name, "role": "admin"});
        let operator = self.deployment.operator()?;
        let keys = format!("/admin/v1/accounts/{account}/keys");
        let key = operator.call(http::Method::POST, &keys, Some(&key)).await?.expect_status(201)?;
        let with_new_key = self.customer.clone().with_key(key["key"].as_str().unwrap_or_default());
        let test = json!({"event_type": "sync_run.completed"});
        for (destination, path) in [(&made.id, path), (&self.destinations["well"], self.path("well"))] {
            let of_destination = format!("/v1/destinations/{destination}/test");
            let tested = with_new_key.post(&of_destination, &test).await?.expect_status(200)?;
            let last = self.receiver.requests_below(&path).pop();
            if tested["verdict"] != "delivered" || last.is_none_or(|last| last.verified.is_err()) {
                return Err(Failure::new(format!("{}: a test of {path} did not arrive well: {tested}", self.name)));
            }
        }
        self.customer.delete(&format!("/v1/destinations/{}", made.id)).await?.expect_status(204).map(drop)
    }

    /// No message is dead-lettered, and no row was left out.
    pub(crate) async fn assert_nothing_was_given_up(&self) -> Result<()> {
        let outputs = &self.deployment.outputs;
        for url in [&outputs.events_dead_letter_queue_url, &outputs.deliveries_dead_letter_queue_url] {
            let asked = self.deployment.sqs().get_queue_attributes().queue_url(url);
            let asked = asked.attribute_names(aws_sdk_sqs::types::QueueAttributeName::All).send().await;
            let attributes = asked.or_failure(|| format!("cannot look into {url}"))?.attributes.unwrap_or_default();
            let count = attributes.iter().find(|(name, _)| name.as_str() == "ApproximateNumberOfMessages");
            if count.is_none_or(|(_, count)| count != "0") {
                return Err(Failure::new(format!("{}: dead letters in {url}: {count:?}", self.name)));
            }
        }
        let functions = [&outputs.fanout_function_name, &outputs.deliver_function_name, &outputs.redrive_function_name];
        for function in functions.into_iter().chain([&outputs.api_function_name, &outputs.portal_function_name]) {
            let lines = function::logs(self.deployment, function).await?;
            let is_left_out = |line: &&String| line.contains("unreadable_row") || line.contains("poisoned_row");
            if let Some(line) = lines.iter().find(is_left_out) {
                return Err(Failure::new(format!("{}: {function} left out a row: {line}", self.name)));
            }
            for line in lines.iter().filter(|line| line.contains(r#""level":"ERROR""#)).take(3) {
                eprintln!("{}: {function} logged {line}", self.name);
            }
        }
        Ok(())
    }

    /// One line about all of it.
    pub(crate) fn told(&self) -> String {
        let requests = self.receiver.requests_below(&format!("/{}", self.name)).len();
        format!("{} events owed {} deliveries, for which {requests} requests were made", self.runs.get(), self.owed())
    }
}

fn numbered(sample: &Value, prefix: &str, number: usize) -> Value {
    let mut event = sample.clone();
    event["id"] = json!(format!("{prefix}-{number}"));
    event
}
