//! One schedule: a few events for a few destinations, with the faults that follow from the seed; then calm, until
//! nothing is left to do; then the check of the result.

mod account;
mod happening;
mod people;
mod set_up;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use domain::destination::{Admission, Destination};
use domain::value::{AccountId, DeliveryId, DestinationId, EventId, Horizon, Timestamp};
use ports::{Clock, Destinations};
use testing::account;
use tokio::task::JoinSet;

use self::happening::{Asked, Happening, Poisoned, Throttled};
use crate::api::Call;
use crate::chaos::Chaos;
use crate::processes::{Deliver, Ended, Fanout, Redrive, Shared};
use crate::queue::Message;
use crate::receivers::Mood;
use crate::table::Partition;

/// How long there are faults.
const TROUBLE: Duration = Duration::from_secs(4 * 3_600);
/// The time by which everything must have ended: more than the longest retry schedule takes.
const LONGEST: Duration = Duration::from_secs(20 * 86_400);
const MOST_EVENTS: u64 = 6;

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
    pub cancelled: usize,
    /// Accounts that were deleted with all that they had.
    pub deleted: usize,
    /// Calls of the API that were answered with a success, and those that were not.
    pub calls: usize,
    pub failed_calls: usize,
    /// Rows that could not be read or written for a while.
    pub poisoned: usize,
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
        self.cancelled += other.cancelled;
        self.deleted += other.deleted;
        self.calls += other.calls;
        self.failed_calls += other.failed_calls;
        self.poisoned += other.poisoned;
    }
}

enum Process {
    Fanout(Fanout),
    Deliver(Deliver),
    Redrive(Redrive),
    Api(Call, Option<u16>),
}

impl Process {
    fn horizon(&self) -> Option<Horizon> {
        match self {
            Process::Fanout(process) => Some(process.horizon),
            Process::Redrive(process) => Some(process.horizon()),
            Process::Deliver(_) | Process::Api(..) => None,
        }
    }
}

/// How a process ended its batch, the batch, and the process.
type Worked = (Ended, Vec<Message>, Process);

/// How often what goes wrong.
#[derive(Clone, Copy)]
struct Faults {
    failing: u64,
    crashing: u64,
    slow: u64,
    /// Whether rows are poisoned or throttled, or people interfere.
    special: bool,
}

struct World {
    shared: Arc<Shared>,
    calm: Arc<AtomicBool>,
    faults: Faults,
    /// Those of the account `acme` first.
    destinations: Vec<Destination>,
    /// How many subscriptions each account had at the beginning.
    width: BTreeMap<AccountId, usize>,
    fanouts: Vec<Fanout>,
    delivers: Vec<Deliver>,
    redrives: Vec<Redrive>,
    next_redrive: Timestamp,
    next_operator: Timestamp,
    crashes: usize,
    pushed: BTreeSet<(AccountId, String)>,
    seen: Seen,
    wrong: Vec<String>,
}

/// What people did.
#[derive(Default)]
struct Seen {
    calls: usize,
    failed_calls: usize,
    poisoned: usize,
    cancelled: BTreeSet<DeliveryId>,
    /// How often an attempt of a delivery ended and its message was acknowledged.
    acknowledged: BTreeMap<DeliveryId, u32>,
    /// Deliveries and destinations that were asked to be sent again.
    again: BTreeSet<DeliveryId>,
    recovered: BTreeSet<DestinationId>,
    deletion: bool,
    /// Events whose replay broke off.
    unfinished: BTreeSet<EventId>,
}

/// Plays the schedule of a seed. The error says what is wrong at its end.
pub fn play(seed: u64) -> Result<Report, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    tokio::task::LocalSet::new().block_on(&runtime, async { World::new(seed).await.play().await })
}

impl World {
    fn chaos(&self) -> Chaos {
        let (dice, calm, Faults { failing, crashing, slow, .. }) =
            (self.shared.dice.clone(), self.calm.clone(), self.faults);
        Chaos { dice, calm, failing, crashing, slow, crashed: Default::default(), meter: None }
    }

