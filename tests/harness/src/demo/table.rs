//! The table at the end of the demo: one line for each expected delivery, with its result.
//!
//! It shows only what a receiver can know.

use serde_json::Value;

use crate::receiver::Received;

const HEADINGS: [&str; 6] = ["set-up", "event", "destination", "attempt", "status", "signature"];
const MISSING: &str = "-";

/// One expected delivery.
#[derive(Debug, Clone)]
pub(super) struct Line {
    set_up: &'static str,
    event: String,
    event_id: String,
    path: String,
    arrived: Option<Received>,
}

impl Line {
    pub(super) fn expected(set_up: &'static str, sample: &str, event: &Value, path: &str) -> Self {
        Self {
            set_up,
            event: sample.trim_start_matches("demo-").to_owned(),
            event_id: event["id"].as_str().unwrap_or_default().to_owned(),
            path: path.to_owned(),
            arrived: None,
        }
    }

    pub(super) fn is_about(&self, request: &Received) -> bool {
        request.path == self.path && request.event_id() == self.event_id
    }

    /// The latest request that belongs to this delivery.
    pub(super) fn find<'r>(&self, requests: &'r [Received]) -> Option<&'r Received> {
        requests.iter().rev().find(|request| self.is_about(request))
    }

    pub(super) fn filled_from(mut self, requests: &[Received]) -> Self {
        self.arrived = self.find(requests).cloned();
        self
    }

    pub(super) fn is_verified(&self) -> bool {
        self.arrived.as_ref().is_some_and(|request| request.verified.is_ok())
    }

    fn cells(&self) -> [String; 6] {
        let [attempt, status, signature] = match &self.arrived {
            None => [MISSING.to_owned(), "did not arrive".to_owned(), MISSING.to_owned()],
            Some(request) => {
                let status = request.answered.map_or_else(|| MISSING.to_owned(), |status| status.to_string());
                let signature = request.verified.as_ref().map_or_else(Clone::clone, |()| "verified".to_owned());
                [request.attempt().to_string(), status, signature]
            }
        };
        // The account's name distinguishes the accounts of several runs, but not the destinations of one.
        let destination = self.path.rsplit('/').next().unwrap_or_default();
        [self.set_up.to_owned(), self.event.clone(), format!("…/{destination}"), attempt, status, signature]
    }
}

/// The lines in columns, with headings.
pub(super) fn table(lines: &[Line]) -> String {
    let headings = HEADINGS.map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(headings).chain(lines.iter().map(Line::cells)).collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let rule = widths.map(|width| "─".repeat(width)).join("  ");
    let mut text: Vec<String> = rows.iter().map(|row| aligned(row, &widths)).collect();
    text.insert(1, rule);
    text.join("\n")
}

fn aligned(row: &[String; 6], widths: &[usize; 6]) -> String {
    let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    cells.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let line = Line::expected("one URL", "demo-sync", &json!({"id": "evt-1"}), "/acme/everything");
        let expected = "\
set-up   event  destination   attempt  status          signature
───────  ─────  ────────────  ───────  ──────────────  ─────────
one URL  sync   …/everything  -        did not arrive  -";
        assert_eq!(table(&[line]), expected);
    }
}
