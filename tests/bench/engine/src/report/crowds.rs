//! Prints what `fanout` takes among many subscriptions.

use super::printed::Table;
use crate::goals::Figures;

pub(super) fn crowds(figures: &Figures) {
    let mut table =
        Table::new(&["subscriptions", "event", "first batch", "its read units", "p50 / p99 of a batch", "MiB"]);
    for crowd in &figures.crowds {
        let others = if crowd.with_conditions { "conditions that do not match" } else { "other places" };
        let taken = &crowd.fanout;
        let cells = [
            format!("{:.3}", taken.cpu_ms),
            format!("{:.1}", taken.first_batch_ms),
            format!("{:.0}", taken.first_batch_read_units),
            format!("{:.1} / {:.1}", taken.batch_p50_ms, taken.batch_p99_ms),
            format!("{:.1}", taken.peak_mib),
        ];
        table.row(format!("{}, {others}", crowd.subscriptions), cells);
    }
    table.print("fanout in an account with many subscriptions, of which one leads anywhere: processor time in ms");
}
