//! One schedule: a few events for a few destinations, with the faults that follow from the seed; then calm, until
//! nothing is left to do; then the check of the result.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::delivery::DeliveryState;
use domain::destination::Destination;
use domain::value::{Horizon, Timestamp};
use ports::{Accounts, Audit, Clock, Destinations, Subscriptions};
use serde_json::json;
use testing::{MemoryStore, account, destination, event_text, subscription};
use tokio::task::JoinSet;

use crate::chaos::{Chaos, Dice, SimClock};
use crate::processes::{Deliver, Ended, Fanout, Redrive, Shared};
use crate::queue::{Message, SimQueue};
use crate::receivers::{MOODS, Mood, Receivers};

/// How long there are faults.
const TROUBLE: Duration = Duration::from_secs(4 * 3_600);
/// The time by which everything must have ended: more than the longest retry schedule takes.
const LONGEST: Duration = Duration::from_secs(20 * 86_400);
const MOST_EVENTS: u64 = 6;
/// How many processes of `deliver` run at once.
const DELIVERS: usize = 3;

/// What happened in a schedule, in numbers.
#[derive(Debug, Default, Clone, Copy)]
pub struct Report {
    pub owed: usize,
    pub delivered: usize,
    pub exhausted: usize,
    pub attempts: usize,
    pub lost: usize,
    pub recovered: usize,
    pub crashes: usize,
    /// Operational events.
    pub told: usize,
}

impl Report {
    pub fn add(&mut self, other: Report) {
        self.owed += other.owed;
        self.delivered += other.delivered;
        self.exhausted += other.exhausted;
        self.attempts += other.attempts;
        self.lost += other.lost;
        self.recovered += other.recovered;
        self.crashes += other.crashes;
        self.told += other.told;
    }
}

#[derive(Debug, Clone)]
enum Happening {
    /// An event's id and text.
    Push(String, String),
    Mood(usize, Mood),
    Enable(usize, bool),
    Clock(i64),
    Calm,
}

enum Process {
    Fanout(Fanout),
    Deliver(Deliver),
    Redrive(Redrive),
}

/// How a process ended its batch, the batch, and the process.
type Worked = (Ended, Vec<Message>, Process);

struct World {
    shared: Arc<Shared>,
    calm: Arc<AtomicBool>,
    failing: u64,
    crashing: u64,
    destinations: Vec<Destination>,
    fanouts: Vec<Fanout>,
    delivers: Vec<Deliver>,
    redrives: Vec<Redrive>,
    next_redrive: Timestamp,
    next_operator: Timestamp,
    crashes: usize,
    pushed: BTreeSet<String>,
}

/// Plays the schedule of a seed. The error says what is wrong at its end.
pub fn play(seed: u64) -> Result<Report, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    tokio::task::LocalSet::new().block_on(&runtime, async { World::new(seed).await.play().await })
}

