//! Prints how what was measured grows.

use super::printed::Table;
use crate::goals::Figures;

pub(super) fn growth(figures: &Figures) {
    let mut table = Table::new(&["processor time", "exponent", "from", "to", "ms", "to"]);
    for growth in &figures.growth {
        let (Some(first), Some(last)) = (growth.points.first(), growth.points.last()) else { continue };
        let cells = [
            format!("{:.2}", growth.exponent),
            format!("{:.0}", first.0),
            format!("{:.0}", last.0),
            format!("{:.3}", first.1),
            format!("{:.3}", last.1),
        ];
        table.row(&growth.what, cells);
    }
    table.print("Growth with the size of the input: the exponent that fits best (1 is proportional), from the smallest to the largest");
}
