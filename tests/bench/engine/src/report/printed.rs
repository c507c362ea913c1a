//! How a table is printed.

/// A table whose first column is text and whose other columns are figures.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|&title| title.to_owned()).collect()] }
    }

    pub(super) fn row(&mut self, first: impl Into<String>, figures: impl IntoIterator<Item = String>) {
        self.rows.push(std::iter::once(first.into()).chain(figures).collect());
    }

    /// Nothing, if there is no row.
    pub(super) fn print(&self, title: &str) {
        if self.rows.len() < 2 {
            return;
        }
        println!("{title}");
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.len()).max();
        for row in &self.rows {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = width(column).unwrap_or_default();
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            println!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        println!();
    }
}
