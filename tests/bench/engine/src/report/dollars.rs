//! Prints what deliveries cost, and a month without any.

use super::printed::Table;
use crate::dollars::Prices;
use crate::goals::Figures;

pub(super) fn bills(figures: &Figures, prices: &Prices) {
    let heads = figures.bills.iter().map(|bill| bill.what.clone());
    let heads: Vec<_> = std::iter::once("component".to_owned()).chain(heads).collect();
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    let Some(first) = figures.bills.first() else { return };
    for (row, (name, _)) in first.components.iter().enumerate() {
        table.row(*name, figures.bills.iter().map(|bill| format!("{:.3}", bill.components[row].1)));
    }
    table.row("all", figures.bills.iter().map(|bill| format!("{:.2}", bill.total())));
    for (row, (memory, _)) in first.lambda_by_memory.iter().enumerate() {
        let dollars = figures.bills.iter().map(|bill| format!("{:.3}", bill.lambda_by_memory[row].1));
        table.row(format!("(Lambda with {memory:.0} MB)"), dollars);
    }
    table.print(&format!(
        "Dollars for a million deliveries in full batches, without egress, at list prices of {}",
        prices.checked
    ));
}

pub(super) fn month(figures: &Figures) {
    let Some(month) = &figures.month else { return };
    let mut table = Table::new(&["component", "dollars"]);
    for (name, dollars) in &month.components {
        table.row(*name, [format!("{dollars:.3}")]);
    }
    table.row("all", [format!("{:.2}", month.total())]);
    table.print("A month in which nothing happens, without what is stored");
}
