//! A destination is down for three days and owed 50,000 deliveries. It is called only a few times, the queue stays free
//! for other destinations, and when it works again it gets everything at the pace of the drain.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::delivery::DeliveryState;
use domain::destination::Destination;
use domain::value::{Horizon, Timestamp};
use ports::{Accounts, Clock, Destinations, Subscriptions};
use testing::{MemoryStore, account, destination, event_text, subscription};
use tokio::task::JoinSet;

use crate::chaos::{Chaos, Dice, SimClock};
use crate::processes::{Deliver, Ended, Fanout, Redrive, Shared};
use crate::queue::{Message, SimQueue};
use crate::receivers::{Mood, Receivers};
use crate::table::Table;

const EVENTS: u32 = 5_000;
/// How many paths of the destination each event is owed to.
const PLACES: u8 = 10;
const OUTAGE: Duration = Duration::from_secs(3 * 86_400);
/// How many processes of `deliver` run at once, each with batches of up to ten.
const DELIVERS: usize = 20;

struct Outage {
    shared: Arc<Shared>,
    fanout: Fanout,
    delivers: Vec<Deliver>,
    redrive: Redrive,
    destination: Destination,
    most_in_flight: usize,
}

async fn outage() -> Outage {
    let (dice, clock) = (Arc::new(Dice::new(1)), Arc::new(SimClock::new()));
    let (store, acme, horizon) = (Arc::new(MemoryStore::default()), account("acme"), Horizon::default());
    store.create_account(&acme, clock.now()).await.expect("registered");
    let destination = destination(&acme, 1, "https://down.example/");
    store.create_destination(&destination, 10).await.expect("created");
    for n in 0..PLACES {
        let place = subscription(&destination, n, &["*"], "*", Some(&format!("/{n}")));
        store.create_subscription(&place, 100).await.expect("created");
    }
    let receivers = Arc::new(Receivers::unwatched(clock.clone()));
    receivers.set_mood(&destination.id, Mood::Down);
    let table = Table::new(store.clone(), clock.clone(), dice.clone(), Arc::new(AtomicBool::new(true)), 0);
    let shared = Arc::new(Shared {
        events: Arc::new(SimQueue::new(clock.clone(), 0)),
        deliveries: Arc::new(SimQueue::new(clock.clone(), 0)),
        receivers,
        store,
        table: Arc::new(table),
        dice: dice.clone(),
        clock: clock.clone(),
        horizon: Mutex::new(horizon),
        budget: Duration::from_secs(60),
        skew_ms: 0,
        pushed_twice: Arc::default(),
    });
    let chaos = || Chaos::none(dice.clone());
    Outage {
        fanout: Fanout::start(&shared, chaos()),
        delivers: (0..DELIVERS).map(|_| Deliver::start(&shared, chaos())).collect(),
        redrive: Redrive::start(&shared, chaos()),
        destination,
        most_in_flight: 0,
        shared,
    }
}

impl Outage {
    fn push(&self, events: std::ops::Range<u32>) {
        for n in events {
            self.shared.events.send(event_text(&account("acme"), &format!("evt-{n}")), Duration::ZERO, None);
        }
    }

    /// Processes what is visible in both queues.
    async fn work(&mut self) {
        let chance = Chaos::none(self.shared.dice.clone());
        loop {
            let batch = self.shared.events.receive(&chance);
            let worked = !batch.is_empty();
            if worked {
                settle(&self.shared.events, &self.fanout.work(&batch).await, &batch);
            }
            let mut running = JoinSet::new();
            while let Some(process) = self.delivers.pop() {
                let batch = self.shared.deliveries.receive(&chance);
                if batch.is_empty() {
                    self.delivers.push(process);
                    break;
                }
                running.spawn(async move { (process.work(&batch).await, batch, process) });
            }
            self.most_in_flight = self.most_in_flight.max(self.shared.deliveries.in_flight());
            if running.is_empty() && !worked {
                return;
            }
            while let Some(ended) = running.join_next().await {
                let (ended, batch, process) = ended.expect("no process panics");
                settle(&self.shared.deliveries, &ended, &batch);
                self.delivers.push(process);
            }
        }
    }

    /// Continues until `end`, or until nothing is left to do.
    async fn go_on(&mut self, end: Option<Timestamp>) {
        loop {
            self.work().await;
            let now = self.shared.clock.real();
            let looks = self.shared.store.next_look().map(|at| at.max(now.plus(Duration::from_secs(60))));
            let next = [looks, self.shared.deliveries.next_visible(), end.filter(|end| *end > now)];
            let Some(next) = next.into_iter().flatten().min() else { return };
            if end.is_some_and(|end| now >= end) {
                return;
            }
            tokio::time::sleep_until(self.shared.clock.instant(next)).await;
            if looks.is_some_and(|at| at <= self.shared.clock.real()) {
                self.redrive.work().await;
            }
        }
    }

    fn states(&self) -> BTreeMap<&'static str, usize> {
        let mut states = BTreeMap::new();
        for record in self.shared.store.deliveries() {
            *states.entry(record.state().as_str()).or_default() += 1;
        }
        states
    }
}

fn settle(queue: &SimQueue, ended: &Ended, batch: &[Message]) {
    let Ended::Answered(again) = ended else { panic!("nothing goes wrong on our side: {ended:?}") };
    batch.iter().filter(|message| !again.contains(&message.id)).for_each(|message| queue.delete(message));
}

#[tokio::test(start_paused = true)]
async fn three_days_down_with_50_000_owed_costs_few_attempts_and_no_place_in_the_queue_and_all_arrive_after() {
    let mut outage = outage().await;
    let begin = outage.shared.clock.real();
    // Half of it at once, the other half while it is down.
    outage.push(0..EVENTS / 2);
    for part in 0..10 {
        let end = begin.plus(OUTAGE / 10 * (part + 1));
        outage.go_on(Some(end)).await;
        outage.push(EVENTS / 2 + EVENTS / 20 * part..EVENTS / 2 + EVENTS / 20 * (part + 1));
    }
    outage.work().await;
    let owed = usize::try_from(EVENTS).expect("a count") * usize::from(PLACES);
    let waiting = BTreeMap::from([(DeliveryState::Parked.as_str(), owed)]);
    assert_eq!(outage.states(), waiting);
    let attempts = outage.shared.receivers.attempts();
    assert!(attempts < 200, "{attempts} attempts while it was down");
    assert!(outage.most_in_flight < 1_000, "{} in flight", outage.most_in_flight);

    outage.shared.receivers.set_mood(&outage.destination.id, Mood::Well);
    outage.go_on(None).await;
    assert_eq!(outage.states(), BTreeMap::from([(DeliveryState::Delivered.as_str(), owed)]));
    assert!(outage.most_in_flight < 1_000, "{} in flight", outage.most_in_flight);
    let arrivals = outage.shared.receivers.arrivals();
    assert_eq!(arrivals.len(), owed, "each arrived once");
    // No minute has more than a drain sends in a minute, plus the probe.
    let portion = outage.destination.drain_portion();
    let most = arrivals
        .iter()
        .enumerate()
        .map(|(n, at)| arrivals[n..].partition_point(|later| later.since(*at) < Duration::from_secs(60)));
    let most = most.max().unwrap_or_default();
    assert!(most <= portion + portion / 10, "{most} arrived in a minute; a drain sends {portion}");
}