    async fn play(mut self) -> Result<Report, String> {
        let mut happenings = self.happenings();
        let end = self.shared.clock.real().plus(LONGEST);
        let mut running: JoinSet<Worked> = JoinSet::new();
        loop {
            let now = self.shared.clock.real();
            if self.calm.load(Ordering::SeqCst) && now >= self.next_operator {
                // Each hour an operator redrives the dead letters, whose cause is fixed by then, and owners resume what was
                // disabled by an answer that was still on its way.
                self.next_operator = now.plus(Duration::from_secs(3_600));
                self.shared.events.redrive_dead_letters();
                self.shared.deliveries.redrive_dead_letters();
                self.resume_all().await;
            }
            while happenings.last().is_some_and(|(at, _)| *at <= self.shared.clock.real()) {
                if let Some((_, happening)) = happenings.pop() {
                    self.happen(happening, &mut running).await;
                }
            }
            self.start(&mut running);
            let now = self.shared.clock.real();
            if now > end {
                return Err(self.unfinished(now));
            }
            self.wrong.extend(self.shared.table.take_broken());
            if !self.wrong.is_empty() {
                return Err(self.wrong.join("\n"));
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

    async fn happen(&mut self, happening: Happening, running: &mut JoinSet<Worked>) {
        let shared = self.shared.clone();
        match happening {
            Happening::Push(account, id, text) => {
                self.pushed.insert((account, id));
                shared.events.send(text, Duration::ZERO, None);
            }
            Happening::Mood(n, mood) => shared.receivers.set_mood(&self.destinations[n].id, mood),
            Happening::SetPaused(n, paused) => self.set_paused(n, paused).await,
            Happening::Clock(off) => {
                shared.clock.step_to(off);
                shared.receivers.allow(Duration::from_millis(off.unsigned_abs()));
            }
            Happening::Call(asked) => self.ask(asked, running),
            Happening::Subscribe(n) => {
                let another = testing::subscription(&self.destinations[n], 200, &["*"], "*", Some("/again"));
                shared.store.put_subscription(another);
            }
            Happening::Poison(what) => self.poison(what),
            Happening::Throttle(what, duration) => {
                let partition = match what {
                    Throttled::Account => Partition::Account(account("acme")),
                    Throttled::Shard(shard) => Partition::Shard(shard),
                };
                shared.table.throttle(partition, duration);
            }
            Happening::Horizon(horizon) => {
                *shared.horizon.lock().unwrap_or_else(PoisonError::into_inner) = horizon;
                self.with_processes_again();
            }
            Happening::Calm => {
                self.calm.store(true, Ordering::SeqCst);
                shared.clock.step_to(0);
                shared.table.mend();
                self.destinations.iter().for_each(|one| shared.receivers.set_mood(&one.id, Mood::Well));
                self.resume_all().await;
                self.finish_replays(running);
            }
        }
    }

    /// Owners have fixed their destinations, and resume those that are disabled or paused. What only failed, or asked to be
    /// left alone, comes back by itself.
    async fn resume_all(&self) {
        for n in 0..self.destinations.len() {
            if self.is_off(n) {
                self.set_paused(n, true).await;
                self.set_paused(n, false).await;
            }
        }
    }

    fn is_off(&self, n: usize) -> bool {
        let stored = self.shared.store.destinations().into_iter().find(|d| d.id == self.destinations[n].id);
        stored.is_some_and(|stored| stored.settings.paused || stored.health.admission() == Admission::Nothing)
    }

    async fn set_paused(&self, n: usize, paused: bool) {
        let stored = self.shared.store.destinations().into_iter().find(|d| d.id == self.destinations[n].id);
        // Its account may have been deleted.
        let Some(stored) = stored.filter(|stored| stored.admission(self.shared.clock.now()) != Admission::Closed)
        else {
            return;
        };
        let settings = domain::destination::DestinationSettings { paused, ..stored.settings.clone() };
        let changed = stored.changed(settings, self.shared.clock.now());
        self.shared.store.update_destination(&stored, &changed).await.expect("changed");
    }

    /// When `redrive` next has something to do. It runs each minute, but only such runs are played.
    fn redrive_at(&self) -> Option<Timestamp> {
        let (store, horizon) = (&self.shared.store, self.shared.horizon());
        let due = store.next_look().map(|look_at| Timestamp::from_unix_ms(look_at.unix_ms().saturating_sub(60_000)));
        let notes = store.seal_notes_left().into_iter();
        let audits = notes.map(|note| note.sealed.until.plus(horizon.length()));
        let jobs = store.has_pending_job().then_some(self.next_redrive);
        due.into_iter().chain(audits).chain(jobs).min().map(|at| at.max(self.next_redrive))
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
        let lost = matches!(ended, Ended::Lost);
        if let Ended::Answered(again) = ended {
            let (kept, done): (Vec<_>, Vec<_>) = batch.iter().partition(|message| again.contains(&message.id));
            if let Process::Deliver(process) = &process {
                self.check_acknowledged(process, &done, &kept);
            }
            let queue = match &process {
                Process::Fanout(_) => &self.shared.events,
                _ => &self.shared.deliveries,
            };
            done.into_iter().for_each(|message| queue.delete(message.id));
        }
        self.crashes += usize::from(lost);
        // A new configuration is a new process.
        let lost = lost || process.horizon().is_some_and(|horizon| horizon != self.shared.horizon());
        match process {
            Process::Fanout(_) if lost => self.fanouts.push(Fanout::start(&self.shared, self.chaos())),
            Process::Fanout(process) => self.fanouts.push(process),
            Process::Deliver(_) if lost => self.delivers.push(Deliver::start(&self.shared, self.chaos())),
            Process::Deliver(process) => self.delivers.push(process),
            Process::Redrive(_) if lost => self.redrives.push(Redrive::start(&self.shared, self.chaos())),
            Process::Redrive(process) => self.redrives.push(process),
            Process::Api(call, status) => self.answered(&call, status),
        }
    }
}
