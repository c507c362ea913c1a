//! Measures how long the `portal` function takes for each page, by its own `server-timing`, in an account that just
//! fills the pages and in one with 1,000 destinations and 100,000 deliveries. The time must not grow with the account.
//!
//! The adapters write the rows, and nothing is delivered. The queries of the table they are in read no more than they
//! return (see [`tests::indexed_table`]).

use std::sync::Arc;
use std::time::Duration;

use adapters::{AwsClients, DynamoStore, SystemClock};
use domain::attempt::Attempt;
use domain::attempt::Outcome;
use domain::delivery::{Delivery, DeliveryRecord, End, Held};
use domain::destination::{Destination, Health};
use domain::event::{Event, envelope};
use domain::value::horizon::NOTES_KEPT;
use domain::value::{AccountId, DestinationId, Horizon, Timestamp};
use futures_util::{StreamExt, TryStreamExt, stream};
use harness::api_client::{Customer, NewSubscription};
use harness::deploy::HORIZON_SECONDS;
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::unique::unique;
use harness::{Deployment, Result};
use ports::{Clock, Deliveries, Destinations, Events, SealNote, SealNotes, SealedEvent};
use serde_json::json;
use tests::function;
use tests::indexed_table::IndexedTable;

use crate::visitor::Visitor;

/// How many destinations and events an account has. Each event owes [`FAN_OUT`] deliveries.
struct Size {
    destinations: u32,
    events: u32,
}

const SMALL: Size = Size { destinations: 25, events: 1_000 };
const LARGE: Size = Size { destinations: 1_000, events: 25_000 };
const FAN_OUT: u32 = 4;
/// How many rows are written at once.
const AT_ONCE: usize = 32;
/// How many times each page is requested. The median counts.
const TIMES: usize = 15;
/// The greatest allowed ratio of a page's time in the large account to that in the small one.
const MOST: f64 = 2.0;
/// Differences of up to this, in milliseconds, are noise of the local AWS.
const NOISE: f64 = 3.0;
/// How long `redrive` may take to look through everything.
const ADDING_UP: Duration = Duration::from_secs(600);

/// Returns whether no page takes much longer in the large account, and none has 50 KB of HTML.
pub(crate) async fn measure(deployment: &Deployment) -> Result<bool> {
    let table = IndexedTable::of_pages(deployment).await?;
    let measured = measure_on(deployment, &table).await;
    table.put_back().await?;
    measured
}

async fn measure_on(deployment: &Deployment, table: &IndexedTable) -> Result<bool> {
    let small = Pages::of(deployment, table, SMALL).await?;
    let large = Pages::of(deployment, table, LARGE).await?;
    add_up(deployment, &[&small, &large]).await?;
    println!(
        "pages of the portal, in ms of the function itself (median of {TIMES}), with {} destinations and {} deliveries, and with {} and {}:",
        SMALL.destinations,
        SMALL.events * FAN_OUT,
        LARGE.destinations,
        LARGE.events * FAN_OUT
    );
    let mut all = true;
    for (name, in_small, in_large) in small.paths.iter().zip(&large.paths).map(|((name, s), (_, l))| (name, s, l)) {
        let (fast, slow) = (small.time(in_small).await?, large.time(in_large).await?);
        let ratio = slow.ms / fast.ms;
        let is_within = (ratio <= MOST || slow.ms - fast.ms <= NOISE) && slow.bytes < 50_000;
        all &= is_within;
        println!(
            "  {name:<16} {:>6.1} {:>6.1}  {ratio:.2} times, {:>5.1} KB of HTML: {}",
            fast.ms,
            slow.ms,
            slow.bytes as f64 / 1_000.0,
            crate::verdict(is_within)
        );
    }
    println!();
    Ok(all)
}

/// An account with its pages.
struct Pages {
    visitor: Visitor,
    /// The pages by name.
    paths: Vec<(&'static str, String)>,
    customer: Customer,
    /// A destination with deliveries.
    destination: String,
}

struct Timed {
    ms: f64,
    bytes: usize,
}

impl Pages {
    async fn of(deployment: &Deployment, table: &IndexedTable, size: Size) -> Result<Self> {
        let operator = deployment.operator()?;
        let customer = operator.register(&unique("pages")).await?;
        let (destination, delivery, event) = fill(table, &customer, size).await?;
        customer.subscribe(&NewSubscription::to_everything(&destination)).await?;
        let visitor = Visitor::of(deployment, &customer).await?;
        let paths = vec![
            ("wizard", "/configure".to_owned()),
            ("where to", "/configure?step=where&scope=*&type=sync_run.completed".to_owned()),
            ("destinations", "/destinations".to_owned()),
            ("a destination", format!("/destinations/{destination}")),
            ("its settings", format!("/destinations/{destination}/edit")),
            ("subscriptions", "/subscriptions".to_owned()),
            ("deliveries", "/deliveries".to_owned()),
            ("a delivery", format!("/deliveries/{delivery}")),
            ("events", "/events".to_owned()),
            ("an event", format!("/events/{event}")),
            ("ledger", "/ledger".to_owned()),
            ("sessions", "/sessions".to_owned()),
        ];
        Ok(Self { visitor, paths, customer, destination })
    }

    /// How long a warm function takes for a page, in milliseconds.
    async fn time(&self, path: &str) -> Result<Timed> {
        self.ask(path).await?;
        let mut times = Vec::new();
        for _ in 0..TIMES {
            times.push(self.ask(path).await?);
        }
        times.sort_by(|a, b| a.ms.total_cmp(&b.ms));
        Ok(times.swap_remove(TIMES / 2))
    }

