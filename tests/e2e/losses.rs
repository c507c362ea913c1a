//! Nothing is lost on the deployed stack while everything fails at once: processes are killed, messages are stolen, the
//! table throttles, fails and cuts connections, and one of three receivers keeps failing and recovering. When the
//! faults end, every id arrives. The test uses a table whose queries read only what they return, because with so many
//! rows the local AWS's own table answers nobody for minutes.
//!
//! The test is alone in its binary, so that it disturbs no other. Its faults follow from a seed, which it prints. The
//! result also depends on timing, so a seed helps to narrow a failure down, but does not repeat it exactly.

#![expect(clippy::print_stderr, reason = "it takes minutes, and says what it did to the system")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use harness::api_client::{Customer, NewSubscription};
use harness::eventually::eventually;
use harness::producer::numbered_samples;
use harness::receiver::{Answer, Received, Receiver};
use harness::unique::unique;
use harness::{Deployment, Failure, Result};
use serde_json::{Value, json};
use tests::chance::Chance;
use tests::closed_ledger;
use tests::faulty_table::FaultyTable;
use tests::function;
use tests::indexed_table::IndexedTable;
use tokio::time::{Instant, sleep};

const EVENTS: usize = 2_000;
const PATHS: [&str; 3] = ["/one", "/two", "/flapping"];
const OWED: usize = EVENTS * PATHS.len();
/// How many messages are stolen: one in a hundred.
const STOLEN: usize = OWED / 100;
/// How long the faults last.
const FAULTS: Duration = Duration::from_secs(60);
/// How much longer messages are stolen, if too few were stolen when the faults end.
const STEALING_ENDS_AFTER: Duration = Duration::from_secs(45);
const FLAP: Duration = Duration::from_secs(3);
/// The time from the last fault to the last delivery: for a drain, and for the audit with its resends.
const LIMIT: Duration = Duration::from_secs(600);

struct World {
    deployment: Deployment,
    customer: Customer,
    receiver: Receiver,
    table: FaultyTable,
    /// The path of each destination, by its id.
    destinations: BTreeMap<String, &'static str>,
}

/// How many processes of each function were killed.
type Killed = BTreeMap<&'static str, usize>;

#[tokio::test]
async fn nothing_is_lost_when_processes_messages_and_the_table_fail_and_a_receiver_flaps() -> Result<()> {
    let seed = Chance::new_seed();
    eprintln!("seed {seed}");
    let table = IndexedTable::of_all(&Deployment::from_env()?).await?;
    // Everything is restored however this ends, because the next tests use the same deployment.
    let result = on(&table, Chance::from_seed(seed)).await;
    set_visibility_timeouts(table.deployment(), 360).await?;
    table.put_back().await?;
    result
}

async fn on(table: &IndexedTable, mut chance: Chance) -> Result<()> {
    let world = world(table, &mut chance).await?;
    world.set_up_faults().await?;
    world.run(&mut chance).await
}

async fn set_visibility_timeouts(deployment: &Deployment, seconds: u32) -> Result<()> {
    deployment.events_queue().set_visibility_timeout(seconds).await?;
    deployment.deliveries_queue().set_visibility_timeout(seconds).await
}

async fn world(table: &IndexedTable, chance: &mut Chance) -> Result<World> {
    let deployment = table.deployment().clone();
    let customer = deployment.operator()?.register(&unique("losses")).await?;
    let receiver = Receiver::start().await?;
    let table = FaultyTable::start(table.url(), chance.split()).await?;
    let mut destinations = BTreeMap::new();
    for path in PATHS {
        // The attempts outlast the faults: an exhausted delivery would be visible, but not delivered.
        let settings =
            json!({"name": path, "url": receiver.url(path), "retry_policy": [4, 8, 16, 30, 60, 60, 60, 60, 60, 60]});
        let created = customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
        let text = |field: &str| created[field].as_str().unwrap_or_default().to_owned();
        receiver.expect_secret(path, &text("secret"));
        customer.subscribe(&NewSubscription::to_everything(&text("id"))).await?;
        destinations.insert(text("id"), path);
    }
    Ok(World { deployment, customer, receiver, table, destinations })
}

