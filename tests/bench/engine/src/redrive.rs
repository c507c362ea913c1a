//! One invocation of `redrive`: the scheduled run, or one of its lanes alone, as a unit of work that was handed out.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::Result;
use crate::aws::Counts;
use crate::lambda::Function;
use crate::world::World;

const SHARDS: u8 = 8;
/// Connections are closed meanwhile that an invocation has left.
const SETTLING: Duration = Duration::from_millis(5);

/// What invocations took.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Work {
    /// Milliseconds of a processor.
    pub(crate) cpu_ms: f64,
    pub(crate) calls: f64,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
    pub(crate) queue_requests: f64,
    pub(crate) messages: f64,
}

impl Work {
    pub(crate) fn of(cpu: Duration, counts: &Counts) -> Self {
        Self {
            cpu_ms: cpu.as_secs_f64() * 1_000.0,
            calls: counts.all_calls(),
            read_units: counts.table.read_units,
            write_units: counts.table.write_units,
            queue_requests: counts.queue_requests,
            messages: counts.messages,
        }
    }

    fn combined(&self, other: &Self, how: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            cpu_ms: how(self.cpu_ms, other.cpu_ms),
            calls: how(self.calls, other.calls),
            read_units: how(self.read_units, other.read_units),
            write_units: how(self.write_units, other.write_units),
            queue_requests: how(self.queue_requests, other.queue_requests),
            messages: how(self.messages, other.messages),
        }
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        self.combined(other, |one, other| one + other)
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        self.combined(other, |one, other| one - other)
    }

    pub(crate) fn times(&self, factor: f64) -> Self {
        self.combined(self, |one, _| one * factor)
    }

    /// The median of each figure.
    pub(crate) fn median(all: &[Self]) -> Self {
        let median = |of: fn(&Self) -> f64| crate::stats::median(&all.iter().map(of).collect::<Vec<_>>());
        Self {
            cpu_ms: median(|work| work.cpu_ms),
            calls: median(|work| work.calls),
            read_units: median(|work| work.read_units),
            write_units: median(|work| work.write_units),
            queue_requests: median(|work| work.queue_requests),
            messages: median(|work| work.messages),
        }
    }
}

/// Scheduled runs with nothing to do.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Idle {
    pub(crate) run: Work,
    /// One that is the first of a stretch, which is every tenth.
    pub(crate) first_of_a_stretch: Work,
}

/// A lane with all of its shards, as another instance gets it.
pub(crate) async fn lane(world: &World, instance: &mut Function, name: &str) -> Result<Work> {
    let shards: Vec<u8> = (0..SHARDS).collect();
    let unit = json!({ "lane": name, "shards": shards, "part": 0, "of": 1 });
    invoke(world, instance, &json!({ "Records": [{ "Sns": { "Message": unit.to_string() } }] })).await
}

/// What the schedule starts each minute.
pub(crate) async fn scheduled(world: &World, instance: &mut Function) -> Result<Work> {
    invoke(world, instance, &json!({})).await
}

async fn invoke(world: &World, instance: &mut Function, event: &Value) -> Result<Work> {
    let (counts, before) = (world.aws.counts(), instance.processor_time()?);
    instance.invoke(serde_json::to_vec(event)?).await?;
    sleep(SETTLING).await;
    let spent = instance.processor_time()?.saturating_sub(before);
    world.aws.check()?;
    Ok(Work::of(spent, &world.aws.counts().since(&counts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_added_and_subtracted_figure_by_figure() {
        let work = |cpu_ms: f64, calls: f64| Work { cpu_ms, calls, ..Work::default() };
        let sum = work(1.0, 2.0).plus(&work(2.0, 3.0)).minus(&work(1.0, 1.0)).times(2.0);
        assert_eq!((sum.cpu_ms, sum.calls, sum.read_units), (4.0, 8.0, 0.0));
        let median = Work::median(&[work(1.0, 5.0), work(3.0, 1.0), work(2.0, 2.0)]);
        assert_eq!((median.cpu_ms, median.calls), (2.0, 2.0));
    }
}
