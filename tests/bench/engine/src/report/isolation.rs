//! Prints how much a destination that hangs delays others.

use super::printed::Table;
use crate::goals::Figures;

pub(super) fn isolation(figures: &Figures) {
    let Some(isolation) = &figures.isolation else { return };
    let mut table = Table::new(&[
        "round",
        "deliveries",
        "p50",
        "p99",
        "most",
        "p99 in warm ones",
        "instances started",
        "most at work",
    ]);
    for (name, round) in [("all answer", &isolation.without), ("one hangs", &isolation.with)] {
        let cells = [
            round.deliveries.to_string(),
            format!("{:.1}", round.p50_ms),
            format!("{:.1}", round.p99_ms),
            format!("{:.1}", round.most_ms),
            format!("{:.1}", round.warm_p99_ms),
            round.started.to_string(),
            round.most_at_work.to_string(),
        ];
        table.row(name, cells);
    }
    table.print(&format!(
        "Deliveries to 99 destinations, from the queue to the receiver, in ms: to the one that hangs, {} were attempted and {} parked",
        isolation.attempted, isolation.parked
    ));
}