impl World {
    fn functions(&self) -> [(&'static str, &str); 3] {
        let outputs = &self.deployment.outputs;
        [
            ("fanout", &outputs.fanout_function_name),
            ("deliver", &outputs.deliver_function_name),
            ("redrive", &outputs.redrive_function_name),
        ]
    }

    async fn set_up_faults(&self) -> Result<()> {
        for (_, function) in self.functions() {
            function::set_variable(&self.deployment, function, function::TABLE, Some(&self.table.url())).await?;
        }
        // The messages of a killed process come back after this time. AWS uses six minutes, which is too long here.
        set_visibility_timeouts(&self.deployment, 5).await
    }

    async fn run(&self, chance: &mut Chance) -> Result<()> {
        let events = numbered_samples("demo-sync-run-succeeded", self.customer.account(), EVENTS)?;
        let started = Instant::now();
        let end = started + FAULTS;
        let producer = self.deployment.producer();
        let ((), killed, stolen, flaps) = tokio::try_join!(
            producer.push_all(&events),
            self.kill_at_random(chance.split(), end),
            self.steal(chance.split(), end),
            self.flap(end),
        )?;
        self.table.mend();
        self.mend_receiver().await?;
        let faults = self.table.faults();
        let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::Relaxed);
        let (throttled, failed, cut) = (count(&faults.throttled), count(&faults.failed), count(&faults.cut));
        eprintln!(
            "the faults end after {} s: killed {killed:?}, {stolen} messages stolen, {flaps} flaps; of the table's requests \
             {throttled} throttled, {failed} failed, {cut} cut, {} passed",
            started.elapsed().as_secs(),
            count(&faults.passed),
        );
        assert!(killed.len() == 3 && killed.values().sum::<usize>() >= 20, "too few processes were killed: {killed:?}");
        assert_eq!(stolen, STOLEN);
        assert!(throttled >= 100 && failed > 0 && cut > 0, "the table was too good");

        self.await_closed_ledger().await?;
        let recovered = self.assert_table().await?;
        let requests = self.receiver.requests();
        self.assert_receivers_logs(&requests).await?;
        let refused = requests.iter().filter(|request| request.answered == Some(503)).count();
        assert!(refused >= 100, "the receiver hardly flapped: {refused} refused");
        assert!(recovered > 0, "the audit recovered nothing although {stolen} messages were stolen");
        eprintln!(
            "all {OWED} deliveries arrived after {} s: {} requests, {refused} refused, {} repeated although delivered; \
             {recovered} recovered by the audit",
            started.elapsed().as_secs(),
            requests.len(),
            requests.len() - refused - OWED,
        );
        Ok(())
    }

    /// Kills one process after another. Those of `redrive`, which are idle most of the time, are killed in the middle
    /// of a run.
    async fn kill_at_random(&self, mut chance: Chance, end: Instant) -> Result<Killed> {
        let mut killed = Killed::new();
        while Instant::now() < end {
            sleep(Duration::from_millis(300 + chance.below(1_500))).await;
            let functions = self.functions();
            let (name, function) = functions[usize::from(chance.per_mille(600)) + usize::from(chance.per_mille(400))];
            if name == "redrive" {
                let deployment = self.deployment.clone();
                // It is expected to fail, because it is killed.
                tokio::spawn(async move { function::run_redrive(&deployment).await });
                sleep(Duration::from_millis(chance.below(600))).await;
            }
            if function::kill_one_process(&self.deployment, function, chance.below(1_000))? {
                *killed.entry(name).or_default() += 1;
            }
        }
        Ok(killed)
    }

    /// Steals messages from the queue of deliveries, one at a time, so that they are spread over the run.
    async fn steal(&self, mut chance: Chance, end: Instant) -> Result<usize> {
        let queue = self.deployment.deliveries_queue();
        let mut stolen = 0;
        // The queue is empty most of the time, so some of the stolen messages are those of later attempts.
        while stolen < STOLEN && Instant::now() < end + STEALING_ENDS_AFTER {
            sleep(Duration::from_millis(chance.below(200))).await;
            stolen += usize::from(queue.steal().await?);
        }
        Ok(stolen)
    }

    /// Makes one receiver alternate between refusing every second request and accepting all. In between it is down so
    /// long that its deliveries are parked.
    async fn flap(&self, end: Instant) -> Result<usize> {
        let gone = end - FAULTS / 2..end - FAULTS / 4;
        let mut flaps = 0;
        while Instant::now() < end {
            let pair = if gone.contains(&Instant::now()) { [503, 503] } else { [503, 200] };
            self.receiver.answer("/flapping", (0..OWED).map(|n| Answer::status(pair[n % 2])));
            sleep(FLAP).await;
            self.receiver.answer("/flapping", [Answer::status(pair[1])]);
            sleep(FLAP).await;
            flaps += 1;
        }
        Ok(flaps)
    }

