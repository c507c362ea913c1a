//! A lane: one part of a run, with its share of the time, its failures, and the work that it hands out.

use std::time::Duration;

use domain::value::Timestamp;
use ports::{PortError, PortResult};
use runtime::telemetry::ErrorChain;
use tokio::time::timeout;
use tracing::{error, warn};

use crate::deps::Deps;
use crate::failures::Failures;
use crate::share::{Part, Share, Went};
use crate::unit::{LaneName, Left, Unit, divide};

/// How long a run continues.
#[derive(Clone, Copy)]
pub(crate) struct Until {
    /// No further step begins after this time.
    pub(crate) stop: Timestamp,
    /// A step that is still running at this time is given up.
    pub(crate) end: Timestamp,
}

impl Until {
    /// The result of a step that begins now. It is an error if the step takes longer than the time that is left.
    pub(crate) async fn step<T>(self, now: Timestamp, step: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        timeout(self.end.since(now), step).await.unwrap_or_else(|_| {
            let why = "it took longer than the invocation may; the next run continues what it began";
            Err(PortError::transient("working on a step", why))
        })
    }
}

/// How many units a run may still hand out, and the most it may hand out in all.
pub(crate) struct Allowance {
    pub(crate) all: u16,
    pub(crate) left: u16,
}

/// A part with its share of the time, and its state in this run.
pub(crate) struct Lane<P> {
    pub(crate) part: P,
    name: &'static str,
    share: Duration,
    /// Its name in units, and how many of twenty units it may hand out.
    hands_out: Option<(LaneName, u16)>,
    failures: Failures,
    /// `None` while it has more to do.
    ended: Option<PortResult<()>>,
    handed_out: usize,
    /// How long the oldest entry waited of what it handed out or left.
    lag: Duration,
}

impl<P: Part> Lane<P> {
    pub(crate) fn new(name: &'static str, seconds: u64, part: P) -> Self {
        Self {
            part,
            name,
            share: Duration::from_secs(seconds),
            hands_out: None,
            failures: Failures::of(name),
            ended: None,
            handed_out: 0,
            lag: Duration::ZERO,
        }
    }

    pub(crate) fn hands_out(self, lane: LaneName, of_twenty: u16) -> Self {
        Self { hands_out: Some((lane, of_twenty)), ..self }
    }

    /// Ends it for this run.
    pub(crate) fn end(&mut self, how: PortResult<()>) {
        self.ended = Some(how);
    }

    /// Adds to what it has to do.
    pub(crate) fn go_on(&mut self, add: impl FnOnce(&mut P)) {
        add(&mut self.part);
        if matches!(self.ended, Some(Ok(()))) && !self.failures.given_up() {
            self.ended = None;
        }
    }

    /// One turn; returns whether it has more to do.
    pub(crate) async fn turn(&mut self, deps: &Deps, until: Until, allowance: &mut Allowance) -> bool {
        let now = deps.clock.now();
        if self.ended.is_some() || now >= until.stop {
            return self.ended.is_none();
        }
        let share = Share { deps, failures: &self.failures, until: until.stop.min(now.plus(self.share)) };
        match until.step(now, self.part.turn(share)).await {
            Ok(Went::OutOfTime) if !self.failures.given_up() => {
                self.hand_out(deps, until, allowance).await;
                return true;
            }
            Ok(_) => self.ended = Some(Ok(())),
            Err(error) => self.ended = Some(Err(error)),
        }
        false
    }

    /// After its first turn, hands out what is left, once. This run continues with what it cannot hand out.
    async fn hand_out(&mut self, deps: &Deps, until: Until, allowance: &mut Allowance) {
        let Some((lane, of_twenty)) = self.hands_out.take().filter(|_| allowance.left > 0) else { return };
        let most = allowance.left.min((allowance.all.saturating_mul(of_twenty) / 20).max(1));
        let now = deps.clock.now();
        let (units, kept) = divide(&self.left(now), most);
        let units = units.into_iter().map(|(shards, division)| Unit { lane, shards, division });
        let texts: Vec<String> = units.filter_map(|unit| serde_json::to_string(&unit).ok()).collect();
        if texts.is_empty() {
            return;
        }
        match until.step(now, deps.hand_out.hand_out(&texts)).await {
            Ok(()) => {
                self.handed_out = texts.len();
                allowance.left = allowance.left.saturating_sub(u16::try_from(texts.len()).unwrap_or(u16::MAX));
                self.part.keep(&kept);
            }
            Err(error) => {
                warn!(lane = self.name, error = %ErrorChain(&error), "work was not handed out; this run continues with it");
            }
        }
    }

    /// What it has left; also records its lag.
    fn left(&mut self, now: Timestamp) -> Vec<Left> {
        let left = self.part.left(now);
        self.lag = left.iter().map(|left| now.since(left.since)).fold(self.lag, Duration::max);
        left
    }

    /// An error if anything of it failed. If the lane handed out or leaves work, that is logged.
    pub(crate) fn result(mut self, now: Timestamp) -> PortResult<()> {
        let left = if self.ended.is_some() { 0 } else { self.left(now).len() };
        if left > 0 || self.handed_out > 0 {
            warn!(
                counted = "redrive_lag",
                lane = self.name,
                lag_seconds = self.lag.as_secs(),
                shards_left = left,
                units_handed_out = self.handed_out,
                "a lane had more to do than this run had time for; others or the next run continue"
            );
        }
        let result = self.ended.unwrap_or(Ok(())).and(self.failures.result());
        if let Err(error) = &result {
            error!(what = self.name, error = %ErrorChain(error), "a part of the run failed; the next run continues");
        }
        result
    }
}
