//! The list prices, and what is assumed.

use serde::Deserialize;

use super::MILLION;
use crate::Result;
use crate::redrive::Work;

#[derive(Debug, Deserialize)]
pub(crate) struct Prices {
    pub(crate) checked: String,
    pub(super) dollars: Dollars,
    pub(super) assumed: Assumed,
    pub(super) month: Month,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dollars {
    pub(super) lambda_gb_second: f64,
    pub(super) lambda_million_requests: f64,
    pub(super) queue_million_requests: f64,
    pub(super) queue_million_grouped_messages: f64,
    pub(super) table_million_write_units: f64,
    pub(super) table_million_read_units: f64,
    pub(super) table_gb_month: f64,
    pub(super) log_gb: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Assumed {
    pub(super) memory_mb: f64,
    pub(super) memory_mb_of_a_processor: f64,
    pub(super) fanout_waits_ms: f64,
    pub(super) deliver_waits_ms: f64,
    pub(super) call_waits_ms: f64,
    pub(super) hanging_attempts: f64,
    pub(super) hanging_attempt_seconds: f64,
    pub(super) kept_months: f64,
    pub(super) log_bytes_added_to_a_line: f64,
}

/// What a month costs in which nothing happens, beside what was counted.
#[derive(Debug, Deserialize)]
pub(super) struct Month {
    pub(super) minutes: f64,
    pub(super) key_dollars: f64,
    pub(super) alarm_metrics: f64,
    pub(super) alarm_metric_dollars: f64,
    pub(super) composite_alarm_dollars: f64,
    pub(super) empty_receives: f64,
}

impl Prices {
    pub(crate) fn read() -> Result<Self> {
        Ok(serde_json::from_str(include_str!("../../prices.json"))?)
    }

    /// An invocation with `memory` MB that takes so many milliseconds of a processor, of which it has a share, and waits for
    /// so many.
    pub(super) fn invocation(&self, cpu_ms: f64, waits_ms: f64, memory: f64) -> f64 {
        let share = memory / self.assumed.memory_mb_of_a_processor;
        let seconds = (cpu_ms / share + waits_ms).ceil() / 1_000.0;
        self.dollars.lambda_million_requests / MILLION + self.lambda_seconds(seconds, memory)
    }

    pub(super) fn lambda_seconds(&self, seconds: f64, memory: f64) -> f64 {
        seconds * memory / 1_024.0 * self.dollars.lambda_gb_second
    }

    /// What work of `redrive` costs that is done within runs that there are anyway: units, messages, and its time.
    pub(super) fn work(&self, work: &Work) -> f64 {
        let (price, memory) = (&self.dollars, self.assumed.memory_mb);
        let seconds = work.cpu_ms / 1_000.0 * self.assumed.memory_mb_of_a_processor / memory;
        let units =
            work.read_units * price.table_million_read_units + work.write_units * price.table_million_write_units;
        (units + work.queue_requests * price.queue_million_requests) / MILLION + self.lambda_seconds(seconds, memory)
    }
}
