//! The beginning of a schedule: its destinations, processes and faults, and the plan of what happens when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::destination::Destination;
use domain::routing::Subscription;
use domain::value::{AccountId, Horizon, SubscriptionId, Timestamp};
use ports::{Accounts, Clock, Destinations, SHARDS};
use serde_json::json;
use testing::{MemoryStore, account, destination, event_text, subscription};

use super::{Asked, Faults, Happening, MOST_EVENTS, Poisoned, Seen, TROUBLE, Throttled, World};
use crate::chaos::{Dice, SLOWEST, SimClock};
use crate::processes::{Deliver, Fanout, Redrive, Shared};
use crate::queue::SimQueue;
use crate::receivers::{MOODS, Receivers};
use crate::table::Table;

/// How many processes of `deliver` run at once.
const DELIVERS: usize = 3;
/// One schedule in so many has events that are owed to hundreds of places.
const WIDE: u64 = 150;

impl World {
    pub(super) async fn new(seed: u64) -> Self {
        let (dice, clock, calm) = (Arc::new(Dice::new(seed)), Arc::new(SimClock::new()), Arc::default());
        let store = Arc::new(MemoryStore::default());
        let faults = Faults {
            failing: dice.pick(&[0, 20, 100, 400]),
            crashing: dice.pick(&[0, 40, 200, 800]),
            slow: dice.pick(&[0, 0, 0, 20, 100]),
            special: dice.once_in(2),
        };
        let (mut destinations, mut width) = (Vec::new(), BTreeMap::new());
        // An account that may be deleted.
        let rival = faults.special && dice.once_in(3);
        for (owner, is_there) in [(account("acme"), true), (account("rival"), rival)] {
            if is_there {
                store.create_account(&owner, clock.now()).await.expect("registered");
                let mine = set_up_account(&dice, &store, &owner, destinations.len()).await;
                width.insert(owner, mine.len());
                destinations.extend(mine);
            }
        }
        if dice.once_in(WIDE) {
            // Each event is owed to very many paths of one destination: in some, to more than `fanout` sends at once.
            let places = if dice.once_in(3) { 1_001 + dice.below(400) } else { 50 + dice.below(150) };
            let places = u16::try_from(places).expect("some hundred");
            for n in 0..places {
                store.put_subscription(place(&destinations[0], n));
            }
            *width.entry(account("acme")).or_default() += usize::from(places);
        }
        let horizon = Horizon::default();
        let losing = dice.pick(&[0, 0, 30, 100]);
        let lag_ms = dice.pick(&[0, 0, 2_000, 15_000]);
        // The age of a cached destination, plus the delays that a schedule adds around calls.
        let slack = Duration::from_secs(8) + if faults.slow > 0 { 4 * SLOWEST } else { Duration::ZERO };
        let shared = Shared {
            events: Arc::new(SimQueue::new(clock.clone(), 0)),
            deliveries: Arc::new(SimQueue::new(clock.clone(), losing)),
            receivers: Arc::new(Receivers::new(clock.clone(), slack)),
            table: Arc::new(Table::new(store.clone(), clock.clone(), dice.clone(), Arc::clone(&calm), lag_ms)),
            store,
            clock: clock.clone(),
            horizon: Mutex::new(horizon),
            // A shorter one is reached more often.
            budget: Duration::from_secs(dice.pick(&[60, 60, 60, 35])),
            skew_ms: dice.pick(&[0, 0, 500, 4_000]),
            pushed_twice: Arc::new((0..MOST_EVENTS).filter(|_| dice.once_in(8)).map(|n| format!("evt-{n}")).collect()),
            dice,
        };
        Self {
            calm,
            faults,
            destinations,
            width,
            fanouts: Vec::new(),
            delivers: Vec::new(),
            redrives: Vec::new(),
            next_redrive: clock.real(),
            next_operator: clock.real(),
            crashes: 0,
            pushed: BTreeSet::new(),
            seen: Seen::default(),
            wrong: Vec::new(),
            shared: Arc::new(shared),
        }
        .with_processes()
    }

    fn with_processes(mut self) -> Self {
        self.fanouts = (0..2).map(|_| Fanout::start(&self.shared, self.chaos())).collect();
        self.delivers = (0..DELIVERS).map(|_| Deliver::start(&self.shared, self.chaos())).collect();
        self.redrives = (0..2).map(|_| Redrive::start(&self.shared, self.chaos())).collect();
        self
    }

