//! Measures how an account does beside a hostile one: five minutes alone, then five minutes beside an account that asks
//! for far more than its budget, tests a destination that never answers and keeps resuming it, looks at its page, and
//! posts events that are owed to receivers which hang, fail and break connections off.
//!
//! The local AWS runs everything on this machine's processors, also the hostile account, and answers about twenty
//! requests a second. So the budgets are a quarter of the default, and the hostile account asks for three times as
//! much: the machine's own speed must not decide the result. The processor load is printed too. The table reads only
//! what it returns (see `tests::indexed_table`); the local AWS's own table blocks everybody while it sorts.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use harness::api_client::{Customer, NewSubscription};
use harness::eventually::eventually;
use harness::producer::fresh_sample;
use harness::receiver::{Answer, Receiver};
use harness::unique::unique;
use harness::{Deployment, Result};
use http::Method;
use serde_json::{Value, json};
use tests::function;
use tests::indexed_table::IndexedTable;
use time::OffsetDateTime;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::percentile;
use crate::visitor::Visitor;

const SAMPLE: &str = "demo-sync-run-succeeded";
/// How long each of the two rounds lasts.
const ROUND: Duration = Duration::from_secs(300);
/// How long the functions are warmed up.
const WARM_UP: Duration = Duration::from_secs(10);
/// The account's own pace: of events, and of requests.
const EVERY: Duration = Duration::from_millis(500);
/// The units and the events that an account has each second.
const BUDGET: u32 = 25;
const BUDGETS: [&str; 2] = ["ACCOUNT_UNITS_PER_SECOND", "ACCOUNT_EVENTS_PER_SECOND"];
/// How many instances of `fanout` and `deliver` may be busy: the template's defaults. A local run otherwise has fewer.
const CONCURRENCY: [u64; 2] = [20, 100];
/// The hostile account's pace: of requests, of tests, of looks at its page, and of events.
const ASKS: Duration = Duration::from_millis(250);
const TESTS: Duration = Duration::from_secs(2);
const LOOKS: Duration = Duration::from_secs(1);
const POSTS: Duration = Duration::from_secs(1);
/// How often it resumes the destination that hangs, so that its breaker never stays open.
const RESUMES: Duration = Duration::from_secs(5);
/// How many requests of it may be under way at once.
const UNDER_WAY: usize = 10;
const HANGS: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(120);
/// The greatest allowed ratio of the p99 beside the hostile account to the p99 alone.
const MOST: f64 = 1.5;

/// Milliseconds.
#[derive(Default)]
struct Took {
    answers: Vec<f64>,
    arrivals: Vec<f64>,
}

/// Returns whether the account is hardly affected.
pub(crate) async fn measure(deployment: &Deployment) -> Result<bool> {
    let table = IndexedTable::of_all(deployment).await?;
    let before = set_budgets(deployment, [BUDGET.to_string(), BUDGET.to_string()]).await?;
    let bounds = set_concurrency(deployment, CONCURRENCY).await?;
    let result = side_by_side(deployment).await;
    set_concurrency(deployment, bounds).await?;
    set_budgets(deployment, before).await?;
    table.put_back().await?;
    result
}

/// Sets how many instances of `fanout` and `deliver` may be busy, and returns the previous number.
async fn set_concurrency(deployment: &Deployment, [fanout, deliver]: [u64; 2]) -> Result<[u64; 2]> {
    let outputs = &deployment.outputs;
    Ok([
        function::set_concurrency(deployment, &outputs.fanout_function_name, fanout).await?,
        function::set_concurrency(deployment, &outputs.deliver_function_name, deliver).await?,
    ])
}

/// Sets both budgets, and returns the previous ones.
async fn set_budgets(deployment: &Deployment, to: [String; 2]) -> Result<[String; 2]> {
    let mut before = <[String; 2]>::default();
    for function in [&deployment.outputs.api_function_name, &deployment.outputs.portal_function_name] {
        for ((name, to), before) in BUDGETS.iter().zip(&to).zip(&mut before) {
            *before = function::variable(deployment, function, name).await?;
            function::set_variable(deployment, function, name, Some(to)).await?;
        }
    }
    Ok(before)
}

