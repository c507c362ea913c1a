//! Prints what requests take.

use super::printed::Table;
use crate::goals::Figures;

pub(super) fn requests(figures: &Figures) {
    let mut table = Table::new(&["request", "ms", "calls", "read units", "write units", "KB of the answer"]);
    for request in &figures.requests {
        let cells = [
            format!("{:.2}", request.cpu_ms),
            format!("{:.1}", request.calls),
            format!("{:.1}", request.read_units),
            format!("{:.1}", request.write_units),
            format!("{:.1}", request.answer_bytes / 1_024.0),
        ];
        table.row(format!("{}: {}", request.function, request.what), cells);
    }
    table
        .print("Requests in an account with 10 destinations and 4,000 deliveries: processor time, and what AWS counts");
}