    /// What happens and when, in order.
    pub(super) fn happenings(&self) -> Vec<(Timestamp, Happening)> {
        let (dice, begin) = (&self.shared.dice, self.shared.clock.real());
        let mut happenings = Vec::new();
        for n in 0..1 + dice.below(MOST_EVENTS) {
            let id = format!("evt-{n}");
            for _ in 0..if self.shared.pushed_twice.contains(&id) { 2 } else { 1 } {
                happenings.push((self.soon(), push(&account("acme"), id.clone())));
            }
        }
        for n in 0..self.destinations.len() {
            for _ in 0..dice.below(4) {
                happenings.push((self.soon(), Happening::Mood(n, dice.pick(&MOODS))));
            }
            if dice.once_in(4) {
                happenings.push((self.soon(), Happening::SetPaused(n, true)));
                happenings.push((self.soon(), Happening::SetPaused(n, false)));
            }
        }
        if dice.once_in(4) {
            let off = i64::try_from(dice.below(240_000)).unwrap_or_default() - 120_000;
            happenings.push((self.soon(), Happening::Clock(off)));
        }
        if self.faults.special {
            self.special(&mut happenings);
        }
        happenings.push((begin.plus(TROUBLE), Happening::Calm));
        happenings.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        happenings
    }

    /// Most of it happens early, so that it coincides.
    fn soon(&self) -> Timestamp {
        let (dice, trouble) = (&self.shared.dice, u64::try_from(TROUBLE.as_millis()).unwrap_or(u64::MAX));
        let most = if dice.once_in(3) { trouble } else { 300_000 };
        self.shared.clock.real().plus(Duration::from_millis(dice.below(most)))
    }

    /// What people do, and what breaks.
    fn special(&self, happenings: &mut Vec<(Timestamp, Happening)>) {
        let dice = &self.shared.dice;
        let n = || usize::try_from(dice.below(self.destinations.len() as u64)).unwrap_or_default();
        for _ in 0..dice.below(12) {
            let calls = [
                Asked::Resend,
                Asked::Resend,
                Asked::Cancel,
                Asked::Pause(n()),
                Asked::Resume(n()),
                Asked::Recover(n()),
                Asked::Replay,
            ];
            happenings.push((self.soon(), Happening::Call(dice.pick(&calls))));
        }
        if dice.once_in(3) {
            happenings.push((self.soon(), Happening::Subscribe(n())));
            happenings.push((self.soon(), Happening::Call(Asked::Replay)));
        }
        if self.width.contains_key(&account("rival")) {
            (0..1 + dice.below(3))
                .for_each(|n| happenings.push((self.soon(), push(&account("rival"), format!("rvl-{n}")))));
            happenings.push((self.soon(), Happening::Call(Asked::Delete)));
        }
        if dice.once_in(4) {
            let what = [
                Poisoned::DeliveryRead,
                Poisoned::DeliveryWrite,
                Poisoned::EventRead,
                Poisoned::EventWrite,
                Poisoned::Health(n()),
            ];
            happenings.push((self.soon(), Happening::Poison(dice.pick(&what))));
        }
        if dice.once_in(4) {
            let shard = Throttled::Shard(u8::try_from(dice.below(u64::from(SHARDS))).unwrap_or_default());
            let duration = Duration::from_secs(dice.below(900));
            happenings.push((self.soon(), Happening::Throttle(dice.pick(&[Throttled::Account, shard]), duration)));
        }
        if dice.once_in(8) {
            let seconds = dice.pick(&["1800", "7200"]);
            happenings.push((self.soon(), Happening::Horizon(seconds.parse().expect("a horizon"))));
        }
    }
}

fn push(owner: &AccountId, id: String) -> Happening {
    let text = event_text(owner, &id);
    Happening::Push(owner.clone(), id, text)
}

/// Up to three destinations, each with a subscription to everything. `before` destinations exist already.
async fn set_up_account(dice: &Dice, store: &MemoryStore, owner: &AccountId, before: usize) -> Vec<Destination> {
    let before = u8::try_from(before).expect("a few");
    let mut destinations = Vec::new();
    for n in before + 1..=before + 1 + u8::try_from(dice.below(3)).expect("a few") {
        let mut one = destination(owner, n, &format!("https://{n}.example/"));
        let policies = [json!("short"), json!("short"), json!("short"), json!([7, 40, 200, 900]), json!("standard")];
        let policy = &policies[usize::try_from(dice.below(5)).expect("one of them")];
        one.settings.retry_policy = serde_json::from_value(policy.clone()).expect("a policy");
        if dice.once_in(6) {
            one.settings.rate_limit = dice.pick(&[1, 2, 50]).try_into().ok();
        }
        store.create_destination(&one, 10).await.expect("created");
        store.put_subscription(subscription(&one, n, &["*"], "*", None));
        // Each gets the operational events about the others.
        let operational =
            ["destination.failing", "destination.recovered", "destination.disabled", "delivery.exhausted"];
        store.put_subscription(subscription(&one, 100 + n, &operational, "*", None));
        destinations.push(one);
    }
    destinations
}

/// A subscription to producers' events at a path of its own.
fn place(destination: &Destination, n: u16) -> Subscription {
    let [high, low] = n.to_be_bytes();
    let path = format!("/{n}");
    let types = ["sync_run.completed"];
    let id = SubscriptionId::from_entropy([250, high, low, 0, 0, 0, 0, 0, 0, 0]);
    Subscription { id, ..subscription(destination, 250, &types, "*", Some(&path)) }
}
