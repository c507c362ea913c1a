//! Prints what was measured as tables.

mod crowds;
mod dollars;
mod growth;
mod isolation;
mod later;
mod loads;
mod printed;
mod requests;

use self::printed::Table;
use crate::dollars::Prices;
use crate::goals::{Figures, Goal};

pub(crate) fn print(figures: &Figures, goals: &[Goal], prices: &Prices) {
    floor(figures);
    loads::loads(figures);
    loads::deliver(figures);
    loads::fanout(figures);
    loads::calls(figures);
    loads::failing(figures);
    isolation::isolation(figures);
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