    async fn ask(&self, path: &str) -> Result<Timed> {
        let problem = || format!("cannot get {path}");
        let answer = self.visitor.get(path).await?;
        let timing = answer.headers().get("server-timing").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let ms = timing.rsplit('=').next().and_then(|ms| ms.parse().ok()).or_failure(problem)?;
        let bytes = answer.bytes().await.or_failure(problem)?.len();
        Ok(Timed { ms, bytes })
    }
}

/// Runs `redrive` over the sealed events until the destinations of both accounts have statistics.
async fn add_up(deployment: &Deployment, pages: &[&Pages]) -> Result<()> {
    eprintln!("redrive looks through what was sealed ...");
    for one in pages {
        let path = format!("/v1/destinations/{}/stats", one.destination);
        eventually("a destination's statistics", ADDING_UP, async || {
            function::run_redrive(deployment).await?;
            let stats = one.customer.get(&path).await?.expect_status(200)?;
            Ok(stats["delivered"].as_u64().is_some_and(|count| count > 0).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Fills an account, and returns a destination, a delivery and an event of it.
async fn fill(table: &IndexedTable, customer: &Customer, size: Size) -> Result<(String, String, String)> {
    let there = table.deployment();
    let store = DynamoStore::new(&AwsClients::from_config(there.table_config()), there.outputs.table_name.clone());
    let store = Arc::new(store);
    let account: AccountId = customer.account().parse().or_failure(|| "the account has no id")?;
    let now = SystemClock.now();
    let ids: Vec<DestinationId> = (0..size.destinations).map(numbered).collect();
    let created =
        stream::iter(ids.iter().enumerate()).map(Ok).try_for_each_concurrent(AT_ONCE, |(n, id)| {
            let (store, destination) = (store.clone(), destination(account.clone(), id.clone(), n, now));
            async move {
                store.create_destination(&destination?, u32::MAX).await.map(drop).or_failure(|| "cannot create it")
            }
        });
    created.await?;
    let sealed = stream::iter(0..size.events).map(|n| {
        let (store, account, ids) = (store.clone(), account.clone(), &ids);
        async move { owe(&store, account, ids, n, now).await }
    });
    let mut sealed = sealed.buffer_unordered(AT_ONCE);
    let (mut last, mut count) = (None, 0_u32);
    while let Some(pair) = sealed.try_next().await? {
        last = Some(pair);
        count += 1;
        if count.is_multiple_of(5_000) {
            eprintln!("{count} of {} events are in the table ...", size.events);
        }
    }
    let (delivery, event) = last.or_failure(|| "an account without events")?;
    Ok((ids[0].to_string(), delivery, event))
}

fn numbered(n: u32) -> DestinationId {
    let mut entropy = [0; 10];
    entropy[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
    DestinationId::from_entropy(entropy)
}

fn destination(account: AccountId, id: DestinationId, n: usize, now: Timestamp) -> Result<Destination> {
    let settings = json!({"name": format!("Receiver {n}"), "url": format!("https://receiver-{n}.example/hooks")});
    let settings = serde_json::from_value(settings).or_failure(|| "wrong settings")?;
    let health = Health::default();
    Ok(Destination { id, account, settings, secrets: vec![], created_at: now, updated_at: now, version: 1, health })
}

/// Seals event number `n`, one second older than the previous one, with [`FAN_OUT`] delivered deliveries.
async fn owe(
    store: &DynamoStore,
    account: AccountId,
    destinations: &[DestinationId],
    n: u32,
    now: Timestamp,
) -> Result<(String, String)> {
    let problem = || "cannot write rows";
    let at = Timestamp::from_unix_ms(now.unix_ms() - u64::from(n) * 1_000);
    let event_type = "sync_run.completed".parse().or_failure(problem)?;
    let event = Event::sample(event_type, None, account.clone(), at).or_failure(problem)?;
    let event = Event { id: format!("evt-{n}").parse().or_failure(problem)?, ..event };
    let body = envelope::build(&event).or_failure(problem)?.get().to_owned();
    let to = (0..FAN_OUT).map(|k| destinations[(n * FAN_OUT + k) as usize % destinations.len()].clone());
    let owed: Vec<Delivery> = to.map(|destination| Delivery::of_event(&event, destination, None)).collect();
    let expires_at = now.plus(Duration::from_secs(30 * 86_400));
    for delivery in &owed {
        let outcome = Outcome::Delivered { status: 200 };
        let attempt = Attempt { number: 1, at, took: Duration::from_millis(80), outcome, probe: false };
        let first = DeliveryRecord::first(delivery.clone(), Held::ended(End::Delivered), expires_at);
        let record = DeliveryRecord { attempts: vec![attempt].into(), ..first };
        store.create_delivery(&record).await.or_failure(problem)?;
    }
    let (id, delivery) = (event.id.to_string(), owed[0].id.to_string());
    let sealed = SealedEvent {
        account,
        id: event.id,
        event_type: event.event_type,
        scope: event.scope,
        occurred_at: at,
        sealed_at: now,
        digest: envelope::content_digest(&body),
        body,
        owed,
        traceparent: None,
        unmatched: None,
        expires_at,
    };
    let stretches = HORIZON_SECONDS.parse::<Horizon>().or_failure(problem)?.stretches();
    let note = SealNote {
        sealed: stretches.of(sealed.sealed_at),
        account: sealed.account.clone(),
        occurred: stretches.of(sealed.occurred_at),
    };
    store.note_seal(&note, now.plus(NOTES_KEPT)).await.or_failure(problem)?;
    store.seal_event(&sealed).await.or_failure(problem)?;
    Ok((delivery, id))
}
