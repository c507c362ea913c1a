//! Metrics of the flow, in CloudWatch's embedded metric format: an invocation writes one line of figures to its log, and
//! CloudWatch makes metrics of it. That takes no call and no permission. A line is at INFO, like other lines that tell what
//! happened as it should; alarms count lines at WARN and ERROR instead (decision 0091).
//!
//! The records of a batch add to the figures while they run. Metrics have no dimensions, and figures no ids: each name is
//! paid for once, however many accounts there are.
//!
//! Invariant: what was counted is written once, at the end of the invocation, also if its work failed or was given up, and
//! shortly before Lambda would end it; an invocation with nothing to count writes nothing (tests:
//! `an_invocation_writes_one_line_and_one_without_figures_writes_none`,
//! `what_was_counted_is_written_however_the_work_ends`, `what_outlasts_the_invocation_is_written_before_it_ends`).
//!
//! Invariant: each line follows the rules of the format (tests: `every_line_follows_the_rules_of_the_format`, and in the
//! tests of functions whatever reads lines), and no metric holds more than 100 values: the hundredth writes a line (tests:
//! `the_hundredth_value_writes_a_line_so_that_no_metric_grows_without_bound`).

mod line;
mod names;

use std::collections::BTreeMap;
use std::io::Write;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ports::Clock;
use tokio::time::timeout;

use self::line::Line;
pub use self::names::{Count, Time};

/// How many values of a metric CloudWatch reads from one line.
const MOST_VALUES: usize = 100;
/// How long before the end of an invocation its figures are written, if its work has not ended.
const LAST: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Figures {
    counts: BTreeMap<Count, u64>,
    /// In milliseconds.
    times: BTreeMap<Time, Vec<u64>>,
}

/// The figures of the current invocation. A process has one invocation at a time. By default, nothing is counted.
#[derive(Default)]
pub struct Metrics {
    output: Option<Output>,
    figures: Mutex<Figures>,
}

struct Output {
    namespace: String,
    clock: Arc<dyn Clock>,
    write: Box<dyn Fn(&str) + Send + Sync>,
}

impl Metrics {
    /// Figures whose lines are given to `write`.
    pub fn new(namespace: &str, clock: Arc<dyn Clock>, write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let output = Output { namespace: namespace.to_owned(), clock, write: Box::new(write) };
        Self { output: Some(output), figures: Mutex::default() }
    }

    /// Figures whose lines go to the function's log.
    pub fn to_log(namespace: &str, clock: Arc<dyn Clock>) -> Self {
        Self::new(namespace, clock, |line| {
            // Figures are worth less than the work that they are about, which goes on if they cannot be written.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        })
    }

    pub fn add(&self, count: Count, more: usize) {
        if more > 0 && self.output.is_some() {
            let mut figures = self.figures();
            let sum = figures.counts.entry(count).or_default();
            *sum = sum.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
        }
    }

    pub fn took(&self, time: Time, took: Duration) {
        if self.output.is_none() {
            return;
        }
        let is_full = {
            let mut figures = self.figures();
            let values = figures.times.entry(time).or_default();
            values.push(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            values.len() >= MOST_VALUES
        };
        if is_full {
            self.write();
        }
    }

    /// Does the work of an invocation that has so much time left, and writes its figures.
    pub async fn of_invocation<T>(&self, left: Duration, work: impl Future<Output = T>) -> T {
        let _written = Written(self);
        let mut work = pin!(work);
        match timeout(left.saturating_sub(LAST), work.as_mut()).await {
            Ok(done) => done,
            Err(_) => {
                self.write();
                work.await
            }
        }
    }

    /// Writes what was counted since the last line, if there is anything.
    pub fn write(&self) {
        let figures = std::mem::take(&mut *self.figures());
        let is_empty = figures.counts.is_empty() && figures.times.is_empty();
        if let Some(output) = self.output.as_ref().filter(|_| !is_empty) {
            (output.write)(&output.line(&figures));
        }
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output {
    fn line(&self, figures: &Figures) -> String {
        let line = Line { namespace: &self.namespace, now: self.clock.now(), figures };
        // Names and numbers can always be written.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// Writes the figures when it is dropped.
struct Written<'a>(&'a Metrics);

impl Drop for Written<'_> {
    fn drop(&mut self) {
        self.0.write();
    }
}

#[cfg(test)]
mod tests;