    /// Resumes the destinations, like an owner who does not wait for the next probe.
    async fn mend_receiver(&self) -> Result<()> {
        self.receiver.answer("/flapping", [Answer::status(200)]);
        for id in self.destinations.keys() {
            self.customer.post(&format!("/v1/destinations/{id}/resume"), &json!({})).await?.expect_status(200)?;
        }
        Ok(())
    }

    async fn await_closed_ledger(&self) -> Result<()> {
        let mut told = Instant::now();
        let mut last = Value::Null;
        let closed = eventually("the ledger to close with everything delivered", LIMIT, async || {
            // More often than the schedule's once a minute, so that the test takes less time. A run that gives up a
            // step because the machine is too slow returns an error, and the next one continues.
            if let Err(failure) = function::run_redrive(&self.deployment).await {
                eprintln!("{failure:?}");
            }
            sleep(Duration::from_secs(2)).await;
            // A request may fail as well.
            let ledger = match closed_ledger::read(&self.customer).await {
                Ok(ledger) => ledger,
                Err(failure) => {
                    eprintln!("{failure:?}");
                    return Ok(None);
                }
            };
            let count = |name: &str| ledger[name].as_u64().unwrap_or_default();
            if told.elapsed() > Duration::from_secs(20) {
                eprintln!("{ledger}");
                told = Instant::now();
            }
            let everything = u64::try_from(OWED).unwrap_or_default();
            let closes = ledger["closes"] == true
                && count("accepted") == count("unmatched") + count("matched")
                && count("owed") == closed_ledger::STATES.iter().map(|state| count(state)).sum::<u64>();
            last = ledger.clone();
            Ok((closes && count("owed") == everything && count("delivered") == everything).then_some(()))
        });
        closed.await.map_err(|failure| Failure::new(format!("{failure}; it is {last}")))
    }

    /// The numbers of the API's ledger, added up over all pages.
    /// Checks that the table agrees with the API, and returns how many deliveries the audit recovered.
    async fn assert_table(&self) -> Result<usize> {
        let ledger = self.deployment.ledger(self.customer.account()).await?;
        let states: BTreeMap<_, _> = ledger.deliveries.iter().map(|(state, all)| (state.as_str(), all.len())).collect();
        assert_eq!((ledger.owed, states), (OWED, BTreeMap::from([("delivered", OWED)])));
        let prefix = format!("D#{}#", self.customer.account());
        let rows = self.deployment.rows().await?;
        let is_delivery = |row: &harness::ledger::Item| {
            row.get("pk").and_then(|pk| pk.as_s().ok()).is_some_and(|pk| pk.starts_with(&prefix))
        };
        let recovered = |row: &&harness::ledger::Item| {
            row.get("recovered_by_audit").and_then(|value| value.as_bool().ok()).is_some_and(|value| *value)
        };
        Ok(rows.iter().filter(|row| is_delivery(row)).filter(recovered).count())
    }

    /// Checks that every receiver got and accepted every event, under the id that the ledger has for it.
    async fn assert_receivers_logs(&self, requests: &[Received]) -> Result<()> {
        let mut owed: BTreeSet<(&str, String, String)> = BTreeSet::new();
        for delivery in self.customer.list("/v1/ledger/deliveries?limit=100").await? {
            let text = |field: &str| delivery[field].as_str().unwrap_or_default().to_owned();
            assert_eq!(delivery["status"], "delivered");
            owed.insert((self.destinations[&text("destination_id")], text("event_id"), text("id")));
        }
        let mut arrived = BTreeSet::new();
        for request in requests {
            assert_eq!(request.verified, Ok(()), "{}", request.summary());
            if request.answered == Some(200) {
                let path = PATHS.into_iter().find(|path| *path == request.path).unwrap_or("elsewhere");
                arrived.insert((path, request.event_id(), request.delivery_id().to_owned()));
            }
        }
        let missing: Vec<_> = owed.difference(&arrived).take(10).collect();
        assert!(missing.is_empty(), "owed and never arrived: {missing:?}");
        let unknown: Vec<_> = arrived.difference(&owed).take(10).collect();
        assert!(unknown.is_empty(), "arrived and never owed: {unknown:?}");
        // Everything that was pushed must be owed.
        let pushed = |path| (0..EVENTS).map(move |n| (path, format!("evt-{n}")));
        let pushed: BTreeSet<_> = PATHS.into_iter().flat_map(pushed).collect();
        let accepted: BTreeSet<_> = arrived.iter().map(|(path, event, _)| (*path, event.clone())).collect();
        assert_eq!((accepted.len(), arrived.len()), (OWED, OWED), "every event has one id at every receiver");
        assert!(accepted == pushed, "what arrived is what was pushed");
        Ok(())
    }
}
