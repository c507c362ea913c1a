//! One schedule: a few events for a few destinations, with the faults that follow from the seed; then calm, until
//! nothing is left to do; then the check of the result.

mod account;
mod set_up;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::destination::Destination;
use domain::value::Timestamp;
use ports::{Clock, Destinations};
use tokio::task::JoinSet;

use crate::chaos::Chaos;
use crate::processes::{Deliver, Ended, Fanout, Redrive, Shared};
use crate::queue::Message;
use crate::receivers::Mood;

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
    fn chaos(&self) -> Chaos {
        let (dice, calm) = (self.shared.dice.clone(), self.calm.clone());
        Chaos { dice, calm, failing: self.failing, crashing: self.crashing, crashed: Default::default() }
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
        let due = store.deliveries().into_iter().filter_map(|record| record.look_at()).map(ahead);
        let watched = store.destinations().into_iter().filter_map(|destination| destination.look_at());
        let notes = store.seal_notes_left().into_iter();
        let audits = notes.map(|note| note.sealed.until.plus(horizon.length()));
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
}
