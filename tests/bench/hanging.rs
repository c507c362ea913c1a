//! Measures how much one destination that hangs for 30 s on every request delays 99 others.
//!
//! There are three rounds at the same steady pace, with the hanging destination only in the second. The local AWS can
//! keep up with that pace. Every round measures the other 99 destinations only.

use std::collections::HashMap;
use std::time::Duration;

use harness::api_client::{Customer, NewSubscription};
use harness::eventually::eventually;
use harness::producer::fresh_sample;
use harness::receiver::{Answer, Receiver};
use harness::unique::unique;
use harness::{Deployment, Result};
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::percentile;

const DESTINATIONS: usize = 100;
/// The number of events in one round.
const EVENTS: usize = 25;
/// The time between two events, each of which is owed to every destination.
const EVERY: Duration = Duration::from_millis(2_000);
/// How many events are pushed beforehand, so that the functions have started.
const WARM_UP: usize = 5;
const HANGS: Duration = Duration::from_secs(30);
/// When the last request to the hanging destination has timed out, which takes 15 s.
const TIMED_OUT: Duration = Duration::from_secs(16);
const LIMIT: Duration = Duration::from_secs(120);
/// The greatest allowed ratio of the p99 with the hanging destination to the p99 without it.
const MOST: f64 = 2.0;
const HANGING: &str = "/0";

struct World<'d> {
    deployment: &'d Deployment,
    customer: Customer,
    receiver: Receiver,
    hanging: String,
    its_subscription: String,
}

/// Returns whether the others are served nearly as well.
pub(crate) async fn measure(deployment: &Deployment) -> Result<bool> {
    let world = set_up(deployment).await?;
    world.round(WARM_UP, Duration::from_millis(1)).await?;
    println!("{DESTINATIONS} destinations, one event every {} ms to each, {EVENTS} a round:", EVERY.as_millis());
    let mut without = world.round(EVENTS, EVERY).await?;
    show("without it", &without);

    world.receiver.answer(HANGING, [Answer::status(200).after(HANGS)]);
    let before = world.receiver.requests_below(HANGING).len();
    let mut with = world.round(EVENTS, EVERY).await?;
    show("one hangs", &with);
    let requests = world.receiver.requests_below(HANGING).len() - before;
    let destination = world.customer.get(&format!("/v1/destinations/{}", world.hanging)).await?.expect_status(200)?;
    println!(
        "               (it got {requests} requests, and is {} now)",
        destination["health"].as_str().unwrap_or("?")
    );

    world.take_it_out().await?;
    let again = world.round(EVENTS, EVERY).await?;
    show("without it", &again);
    without.extend(again);

    let (p99_without, p99_with) = (percentile(&mut without, 99), percentile(&mut with, 99));
    let ratio = p99_with / p99_without;
    let is_within = ratio <= MOST;
    println!(
        "the others' p99: {p99_with:.0} ms with it, {p99_without:.0} ms without: {ratio:.2} times; at most {MOST}: {}\n",
        crate::verdict(is_within)
    );
    Ok(is_within)
}

async fn set_up(deployment: &Deployment) -> Result<World<'_>> {
    let customer = deployment.operator()?.register(&unique("hanging")).await?;
    let receiver = Receiver::start().await?;
    let mut first = None;
    for number in 0..DESTINATIONS {
        let path = format!("/{number}");
        let created = customer.create_destination(&path, &receiver.url(&path)).await?;
        receiver.expect_secret(&path, &created.secret);
        let subscription = customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
        first.get_or_insert((created.id, subscription));
    }
    let (hanging, its_subscription) = first.unwrap_or_default();
    Ok(World { deployment, customer, receiver, hanging, its_subscription })
}

impl World<'_> {
    /// Pushes events at a pace, waits until all have arrived at all others, and returns the milliseconds that each
    /// delivery took.
    async fn round(&self, events: usize, every: Duration) -> Result<Vec<f64>> {
        let mut pushed: HashMap<String, OffsetDateTime> = HashMap::new();
        let seen = self.receiver.requests().len();
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..events {
            ticks.tick().await;
            let event = fresh_sample("demo-sync-run-succeeded", self.customer.account())?;
            pushed.insert(event["id"].as_str().unwrap_or_default().to_owned(), OffsetDateTime::now_utc());
            self.deployment.producer().push(&event).await?;
        }
        eventually("every event at every other destination", LIMIT, async || {
            let took = self.first_arrivals(seen, &pushed);
            Ok((took.len() == events * (DESTINATIONS - 1)).then_some(took))
        })
        .await
    }

    /// The milliseconds from each push to the first arrival at each of the others.
    fn first_arrivals(&self, seen: usize, pushed: &HashMap<String, OffsetDateTime>) -> Vec<f64> {
        let mut first: HashMap<(String, String), f64> = HashMap::new();
        for request in self.receiver.requests().into_iter().skip(seen).filter(|request| request.path != HANGING) {
            let event = request.event_id();
            if let Some(at) = pushed.get(&event) {
                let took = (request.arrived_at - *at).as_seconds_f64() * 1_000.0;
                first.entry((request.path, event)).or_insert(took);
            }
        }
        first.into_values().collect()
    }

    /// Deletes the hanging destination, and waits until its last requests have ended.
    async fn take_it_out(&self) -> Result<()> {
        self.receiver.answer(HANGING, [Answer::status(200)]);
        for path in [format!("subscriptions/{}", self.its_subscription), format!("destinations/{}", self.hanging)] {
            self.customer.delete(&format!("/v1/{path}")).await?.expect_status(204)?;
        }
        sleep(TIMED_OUT).await;
        Ok(())
    }
}

fn show(what: &str, took: &[f64]) {
    let mut took = took.to_vec();
    let [p50, p99, most] = [50, 99, 100].map(|percent| percentile(&mut took, percent));
    println!("  {what:<11}  p50 {p50:>6.0} ms   p99 {p99:>6.0} ms   most {most:>6.0} ms   ({} deliveries)", took.len());
}
