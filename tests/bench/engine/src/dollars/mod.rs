//! What a million deliveries cost, by component: counted calls, units, bytes and processor time, at the list prices of
//! `prices.json`. What is assumed or reckoned and not counted stands there too, with its reason.

mod month;
mod prices;

use serde::Serialize;

pub(crate) use self::month::Month;
pub(crate) use self::prices::Prices;
use crate::failing::Failing;
use crate::ledger::Ledger;
use crate::load::{Measured, Taken};
use crate::redrive::Work;
use crate::world::BATCH;

const MILLION: f64 = 1_000_000.0;
const GB: f64 = 1_000_000_000.0;
/// SQS counts a request for each 64 KB.
const QUEUE_BLOCK: f64 = 65_536.0;
const LOGS: &str = "logs";
/// The sizes of memory of which the curve is told, in MB.
const SIZES: [f64; 6] = [128.0, 192.0, 256.0, 512.0, 1_024.0, 1_769.0];

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bill {
    pub(crate) what: String,
    pub(crate) is_healthy: bool,
    pub(crate) fan_out: usize,
    pub(crate) bytes: usize,
    pub(crate) components: Vec<(&'static str, f64)>,
    /// Dollars for Lambda by the memory that both functions have.
    pub(crate) lambda_by_memory: Vec<(f64, f64)>,
}

impl Bill {
    /// What logs cost. A healthy batch logs a line of metrics and nothing else.
    pub(crate) fn logs(&self) -> f64 {
        self.components.iter().find(|(name, _)| *name == LOGS).map_or(f64::NAN, |(_, dollars)| *dollars)
    }

    pub(crate) fn total(&self) -> f64 {
        self.components.iter().map(|(_, dollars)| dollars).sum()
    }
}

/// A load as it is billed.
struct Billed<'m> {
    what: String,
    is_healthy: bool,
    fan_out: usize,
    bytes: usize,
    fanout: &'m Taken,
    deliver: &'m Taken,
    message_bytes: f64,
    /// How often a message is received.
    receives: f64,
    hangs: bool,
}

impl Prices {
    /// For a million deliveries in full batches, and what `redrive` took for such.
    pub(crate) fn bill(&self, measured: &Measured, ledger: &Ledger) -> Bill {
        let Measured { fan_out, bytes, ref fanout, ref deliver, message_bytes, .. } = *measured;
        let what = format!("{} KB, fan-out {fan_out}", bytes / 1_024);
        let (is_healthy, receives, hangs) = (true, 1.0, false);
        self.billed(
            Billed { what, is_healthy, fan_out, bytes, fanout, deliver, message_bytes, receives, hangs },
            ledger,
        )
    }

    /// The same where some fail. Audit and statistics are taken to cost as much as those of healthy ones.
    pub(crate) fn bill_failing(&self, failing: &Failing, ledger: &Ledger) -> Bill {
        let Failing { what, fan_out, bytes, ref fanout, ref deliver, message_bytes, receives, hangs } = *failing;
        let (what, is_healthy) = (format!("fan-out {fan_out}, {what}"), false);
        self.billed(
            Billed { what, is_healthy, fan_out, bytes, fanout, deliver, message_bytes, receives, hangs },
            ledger,
        )
    }

    fn billed(&self, billed: Billed<'_>, ledger: &Ledger) -> Bill {
        let (components, lambda_by_memory) = (self.components(&billed, ledger), self.lambda_by_memory(&billed));
        let Billed { what, is_healthy, fan_out, bytes, .. } = billed;
        Bill { what, is_healthy, fan_out, bytes, components, lambda_by_memory }
    }

