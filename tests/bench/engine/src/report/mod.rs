//! Prints what was measured as tables.

mod crowds;
mod dollars;
mod growth;
mod later;
mod printed;
mod requests;

use self::printed::Table;
use crate::dollars::Prices;
use crate::goals::{Figures, Goal};
use crate::load::{Measured, Taken};

fn size(bytes: usize) -> String {
    format!("{} KB", bytes / 1_024)
}

pub(crate) fn print(figures: &Figures, goals: &[Goal], prices: &Prices) {
    floor(figures);
    loads(figures);
    calls(figures);
    crowds::crowds(figures);
    later::redrive(figures);
    requests::requests(figures);
    cold_starts(figures);
    dollars::bills(figures, prices);
    dollars::month(figures);
    growth::growth(figures);
    judged(goals);
}

fn floor(figures: &Figures) {
    let floor = &figures.floor;
    let mut table = Table::new(&["connection", "ms"]);
    for (what, ms) in [
        ("HTTP, kept", floor.kept),
        ("HTTP, one each", floor.new),
        ("HTTPS, kept", floor.tls_kept),
        ("HTTPS, one each, session resumed", floor.tls_resumed),
        ("HTTPS, one each, full handshake", floor.tls_full),
    ] {
        table.row(what, [format!("{ms:.3}")]);
    }
    table.print("The floor: signing 1 KB and posting it, processor time of a request");
}

fn loads(figures: &Figures) {
    let mut table = Table::new(&[
        "load",
        "fanout, event",
        "deliver, delivery",
        "together, delivery",
        "fanout p50/p99",
        "deliver p50/p99",
        "fanout MiB",
        "deliver MiB",
        "connections",
        "full handshakes",
    ]);
    for load in &figures.loads {
        let batch = |taken: &Taken| format!("{:.1} / {:.1}", taken.batch_p50_ms, taken.batch_p99_ms);
        let first = format!("{}, {}, fan-out {}", load.scheme.to_uppercase(), size(load.bytes), load.fan_out);
        let cells = [
            format!("{:.3}", load.fanout.cpu_ms),
            format!("{:.3}", load.deliver.cpu_ms),
            format!("{:.3}", load.together()),
            batch(&load.fanout),
            batch(&load.deliver),
            format!("{:.1}", load.fanout.peak_mib),
            format!("{:.1}", load.deliver.peak_mib),
            format!("{:.2}", load.connections_of_a_delivery),
            format!("{:.2}", load.full_handshakes_of_a_delivery),
        ];
        table.row(first, cells);
    }
    table.print("Processor time in ms, time of a batch of ten (of one event, at fan-out 10000) in ms, peak memory, connections and full handshakes of a delivery");
}

fn calls(figures: &Figures) {
    let mut table = Table::new(&[
        "load",
        "calls of a batch",
        "items",
        "KB to AWS",
        "SQS requests",
        "read units",
        "write units",
        "KB stored",
    ]);
    for load in &figures.loads {
        for (function, taken) in [("fanout, event", &load.fanout), ("deliver, delivery", &load.deliver)] {
            table.row(
                name(load, function),
                [
                    format!("{:.0}", taken.calls_of_a_batch),
                    format!("{:.2}", taken.per_record(|counts| counts.table.items)),
                    format!("{:.2}", taken.per_record(|counts| counts.bytes_to_aws) / 1_024.0),
                    format!("{:.2}", taken.per_record(|counts| counts.queue_requests)),
                    format!("{:.2}", taken.per_record(|counts| counts.table.read_units)),
                    format!("{:.2}", taken.per_record(|counts| counts.table.write_units)),
                    format!("{:.2}", taken.per_record(|counts| counts.table.stored) / 1_024.0),
                ],
            );
        }
    }
    table.print("What AWS counts: the calls of a batch of ten (of one event, at fan-out 10000), all else for a record");
}

fn name(load: &Measured, function: &str) -> String {
    format!("{}, {}, fan-out {}: {function}", load.scheme.to_uppercase(), size(load.bytes), load.fan_out)
}

fn cold_starts(figures: &Figures) {
    let mut table = Table::new(&[
        "function",
        "MB",
        "poll",
        "p95",
        "answer",
        "p95",
        "poll at 0.145",
        "p95",
        "answer at 0.145",
        "p95",
        "poll at 0.29",
        "p95",
        "answer at 0.29",
        "p95",
    ]);
    for start in &figures.cold_starts {
        let free = [start.free.poll, start.free.answer].concat();
        let shared = [start.with_share, start.with_twice_the_share]
            .into_iter()
            .flat_map(|times| times.map_or(vec![f64::NAN; 4], |times| [times.poll, times.answer].concat()));
        let cells = free.into_iter().chain(shared).map(|ms| format!("{ms:.1}").replace("NaN", "-"));
        table.row(&start.function, std::iter::once(format!("{:.1}", start.size / 1e6)).chain(cells));
    }
    table.print("Cold start in ms: from spawning to the first poll, and to the end of the first invocation; median and p95 of 30");
    if figures.cold_starts.iter().any(|start| start.with_share.is_none()) {
        println!(
            "  (no share of a processor could be set: that needs a writable group of processes, cgroup v1 or v2)\n"
        );
    }
}

fn judged(goals: &[Goal]) {
    let mut table = Table::new(&["goal", "figure", "at most", ""]);
    for goal in goals {
        let verdict = match (goal.figure, goal.is_missed()) {
            (None, _) => "not measured",
            (_, true) => "MISSED",
            _ => "met",
        };
        let figure = goal.figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.2} {}", goal.unit));
        let most = format!("{:.2} {}", goal.most, goal.unit);
        table.row(&goal.what, [figure.trim_end().to_owned(), most.trim_end().to_owned(), verdict.to_owned()]);
    }
    table.print("Goals");
}