async fn side_by_side(deployment: &Deployment) -> Result<bool> {
    let receiver = Receiver::start().await?;
    let account = Account::new(deployment, &receiver).await?;
    let hostile = Hostile::new(deployment, &receiver).await?;
    account.round(deployment, WARM_UP).await?;
    println!("an account with two events and two requests a second, each round {} s:", ROUND.as_secs());
    let busy = Busy::of(deployment)?;
    let mut alone = account.round(deployment, ROUND).await?;
    show("alone", &mut alone, busy.share(deployment)?);
    let (busy, until) = (Busy::of(deployment)?, Instant::now() + ROUND);
    let (beside, ()) = tokio::join!(account.round(deployment, ROUND), hostile.rage(until));
    let mut beside = beside?;
    show("beside", &mut beside, busy.share(deployment)?);
    println!("  the hostile account was answered {:?}", hostile.answered.borrow());
    println!("  and its receivers got {} requests", receiver.requests_below("/hostile").len());
    let refused = hostile.answered.borrow().get(&429).copied().unwrap_or_default();
    let mut is_within = refused > 0;
    for (what, beside, alone) in
        [("answers", &mut beside.answers, &mut alone.answers), ("arrivals", &mut beside.arrivals, &mut alone.arrivals)]
    {
        let ratio = percentile(beside, 99) / percentile(alone, 99);
        is_within &= ratio <= MOST;
        println!("  p99 of {what}: {ratio:.2} times; at most {MOST}: {}", crate::verdict(ratio <= MOST));
    }
    println!();
    Ok(is_within)
}

/// How much processor time the processes of the local AWS, including functions, have used.
struct Busy {
    since: Instant,
    used: Duration,
}

impl Busy {
    fn of(deployment: &Deployment) -> Result<Self> {
        Ok(Self { since: Instant::now(), used: function::processor_time(deployment)? })
    }

    /// Of one processor, since then.
    fn share(&self, deployment: &Deployment) -> Result<f64> {
        let used = function::processor_time(deployment)?.saturating_sub(self.used);
        Ok(used.as_secs_f64() / self.since.elapsed().as_secs_f64())
    }
}

fn show(what: &str, took: &mut Took, busy: f64) {
    println!("  {what}: the local AWS used {:.0} % of one processor", busy * 100.0);
    for (of, values) in [("answers", &mut took.answers), ("arrivals", &mut took.arrivals)] {
        let [p50, p99, most] = [50, 99, 100].map(|percent| percentile(values, percent));
        println!(
            "  {what:<7} {of:<9} p50 {p50:>5.0} ms   p99 {p99:>5.0} ms   most {most:>5.0} ms   ({})",
            values.len()
        );
    }
}

struct Account<'r> {
    customer: Customer,
    receiver: &'r Receiver,
    subscription: String,
}

impl<'r> Account<'r> {
    async fn new(deployment: &Deployment, receiver: &'r Receiver) -> Result<Self> {
        let customer = deployment.operator()?.register(&unique("quiet")).await?;
        let created = customer.create_destination("quiet", &receiver.url("/quiet")).await?;
        receiver.expect_secret("/quiet", &created.secret);
        let subscription = customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
        Ok(Self { customer, receiver, subscription })
    }

    /// Pushes events and asks at its pace.
    async fn round(&self, deployment: &Deployment, lasts: Duration) -> Result<Took> {
        let until = Instant::now() + lasts;
        let (answers, arrivals) = tokio::try_join!(self.ask(until), self.push(deployment, until))?;
        Ok(Took { answers, arrivals })
    }