    fn components(&self, billed: &Billed<'_>, ledger: &Ledger) -> Vec<(&'static str, f64)> {
        let (price, assumed) = (&self.dollars, &self.assumed);
        let deliveries = MILLION;
        let events = deliveries / billed.fan_out as f64;
        let requests = |count: f64| count * price.queue_million_requests / MILLION;
        // A batch is received, once or again, and deleted with one request.
        let received = |bytes: f64, times: f64| (blocks(bytes * BATCH as f64) * times + 1.0) / BATCH as f64;
        let (fanout, deliver) = (billed.fanout, billed.deliver);
        let writes = |taken: &Taken| taken.per_record(|counts| counts.table.write_units);
        let reads = |taken: &Taken| taken.per_record(|counts| counts.table.read_units);
        let stored = |taken: &Taken| taken.per_record(|counts| counts.table.stored) * price.table_gb_month / GB;
        let sent = |taken: &Taken| taken.per_record(|counts| counts.queue_requests);
        let write_price = price.table_million_write_units / MILLION;
        let read_price = price.table_million_read_units / MILLION;
        let added = assumed.log_bytes_added_to_a_line / BATCH as f64;
        let logged = |taken: &Taken| taken.log_bytes_of_a_record + added;
        let logs = events * logged(fanout) + deliveries * logged(deliver);
        let later = |work: &Work| self.work(work) * deliveries / ledger.deliveries;
        let memory = assumed.memory_mb;
        let hanging =
            self.invocation(0.0, assumed.hanging_attempt_seconds * 1_000.0, memory) * assumed.hanging_attempts;
        vec![
            ("events: sent by producers", requests(events * blocks(billed.bytes as f64))),
            ("events: received and deleted", requests(events * received(billed.bytes as f64, 1.0))),
            ("deliveries: sent", requests(events * sent(fanout))),
            (
                "deliveries: received and deleted",
                requests(deliveries * received(billed.message_bytes, billed.receives)),
            ),
            ("deliveries: hidden for a while", requests(deliveries * sent(deliver))),
            ("message groups", (events + deliveries) * price.queue_million_grouped_messages / MILLION),
            ("writes of fanout", events * writes(fanout) * write_price),
            ("writes of deliver", deliveries * writes(deliver) * write_price),
            ("reads of fanout", events * reads(fanout) * read_price),
            ("reads of deliver", deliveries * reads(deliver) * read_price),
            ("Lambda: fanout", self.fanout(billed, memory)),
            ("Lambda: deliver", self.deliver(billed, memory)),
            ("Lambda: what hangs (reckoned)", if billed.hangs { hanging } else { 0.0 }),
            ("redrive: audit", later(&ledger.audit)),
            ("redrive: statistics", later(&ledger.roll_ups)),
            ("storage", (events * stored(fanout) + deliveries * stored(deliver)) * assumed.kept_months),
            (LOGS, logs * price.log_gb / GB),
        ]
    }

    fn lambda_by_memory(&self, billed: &Billed<'_>) -> Vec<(f64, f64)> {
        SIZES.map(|memory| (memory, self.fanout(billed, memory) + self.deliver(billed, memory))).to_vec()
    }

    fn fanout(&self, billed: &Billed<'_>, memory: f64) -> f64 {
        let batches = MILLION / billed.fan_out as f64 / BATCH as f64;
        batches * self.invocation(billed.fanout.cpu_ms * BATCH as f64, self.assumed.fanout_waits_ms, memory)
    }

    fn deliver(&self, billed: &Billed<'_>, memory: f64) -> f64 {
        let batches = MILLION * billed.receives / BATCH as f64;
        let cpu_ms = billed.deliver.cpu_ms / billed.receives * BATCH as f64;
        batches * self.invocation(cpu_ms, self.assumed.deliver_waits_ms, memory)
    }
}

fn blocks(bytes: f64) -> f64 {
    (bytes / QUEUE_BLOCK).ceil().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Over;
    use crate::allocations::Allocations;
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
            over: Over::Http,
            fan_out: 3,
            bytes: 1_024,
            fanout: taken(474.0, 0.6, 10.0, 10.0, 30.0, 17_000.0),
            deliver: taken(614.0, 0.4, 0.0, 0.0, 10.0, 4_000.0),
            message_bytes: 1_300.0,
            connections_of_a_delivery: 1.0,
            full_handshakes_of_a_delivery: 0.0,
            fanout_allocates: Allocations::default(),
            deliver_allocates: Allocations::default(),
        }
    }

    /// As the page on cost reckons it.
    fn ledger() -> Ledger {
        let audit = Work { read_units: 0.5 + 3.0 * 0.05, ..Work::default() };
        let roll_ups = Work { read_units: 0.96, write_units: 0.096, ..Work::default() };
        Ledger { fan_out: 3, events: 1.0, deliveries: 3.0, roll_ups, audit, count_of_roll_ups: 1.0 }
    }

    #[test]
    fn a_million_deliveries_cost_what_the_page_on_cost_says() {
        let bill = Prices::read().expect("prices").bill(&measured(), &ledger());
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
            ("redrive: audit", 0.027),
            ("redrive: statistics", 0.060),
            ("storage", 0.242),
            ("logs", 0.040),
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
            let measured = Measured { bytes, message_bytes, ..measured() };
            let bill = Prices::read().expect("prices").bill(&measured, &ledger());
            bill.components[3].1
        };
        assert!(
            (of(16_384, 16_900.0) / of(1_024, 1_300.0) - 2.0).abs() < 0.001,
            "3 receives and a deletion, not 1 and 1"
        );
    }

    #[test]
    fn the_page_on_cost_has_the_same_prices() {
        let page = include_str!("../../../../../docs/cost.md");
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