impl World {
    async fn new(seed: u64) -> Self {
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
        let before = Timestamp::from_unix_ms(clock.now().unix_ms() - 3_600_000);
        store.set_last_audited(horizon.slot(before)).await.expect("noted");
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

    fn chaos(&self) -> Chaos {
        let (dice, calm) = (self.shared.dice.clone(), self.calm.clone());
        Chaos { dice, calm, failing: self.failing, crashing: self.crashing, crashed: Default::default() }
    }

    /// What happens and when, in order.
    fn happenings(&self) -> Vec<(Timestamp, Happening)> {
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

    async fn play(mut self) -> Result<Report, String> {
        let mut happenings = self.happenings();
        let end = self.shared.clock.real().plus(LONGEST);
        let mut running: JoinSet<Worked> = JoinSet::new();
        loop {
            let now = self.shared.clock.real();
            if self.calm.load(Ordering::SeqCst) && now >= self.next_operator {
                // Each hour an operator redrives the dead letters, whose cause is fixed by then.
                self.next_operator = now.plus(Duration::from_secs(3_600));
                self.shared.events.redrive_dead_letters();
                self.shared.deliveries.redrive_dead_letters();
            }
            while happenings.last().is_some_and(|(at, _)| *at <= self.shared.clock.real()) {
                if let Some((_, happening)) = happenings.pop() {
                    self.happen(happening).await;
                }
            }
            self.start(&mut running);
            let now = self.shared.clock.real();
            if now > end {
                return Err(self.unfinished(now));
            }
            let visible =
                [&self.shared.events, &self.shared.deliveries].into_iter().filter_map(|queue| queue.next_visible());
            let next = visible.chain(happenings.last().map(|(at, _)| *at)).chain(self.redrive_at()).min();
            if next.is_none() && running.is_empty() {
                if self.shared.events.redrive_dead_letters() + self.shared.deliveries.redrive_dead_letters() == 0 {
                    return self.account();
                }
                continue;
            }
            // Messages that are already visible wait until a process is free.
            let wake = next.map(|next| self.shared.clock.instant(next.max(now.plus(Duration::from_millis(20)))));
            let sleep = async {
                match wake {
                    Some(wake) => tokio::time::sleep_until(wake).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(ended) = running.join_next() => self.ended(ended.map_err(|error| error.to_string())?),
                () = sleep => {}
            }
            self.shared.receivers.look_at(&self.shared.store);
        }
    }

    fn unfinished(&self, now: Timestamp) -> String {
        let store = &self.shared.store;
        let rows = store.deliveries().into_iter().filter(|row| row.look_at.is_some() || !row.state.is_final());
        let rows: Vec<_> = rows.map(|row| (row.delivery.id, row.state, row.look_at)).collect();
        let watched = store.destinations().into_iter().filter(|one| one.look_at().is_some());
        let watched: Vec<_> = watched.map(|destination| (destination.id, destination.health)).collect();
        let (notes, queues) =
            (store.seal_notes_left(), (self.shared.events.next_visible(), self.shared.deliveries.next_visible()));
        format!("there is still something to do at {now}: {rows:?}, {watched:?}, {notes:?}, {queues:?}")
    }

    async fn happen(&mut self, happening: Happening) {
        let shared = &self.shared;
        match happening {
            Happening::Push(id, text) => {
                self.pushed.insert(id);
                self.shared.events.send(text, Duration::ZERO, None);
            }
            Happening::Mood(n, mood) => shared.receivers.set_mood(&self.destinations[n].id, mood),
            Happening::Enable(n, enabled) => self.enable(n, enabled).await,
            Happening::Clock(off) => {
                shared.clock.step_to(off);
                shared.receivers.allow(Duration::from_millis(off.unsigned_abs()));
            }
            Happening::Calm => {
                self.calm.store(true, Ordering::SeqCst);
                shared.clock.step_to(0);
                for n in 0..self.destinations.len() {
                    self.shared.receivers.set_mood(&self.destinations[n].id, Mood::Well);
                    // Its owner has fixed it, and resumes it if it was disabled.
                    self.enable(n, false).await;
                    self.enable(n, true).await;
                }
            }
        }
    }

    async fn enable(&self, n: usize, enabled: bool) {
        let stored = self.shared.store.destinations().into_iter().find(|d| d.id == self.destinations[n].id);
        let stored = stored.expect("the destination");
        let settings = domain::destination::DestinationSettings { enabled, ..stored.settings.clone() };
        let changed = stored.changed(settings, self.shared.clock.now());
        self.shared.store.update_destination(&stored, &changed).await.expect("changed");
    }

    /// When `redrive` next has something to do. It runs each minute, but only such runs are played.
    fn redrive_at(&self) -> Option<Timestamp> {
        let (store, horizon) = (&self.shared.store, self.shared.horizon);
        let ahead = |look_at: Timestamp| Timestamp::from_unix_ms(look_at.unix_ms().saturating_sub(60_000));
        let due = store.deliveries().into_iter().filter_map(|record| record.look_at).map(ahead);
        let watched = store.destinations().into_iter().filter_map(|destination| destination.look_at());
        let notes = store.seal_notes_left().into_iter();
        let audits = notes.map(|note| horizon.begin(note.sealed.next()).plus(Duration::from_secs(3_600)));
        due.chain(watched).chain(audits).min().map(|at| at.max(self.next_redrive))
    }

    fn start(&mut self, running: &mut JoinSet<Worked>) {
        let (chaos, now) = (self.chaos(), self.shared.clock.real());
        while let Some(process) = self.fanouts.pop() {
            let batch = self.shared.events.receive(&chaos);
            if batch.is_empty() {
                self.fanouts.push(process);
                break;
            }
            running.spawn(async move { (process.work(&batch).await, batch, Process::Fanout(process)) });
        }
        while let Some(process) = self.delivers.pop() {
            let batch = self.shared.deliveries.receive(&chaos);
            if batch.is_empty() {
                self.delivers.push(process);
                break;
            }
            running.spawn(async move { (process.work(&batch).await, batch, Process::Deliver(process)) });
        }
        if self.redrive_at().is_some_and(|at| at <= now)
            && let Some(process) = self.redrives.pop()
        {
            self.next_redrive = now.plus(Duration::from_secs(60));
            running.spawn_local(async move { (process.work().await, Vec::new(), Process::Redrive(process)) });
        }
    }

    /// Deletes or keeps the messages of a batch as the process answered. A crashed process is replaced by a new one,
    /// whose caches are empty.
    fn ended(&mut self, (ended, batch, process): Worked) {
        let (queue, lost) = match (&process, &ended) {
            (Process::Fanout(_), _) => (&self.shared.events, matches!(ended, Ended::Lost)),
            (_, _) => (&self.shared.deliveries, matches!(ended, Ended::Lost)),
        };
        if let Ended::Answered(again) = ended {
            batch.iter().filter(|message| !again.contains(&message.id)).for_each(|message| queue.delete(message.id));
        }
        self.crashes += usize::from(lost);
        match process {
            Process::Fanout(_) if lost => self.fanouts.push(Fanout::start(&self.shared, self.chaos())),
            Process::Fanout(process) => self.fanouts.push(process),
            Process::Deliver(_) if lost => self.delivers.push(Deliver::start(&self.shared, self.chaos())),
            Process::Deliver(process) => self.delivers.push(process),
            Process::Redrive(_) if lost => self.redrives.push(Redrive::start(&self.shared, self.chaos())),
            Process::Redrive(process) => self.redrives.push(process),
        }
    }

    /// Checks that everything owed ended, and visibly so.
    fn account(&self) -> Result<Report, String> {
        let (store, receivers) = (&self.shared.store, &self.shared.receivers);
        let mut wrong = receivers.broken();
        let (events, rows) = (store.events(), store.deliveries());
        let mut report =
            Report { attempts: receivers.attempts(), lost: self.shared.deliveries.lost(), ..Report::default() };
        report.crashes = self.crashes;
        let pushed: BTreeSet<&str> = self.pushed.iter().map(String::as_str).collect();
        // The others are operational events.
        let of_producers = || events.iter().filter(|event| !event.event_type.is_operational());
        let sealed: BTreeSet<&str> = of_producers().map(|event| event.id.as_str()).collect();
        if pushed != sealed {
            wrong.push(format!("{pushed:?} were pushed, and {sealed:?} sealed"));
        }
        let mut owed = BTreeSet::new();
        for event in of_producers().filter(|event| event.owed.len() != self.destinations.len()) {
            wrong.push(format!("{} owes {} of {}", event.id, event.owed.len(), self.destinations.len()));
        }
        for event in &events {
            owed.extend(event.owed.iter().map(|delivery| delivery.id.clone()));
        }
        report.told = events.len() - sealed.len();
        report.owed = owed.len();
        for row in &rows {
            let id = &row.delivery.id;
            if !owed.remove(id) {
                wrong.push(format!("{id} has a row and is not owed"));
            }
            report.recovered += usize::from(row.recovered_by_audit);
            match row.state {
                DeliveryState::Delivered if receivers.took(id) => report.delivered += 1,
                DeliveryState::Delivered => wrong.push(format!("{id} is said to be delivered, and nobody took it")),
                DeliveryState::Exhausted => report.exhausted += 1,
                state => wrong.push(format!("{id} is {} in the end", state.as_str())),
            }
        }
        // If the queue loses nothing, and too few faults delay a delivery beyond the horizon, the audit must find
        // nothing.
        let little = |once_in: u64| once_in == 0 || once_in >= 200;
        if !self.shared.deliveries.loses() && little(self.failing) && little(self.crashing) && report.recovered > 0 {
            wrong.push(format!("the audit had to recover {} though nothing was lost", report.recovered));
        }
        wrong.extend(owed.iter().map(|id| format!("{id} is owed and nothing became of it")));
        if wrong.is_empty() { Ok(report) } else { Err(wrong.join("\n")) }
    }
}