    async fn ask(&self, until: Instant) -> Result<Vec<f64>> {
        let paths = [
            "/v1/destinations".to_owned(),
            format!("/v1/subscriptions/{}", self.subscription),
            "/v1/events?limit=10".to_owned(),
            "/v1/ledger/deliveries?limit=10".to_owned(),
        ];
        let (mut took, mut ticks) = (Vec::new(), ticks(EVERY));
        for path in paths.iter().cycle() {
            ticks.tick().await;
            let began = Instant::now();
            if began >= until {
                break;
            }
            self.customer.get(path).await?.expect_status(200)?;
            took.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(took)
    }

    async fn push(&self, deployment: &Deployment, until: Instant) -> Result<Vec<f64>> {
        let mut pushed: HashMap<String, OffsetDateTime> = HashMap::new();
        let mut ticks = ticks(EVERY);
        while Instant::now() < until {
            ticks.tick().await;
            let event = fresh_sample(SAMPLE, self.customer.account())?;
            pushed.insert(event["id"].as_str().unwrap_or_default().to_owned(), OffsetDateTime::now_utc());
            deployment.producer().push(&event).await?;
        }
        eventually("every event of the account", PATIENCE, async || {
            let mut took: HashMap<String, f64> = HashMap::new();
            for request in self.receiver.requests_below("/quiet") {
                let event = request.event_id();
                if let Some(at) = pushed.get(&event) {
                    took.entry(event).or_insert((request.arrived_at - *at).as_seconds_f64() * 1_000.0);
                }
            }
            Ok((took.len() == pushed.len()).then(|| took.into_values().collect()))
        })
        .await
    }
}

struct Hostile {
    customer: Customer,
    page: Visitor,
    hanging: String,
    /// How many requests were answered with each status.
    answered: RefCell<BTreeMap<u16, usize>>,
    under_way: Cell<usize>,
}

impl Hostile {
    async fn new(deployment: &Deployment, receiver: &Receiver) -> Result<Self> {
        let customer = deployment.operator()?.register(&unique("hostile")).await?;
        let mut hanging = String::new();
        for path in ["/hostile/good", "/hostile/failing", "/hostile/breaking", "/hostile/hanging"] {
            let created = customer.create_destination(path, &receiver.url(path)).await?;
            receiver.expect_secret(path, &created.secret);
            customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
            hanging = created.id;
        }
        receiver.answer("/hostile/failing", [Answer::status(500)]);
        receiver.answer("/hostile/breaking", [Answer::close()]);
        receiver.answer("/hostile/hanging", [Answer::status(200).after(HANGS)]);
        let page = Visitor::of(deployment, &customer).await?;
        Ok(Self { customer, page, hanging, answered: RefCell::default(), under_way: Cell::new(0) })
    }

    async fn rage(&self, until: Instant) {
        let matched = json!({"sample": {"event_type": "sync_run.completed", "status": "failed"}});
        let asks: [(Method, &str, Option<&Value>); 5] = [
            (Method::GET, "/v1/config", None),
            (Method::GET, "/v1/ledger", None),
            (Method::GET, "/v1/ledger/deliveries?limit=100", None),
            (Method::POST, "/v1/subscriptions/match", Some(&matched)),
            (Method::GET, "/v1/destinations?limit=100", None),
        ];
        let test = format!("/v1/destinations/{}/test", self.hanging);
        let nothing = json!({});
        let asking = repeat(ASKS, until, async |n| {
            let (method, path, body) = asks[n % asks.len()].clone();
            self.ask(method, path, body).await;
        });
        let sample = json!({"event_type": "sync_run.completed"});
        let testing = repeat(TESTS, until, async |_| self.ask(Method::POST, &test, Some(&sample)).await);
        let resume = format!("/v1/destinations/{}/resume", self.hanging);
        let resuming = repeat(RESUMES, until, async |_| self.ask(Method::POST, &resume, Some(&nothing)).await);
        let posting = repeat(POSTS, until, async |_| {
            if let Ok(event) = fresh_sample(SAMPLE, self.customer.account()) {
                self.ask(Method::POST, "/v1/events", Some(&event)).await;
            }
        });
        let looking = repeat(LOOKS, until, async |_| {
            // It is refused from time to time.
            let _ = self.page.get("/deliveries").await;
        });
        tokio::join!(asking, testing, resuming, posting, looking);
    }

    /// Asks, unless too many of its requests are running. Errors do not matter here.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) {
        if self.under_way.get() >= UNDER_WAY {
            return;
        }
        self.under_way.set(self.under_way.get() + 1);
        if let Ok(reply) = self.customer.call(method, path, body).await {
            *self.answered.borrow_mut().entry(reply.status).or_default() += 1;
        }
        self.under_way.set(self.under_way.get() - 1);
    }
}

/// Does something at a pace, without waiting for earlier calls. Calls that are still running at the end are given up.
async fn repeat(every: Duration, until: Instant, act: impl AsyncFn(usize)) {
    let (mut ticks, mut under_way) = (ticks(every), FuturesUnordered::new());
    for n in 0.. {
        loop {
            tokio::select! {
                _ = ticks.tick() => break,
                Some(()) = under_way.next() => {}
            }
        }
        if Instant::now() >= until {
            return;
        }
        under_way.push(act(n));
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
