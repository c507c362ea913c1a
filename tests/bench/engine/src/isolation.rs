//! How much one destination that hangs delays 99 others. Each event is owed to all of them, at a steady pace; instances of
//! `deliver` get the deliveries in batches. After some practice there are two rounds, and in the second one a destination never
//! answers: its attempts last until they time out, and hold their instances, until its breaker opens.
//!
//! A delivery takes from the moment when it is in the queue until its request is at the receiver.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::Result;
use crate::account::Account;
use crate::batches::batch;
use crate::fleet::Fleet;
use crate::stats::percentile;
use crate::world::World;

const DESTINATIONS: usize = 100;
/// Events of the practice and of both rounds. In the second one, attempts last for 15 s, have to fail for another 10 s until the
/// breaker opens, and instances remember for 5 s that it was closed.
const PRACTICE: usize = 10;
const WITHOUT: usize = 40;
const WITH: usize = 72;
const EVERY: Duration = Duration::from_millis(500);
/// By then all has arrived.
const SETTLED: Duration = Duration::from_secs(2);
/// `DeliverConcurrency`, as the template sets it.
const INSTANCES: usize = 100;
const BYTES: usize = 1_024;
const HORIZON_SECONDS: u32 = 3_600;

/// The deliveries of a round to the 99.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Round {
    pub(crate) deliveries: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) most_ms: f64,
    /// Of those that were in no instance's first batch.
    pub(crate) warm_p99_ms: f64,
    /// Instances of `deliver` that started in the round, and the most that were at work at once.
    pub(crate) started: usize,
    pub(crate) most_at_work: usize,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Isolation {
    pub(crate) without: Round,
    pub(crate) with: Round,
    /// Of the deliveries to the one that hangs, those that were attempted. The others were parked.
    pub(crate) attempted: usize,
    pub(crate) parked: usize,
}

impl Isolation {
    pub(crate) fn times(&self) -> f64 {
        self.with.p99_ms / self.without.p99_ms
    }
}

struct Delivery {
    id: String,
    message: String,
    /// Whether its destination is the one that hangs.
    hangs: bool,
}

pub(crate) async fn measure(world: &World) -> Result<Isolation> {
    eprintln!("measuring how one of {DESTINATIONS} destinations that hangs delays the others …");
    let account = Account::http(DESTINATIONS);
    let mut world = world.beside("isolation", HORIZON_SECONDS).await?;
    world.create(&[account]).await?;
    let events = deliveries(&mut world, account).await?;
    let (practice, rounds) = events.split_at(PRACTICE);
    let (first, second) = rounds.split_at(WITHOUT);
    let mut fleet = Fleet::new(&world, "deliver", INSTANCES);
    world.receivers.counters.note_arrivals();
    round(&world, &mut fleet, practice).await?;
    let without = round(&world, &mut fleet, first).await?;
    world.receivers.counters.hang(0);
    let with = round(&world, &mut fleet, second).await?;
    world.aws.check()?;
    let its = second.iter().flatten().filter(|delivery| delivery.hangs);
    let attempted = its.filter(|delivery| world.receivers.counters.arrival(&delivery.id).is_some()).count();
    if attempted == 0 || attempted == WITH {
        return Err(format!("of {WITH} deliveries to the one that hangs, {attempted} were attempted").into());
    }
    Ok(Isolation { without, with, attempted, parked: WITH - attempted })
}

/// What `fanout` sends for each event.
async fn deliveries(world: &mut World, account: Account) -> Result<Vec<Vec<Delivery>>> {
    let hangs = world.ids.first().cloned().ok_or("an account without destinations")?;
    let events = world.events(&account.id(), BYTES, PRACTICE + WITHOUT + WITH)?;
    let mut fanout = world.start("fanout").await?;
    let mut all = Vec::with_capacity(events.len());
    world.aws.keep_messages(true);
    for event in events {
        fanout.invoke(batch(&[event])?).await?;
        let messages = world.aws.take_messages();
        if messages.len() != DESTINATIONS {
            return Err(format!("an event made {} deliveries", messages.len()).into());
        }
        let delivery = |message: String| -> Result<Delivery> {
            let read: Value = serde_json::from_str(&message)?;
            let text = |name: &str| read["delivery"][name].as_str().unwrap_or_default().to_owned();
            Ok(Delivery { id: text("id"), hangs: text("destination") == hangs, message })
        };
        all.push(messages.into_iter().map(delivery).collect::<Result<_>>()?);
    }
    world.aws.keep_messages(false);
    fanout.end().await?;
    Ok(all)
}

async fn round(world: &World, fleet: &mut Fleet, events: &[Vec<Delivery>]) -> Result<Round> {
    let (begun, started) = (Instant::now(), fleet.started);
    fleet.most_at_work = 0;
    let (mut sent, mut next) = (Vec::with_capacity(events.len()), begun);
    for deliveries in events {
        fleet.work_until(next).await?;
        sent.push(Instant::now());
        fleet.send(deliveries.iter().map(|delivery| delivery.message.clone()))?;
        next += EVERY;
    }
    fleet.work_until(next + SETTLED).await?;
    let (mut took, mut in_warm) = (Vec::new(), Vec::new());
    for (deliveries, sent) in events.iter().zip(sent) {
        for delivery in deliveries.iter().filter(|delivery| !delivery.hangs) {
            let arrived = world.receivers.counters.arrival(&delivery.id);
            let arrived = arrived.ok_or("a delivery to a destination that does not hang has not arrived")?;
            let ms = (arrived - sent).as_secs_f64() * 1_000.0;
            took.push(ms);
            if !fleet.waited_for_a_start(&delivery.message) {
                in_warm.push(ms);
            }
        }
    }
    let [p50_ms, p99_ms, most_ms] = [50, 99, 100].map(|percent| percentile(&took, percent));
    let warm_p99_ms = percentile(&in_warm, 99);
    let (started, most_at_work) = (fleet.started - started, fleet.most_at_work);
    Ok(Round { deliveries: took.len(), p50_ms, p99_ms, most_ms, warm_p99_ms, started, most_at_work })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_neighbour_costs_is_told_by_the_slowest_in_a_hundred() {
        let round = |p50_ms, p99_ms| Round {
            deliveries: 1,
            warm_p99_ms: p50_ms,
            p50_ms,
            p99_ms,
            most_ms: 90.0,
            started: 0,
            most_at_work: 1,
        };
        let isolation = Isolation { without: round(5.0, 10.0), with: round(5.0, 15.0), attempted: 1, parked: 1 };
        assert!((isolation.times() - 1.5).abs() < 1e-9);
    }
}
