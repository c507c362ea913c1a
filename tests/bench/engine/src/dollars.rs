//! What a million deliveries cost, by component: counted calls, units, bytes and processor time, at the list prices of
//! `prices.json`. What is assumed or reckoned and not counted stands there too, with its reason.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::load::{Measured, Taken};
use crate::world::BATCH;

const MILLION: f64 = 1_000_000.0;
const GB: f64 = 1_000_000_000.0;
/// SQS counts a request for each 64 KB.
const QUEUE_BLOCK: f64 = 65_536.0;
const METRICS: &str = "logs: lines of metrics";
/// The sizes of memory of which the curve is told, in MB.
const SIZES: [f64; 6] = [128.0, 192.0, 256.0, 512.0, 1_024.0, 1_769.0];

#[derive(Debug, Deserialize)]
pub(crate) struct Prices {
    pub(crate) checked: String,
    dollars: Dollars,
    assumed: Assumed,
}

#[derive(Debug, Deserialize)]
struct Dollars {
    lambda_gb_second: f64,
    lambda_million_requests: f64,
    queue_million_requests: f64,
    queue_million_grouped_messages: f64,
    table_million_write_units: f64,
    table_million_read_units: f64,
    table_gb_month: f64,
    log_gb: f64,
}

#[derive(Debug, Deserialize)]
struct Assumed {
    memory_mb: f64,
    memory_mb_of_a_processor: f64,
    fanout_waits_ms: f64,
    deliver_waits_ms: f64,
    audit_read_units_of_an_event: f64,
    audit_read_units_of_a_delivery: f64,
    statistics_dollars_of_a_million_deliveries: f64,
    kept_months: f64,
    log_bytes_added_to_a_line: f64,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bill {
    pub(crate) fan_out: usize,
    pub(crate) bytes: usize,
    pub(crate) components: Vec<(&'static str, f64)>,
    /// Dollars for Lambda by the memory that both functions have.
    pub(crate) lambda_by_memory: Vec<(f64, f64)>,
}

impl Bill {
    /// What lines of metrics cost: a healthy batch logs nothing else.
    pub(crate) fn metrics(&self) -> f64 {
        self.components.iter().find(|(name, _)| *name == METRICS).map_or(f64::NAN, |(_, dollars)| *dollars)
    }

    pub(crate) fn total(&self) -> f64 {
        self.components.iter().map(|(_, dollars)| dollars).sum()
    }
}

impl Prices {
    pub(crate) fn read() -> Result<Self> {
        Ok(serde_json::from_str(include_str!("../prices.json"))?)
    }

    /// For a million deliveries in full batches.
    pub(crate) fn bill(&self, measured: &Measured) -> Bill {
        let (price, assumed) = (&self.dollars, &self.assumed);
        let deliveries = MILLION;
        let events = deliveries / measured.fan_out as f64;
        let requests = |count: f64| count * price.queue_million_requests / MILLION;
        // A message that is sent alone; and batches that are received, and deleted with one request.
        let sent_alone = |bytes: f64| blocks(bytes);
        let received = |bytes: f64| (blocks(bytes * BATCH as f64) + 1.0) / BATCH as f64;
        let event_bytes = measured.bytes as f64;
        let (fanout, deliver) = (&measured.fanout, &measured.deliver);
        let writes = |taken: &Taken| taken.per_record(|counts| counts.table.write_units);
        let reads = |taken: &Taken| taken.per_record(|counts| counts.table.read_units);
        let stored = |taken: &Taken| taken.per_record(|counts| counts.table.stored) * price.table_gb_month / GB;
        let write_price = price.table_million_write_units / MILLION;
        let read_price = price.table_million_read_units / MILLION;
        let audit = events * assumed.audit_read_units_of_an_event + deliveries * assumed.audit_read_units_of_a_delivery;
        let added = assumed.log_bytes_added_to_a_line / BATCH as f64;
        let logged = |taken: &Taken| taken.log_bytes_of_a_record + added;
        let logs = events * logged(fanout) + deliveries * logged(deliver);
        let sent = fanout.per_record(|counts| counts.queue_requests);
        let components = vec![
            ("events: sent by producers", requests(events * sent_alone(event_bytes))),
            ("events: received and deleted", requests(events * received(event_bytes))),
            ("deliveries: sent", requests(events * sent)),
            ("deliveries: received and deleted", requests(deliveries * received(measured.message_bytes))),
            ("message groups", (events + deliveries) * price.queue_million_grouped_messages / MILLION),
            ("writes of fanout", events * writes(fanout) * write_price),
            ("writes of deliver", deliveries * writes(deliver) * write_price),
            ("reads of fanout", events * reads(fanout) * read_price),
            ("reads of deliver", deliveries * reads(deliver) * read_price),
            ("Lambda: fanout", self.fanout(measured, assumed.memory_mb)),
            ("Lambda: deliver", self.deliver(measured, assumed.memory_mb)),
            ("audit (reckoned)", audit * read_price),
            ("statistics (reckoned)", assumed.statistics_dollars_of_a_million_deliveries),
            ("storage", (events * stored(fanout) + deliveries * stored(deliver)) * assumed.kept_months),
            (METRICS, logs * price.log_gb / GB),
        ];
        let lambda = |memory: f64| (memory, self.fanout(measured, memory) + self.deliver(measured, memory));
        let lambda_by_memory = SIZES.map(lambda).to_vec();
        Bill { fan_out: measured.fan_out, bytes: measured.bytes, components, lambda_by_memory }
    }

    fn fanout(&self, measured: &Measured, memory: f64) -> f64 {
        let batches = MILLION / measured.fan_out as f64 / BATCH as f64;
        batches * self.invocation(measured.fanout.cpu_ms * BATCH as f64, self.assumed.fanout_waits_ms, memory)
    }

    fn deliver(&self, measured: &Measured, memory: f64) -> f64 {
        let batches = MILLION / BATCH as f64;
        batches * self.invocation(measured.deliver.cpu_ms * BATCH as f64, self.assumed.deliver_waits_ms, memory)
    }

    /// An invocation with `memory` MB that takes so many milliseconds of a processor, of which it has a share, and waits for
    /// so many.
    fn invocation(&self, cpu_ms: f64, waits_ms: f64, memory: f64) -> f64 {
        let share = memory / self.assumed.memory_mb_of_a_processor;
        let seconds = (cpu_ms / share + waits_ms).ceil() / 1_000.0;
        self.dollars.lambda_million_requests / MILLION + seconds * memory / 1_024.0 * self.dollars.lambda_gb_second
    }
}

fn blocks(bytes: f64) -> f64 {
    (bytes / QUEUE_BLOCK).ceil().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Counts;
    use crate::table::Cost;

    /// Ten records, whose sums are these.
    fn taken(
        log_bytes: f64,
        cpu_ms: f64,
        queue_requests: f64,
        read_units: f64,
        write_units: f64,
        stored: f64,
    ) -> Taken {
        let table = Cost { items: 10.0, read_units, write_units, stored };
        let counts = Counts { queue_requests, table, ..Counts::default() };
        Taken {
            cpu_ms,
            first_batch_ms: 9.0,
            first_batch_read_units: 1.0,
            batch_p50_ms: 1.0,
            batch_p99_ms: 1.0,
            peak_mib: 9.0,
            calls_of_a_batch: 1.0,
            log_bytes_of_a_record: log_bytes / 10.0,
            records: 10.0,
            counts,
        }
    }

    fn measured() -> Measured {
        Measured {
            scheme: "http",
            fan_out: 3,
            bytes: 1_024,
            fanout: taken(474.0, 0.6, 10.0, 10.0, 30.0, 17_000.0),
            deliver: taken(614.0, 0.4, 0.0, 0.0, 10.0, 4_000.0),
            message_bytes: 1_300.0,
            connections_of_a_delivery: 1.0,
            full_handshakes_of_a_delivery: 0.0,
        }
    }

    #[test]
    fn a_million_deliveries_cost_what_the_page_on_cost_says() {
        let bill = Prices::read().expect("prices").bill(&measured());
        let expected = [
            ("events: sent by producers", 0.133),
            ("events: received and deleted", 0.027),
            ("deliveries: sent", 0.133),
            ("deliveries: received and deleted", 0.080),
            ("message groups", 0.133),
            ("writes of fanout", 0.625),
            ("writes of deliver", 0.625),
            ("reads of fanout", 0.042),
            ("reads of deliver", 0.000),
            ("audit (reckoned)", 0.027),
            ("statistics (reckoned)", 0.060),
            ("storage", 0.242),
            ("logs: lines of metrics", 0.040),
        ];
        for (name, dollars) in expected {
            let found = bill.components.iter().find(|(component, _)| *component == name).expect(name).1;
            assert!((found - dollars).abs() < 0.001, "{name}: {found}");
        }
    }

    #[test]
    fn an_invocation_is_billed_for_its_share_of_a_processor_and_for_waiting() {
        let prices = Prices::read().expect("prices");
        // 6 ms of a processor take 41.5 ms with 256 MB, and 15 ms are waited: 57 are billed.
        let expected = 0.20 / MILLION + 0.057 * 0.25 * 0.0000133334;
        assert!((prices.invocation(6.0, 15.0, 256.0) - expected).abs() < 1e-12);
    }

    #[test]
    fn what_is_larger_than_64_kb_is_several_requests() {
        let of = |bytes: usize, message_bytes: f64| {
            let bill = Prices::read().expect("prices").bill(&Measured { bytes, message_bytes, ..measured() });
            bill.components[3].1
        };
        assert!(
            (of(16_384, 16_900.0) / of(1_024, 1_300.0) - 2.0).abs() < 0.001,
            "3 receives and a deletion, not 1 and 1"
        );
    }

    #[test]
    fn the_page_on_cost_has_the_same_prices() {
        let page = include_str!("../../../../docs/cost.md");
        let price = Prices::read().expect("prices").dollars;
        let per_million = [
            price.queue_million_requests,
            price.queue_million_grouped_messages,
            price.lambda_million_requests,
            price.table_gb_month,
        ];
        for dollars in per_million {
            assert!(page.contains(&format!("${dollars:.2}")), "{dollars}");
        }
        for dollars in [price.table_million_write_units, price.table_million_read_units] {
            assert!(page.contains(&format!("${dollars}")), "{dollars}");
        }
        assert!(page.contains(&format!("${:.10}", price.lambda_gb_second)));
    }
}
