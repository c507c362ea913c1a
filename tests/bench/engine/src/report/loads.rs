//! Prints what loads take, healthy ones and those in which something fails.

use super::printed::Table;
use crate::KB;
use crate::allocations::Allocations;
use crate::goals::Figures;
use crate::load::{Measured, Taken};

fn name(load: &Measured) -> String {
    format!("{}, {} KB, fan-out {}", load.over.name(), load.bytes / KB, load.fan_out)
}

fn batch(taken: &Taken) -> String {
    format!("{:.1} / {:.1}", taken.batch_p50_ms, taken.batch_p99_ms)
}

pub(super) fn loads(figures: &Figures) {
    let mut table = Table::new(&[
        "load",
        "fanout, event",
        "deliver, delivery",
        "together, delivery",
        "fanout p50/p99",
        "deliver p50/p99",
        "fanout MiB",
        "deliver MiB",
    ]);
    for load in &figures.loads {
        let cells = [
            format!("{:.3}", load.fanout.cpu_ms),
            format!("{:.3}", load.deliver.cpu_ms),
            format!("{:.3}", load.together()),
            batch(&load.fanout),
            batch(&load.deliver),
            format!("{:.1}", load.fanout.peak_mib),
            format!("{:.1}", load.deliver.peak_mib),
        ];
        table.row(name(load), cells);
    }
    table.print("Processor time in ms, time of a batch of ten (of one event, at fan-out 10000) in ms, and peak memory");
}

/// The floor signs and posts 1 KB, so it is compared with nothing else.
pub(super) fn deliver(figures: &Figures) {
    let mut table = Table::new(&[
        "load",
        "a second of a core",
        "ms",
        "/ floor",
        "allocations",
        "KB",
        "connections",
        "full handshakes",
    ]);
    for load in &figures.loads {
        let floor = if load.bytes == KB { figures.floor.of(load.over) } else { f64::NAN };
        let [count, bytes] = allocated(&load.deliver_allocates);
        let cells = [
            format!("{:.0}", load.deliveries_a_second()),
            format!("{:.3}", load.deliver.cpu_ms),
            format!("{:.2}", load.deliver.cpu_ms / floor).replace("NaN", "-"),
            count,
            bytes,
            format!("{:.2}", load.connections_of_a_delivery),
            format!("{:.2}", load.full_handshakes_of_a_delivery),
        ];
        table.row(name(load), cells);
    }
    table.print("deliver: deliveries in a second of a core, and what each takes");
}

pub(super) fn fanout(figures: &Figures) {
    let mut table = Table::new(&["load", "a second of a core", "ms", "allocations", "KB"]);
    for load in &figures.loads {
        let [count, bytes] = allocated(&load.fanout_allocates);
        let (rate, ms) = (1_000.0 / load.fanout.cpu_ms, format!("{:.3}", load.fanout.cpu_ms));
        table.row(name(load), [format!("{rate:.0}"), ms, count, bytes]);
    }
    table.print("fanout: events in a second of a core, and what each takes");
}

fn allocated(allocations: &Allocations) -> [String; 2] {
    [format!("{:.0}", allocations.count), format!("{:.1}", allocations.bytes / 1_024.0)]
}

pub(super) fn calls(figures: &Figures) {
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
                format!("{}: {function}", name(load)),
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

pub(super) fn failing(figures: &Figures) {
    let mut table =
        Table::new(&["load", "fanout, event", "deliver, delivery", "fanout p50/p99", "deliver p50/p99", "MiB"]);
    for load in &figures.failing {
        let cells = [
            format!("{:.3}", load.fanout.cpu_ms),
            format!("{:.3}", load.deliver.cpu_ms),
            batch(&load.fanout),
            batch(&load.deliver),
            format!("{:.1}", load.deliver.peak_mib),
        ];
        table.row(format!("{} KB, fan-out {}, {}", load.bytes / KB, load.fan_out, load.what), cells);
    }
    table.print("Where something fails: processor time in ms with all attempts of a delivery, time of a batch of first attempts in ms, peak memory of deliver");
}
