//! The beginning of a schedule: its destinations, processes and faults, and the plan of what happens when.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::value::{Horizon, Timestamp};
use ports::{Accounts, Clock, Destinations, Subscriptions};
use serde_json::json;
use testing::{MemoryStore, account, destination, event_text, subscription};

use super::{Happening, MOST_EVENTS, TROUBLE, World};
use crate::chaos::{Dice, SimClock};
use crate::processes::{Deliver, Fanout, Redrive, Shared};
use crate::queue::SimQueue;
use crate::receivers::{MOODS, Receivers};

/// How many processes of `deliver` run at once.
const DELIVERS: usize = 3;

impl World {
    pub(super) async fn new(seed: u64) -> Self {
        let (dice, clock) = (Arc::new(Dice::new(seed)), Arc::new(SimClock::new()));
        let (store, acme) = (Arc::new(MemoryStore::default()), account("acme"));
        store.create_account(&acme, clock.now()).await.expect("registered");
        let mut destinations = Vec::new();
        for n in 1..=1 + u8::try_from(dice.below(3)).expect("a few") {
            let mut one = destination(&acme, n, &format!("https://{n}.example/"));
            let policies =
                [json!("short"), json!("short"), json!("short"), json!([7, 40, 200, 900]), json!("standard")];
            let policy = &policies[usize::try_from(dice.below(5)).expect("one of them")];
            one.settings.retry_policy = serde_json::from_value(policy.clone()).expect("a policy");
            if dice.once_in(6) {
                one.settings.rate_limit = dice.pick(&[1, 2, 50]).try_into().ok();
            }
            store.create_destination(&one, 10).await.expect("created");
            let all = subscription(&one, n, &["*"], "*", None);
            store.create_subscription(&all, 10).await.expect("created");
            // Each gets the operational events about the others.
            let operational =
                ["destination.failing", "destination.recovered", "destination.disabled", "delivery.exhausted"];
            let of_others = subscription(&one, 100 + n, &operational, "*", None);
            store.create_subscription(&of_others, 10).await.expect("created");
            destinations.push(one);
        }
        let horizon = Horizon::default();
        let losing = dice.pick(&[0, 0, 30, 100]);
        // The age of a cached destination, plus the delays that a schedule adds around calls.
        let slack = Duration::from_secs(8);
        let shared = Shared {
            events: Arc::new(SimQueue::new(clock.clone(), 0)),
            deliveries: Arc::new(SimQueue::new(clock.clone(), losing)),
            receivers: Arc::new(Receivers::new(clock.clone(), slack)),
            store,
            dice: dice.clone(),
            clock: clock.clone(),
            horizon,
            pushed_twice: Arc::new((0..MOST_EVENTS).filter(|_| dice.once_in(8)).map(|n| format!("evt-{n}")).collect()),
        };
        Self {
            calm: Arc::default(),
            failing: dice.pick(&[0, 20, 100, 400]),
            crashing: dice.pick(&[0, 40, 200, 800]),
            destinations,
            fanouts: Vec::new(),
            delivers: Vec::new(),
            redrives: Vec::new(),
            next_redrive: clock.real(),
            next_operator: clock.real(),
            crashes: 0,
            pushed: BTreeSet::new(),
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
        let trouble = u64::try_from(TROUBLE.as_millis()).unwrap_or(u64::MAX);
        // Most of it happens early, so that it coincides.
        let soon = || begin.plus(Duration::from_millis(dice.below(if dice.once_in(3) { trouble } else { 300_000 })));
        let mut happenings = Vec::new();
        for n in 0..1 + dice.below(MOST_EVENTS) {
            let id = format!("evt-{n}");
            let text = event_text(&account("acme"), &id);
            for _ in 0..if self.shared.pushed_twice.contains(&id) { 2 } else { 1 } {
                happenings.push((soon(), Happening::Push(id.clone(), text.clone())));
            }
        }
        for n in 0..self.destinations.len() {
            for _ in 0..dice.below(4) {
                happenings.push((soon(), Happening::Mood(n, dice.pick(&MOODS))));
            }
            if dice.once_in(4) {
                happenings.push((soon(), Happening::Enable(n, false)));
                happenings.push((soon(), Happening::Enable(n, true)));
            }
        }
        if dice.once_in(4) {
            let off = i64::try_from(dice.below(240_000)).unwrap_or_default() - 120_000;
            happenings.push((soon(), Happening::Clock(off)));
        }
        happenings.push((begin.plus(TROUBLE), Happening::Calm));
        happenings.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        happenings
    }
}
