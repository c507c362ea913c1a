//! Prints what `redrive` takes.

use super::printed::Table;
use crate::goals::Figures;
use crate::redrive::Work;

pub(super) fn redrive(figures: &Figures) {
    let heads = ["work", "us", "calls", "read units", "write units", "SQS requests"];
    let cells = |work: &Work, count: f64| {
        let each = [work.calls, work.read_units, work.write_units, work.queue_requests];
        let each = each.map(|figure| format!("{:.3}", figure / count));
        std::iter::once(format!("{:.1}", work.cpu_ms * 1_000.0 / count)).chain(each)
    };
    let mut table = Table::new(&heads);
    for ledger in &figures.ledgers {
        let name = |what: &str| format!("fan-out {}: {what}", ledger.fan_out);
        let both = ledger.roll_ups.plus(&ledger.audit);
        table.row(
            name("statistics, a roll-up of 100 new deliveries"),
            cells(&ledger.roll_ups, ledger.count_of_roll_ups),
        );
        table.row(name("statistics, a delivery"), cells(&ledger.roll_ups, ledger.deliveries));
        table.row(name("audit, an event"), cells(&ledger.audit, ledger.events));
        table.row(name("audit, a delivery"), cells(&ledger.audit, ledger.deliveries));
        table.row(name("both, a delivery"), cells(&both, ledger.deliveries));
    }
    for due in &figures.due {
        table.row(format!("{:.0} due at once, each", due.deliveries), cells(&due.all, due.deliveries));
    }
    if let Some(idle) = &figures.idle {
        table.row("a run with nothing to do", cells(&idle.run, 1.0));
        table.row("the first one of ten minutes", cells(&idle.first_of_a_stretch, 1.0));
    }
    table.print("redrive: processor time, and what AWS counts");
}
