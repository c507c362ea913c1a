//! The statistics of a destination over the last 24 hours, as the API answers them and as the page shows them.

use domain::value::Timestamp;
use serde::Deserialize;

use super::chart::{self, Bar, Size};
use super::hour::Hour;
use crate::markup::html::{grouped, took};
use crate::model::destination;
use crate::web::failure::Failure;
use crate::web::inner::Api;

#[derive(Debug, Deserialize)]
pub struct Stats {
    /// When the numbers were computed, or `None` if there was nothing to count.
    pub computed_at: Option<Timestamp>,
    /// Oldest first.
    pub hours: Vec<Hour>,
    pub delivered: u64,
    pub failed: u64,
    pub parked: u64,
    /// From 0 to 1.
    success_rate: Option<f64>,
    latency_ms: Option<Latency>,
    /// Whether an hour had more deliveries than were counted.
    pub partial: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Latency {
    median: u64,
    p95: u64,
}

impl Stats {
    pub async fn of(api: &Api, id: &str) -> Result<Self, Failure> {
        api.get(&format!("{}/stats", destination::at(id))).await
    }

    /// The success rate and its label. If nothing was attempted yet but deliveries are parked, it is how many of all were
    /// delivered.
    pub fn rate(&self) -> (String, &'static str) {
        match self.success_rate {
            Some(share) => (percent(share), "success rate"),
            None if self.parked > 0 => (format!("0 of {}", grouped(self.parked)), "delivered"),
            None => ("–".to_owned(), "success rate"),
        }
    }

    pub fn median(&self) -> String {
        self.latency_ms.map_or("–".to_owned(), |latency| took(latency.median))
    }

    pub fn p95(&self) -> String {
        self.latency_ms.map_or("–".to_owned(), |latency| took(latency.p95))
    }

    /// The chart in words.
    pub fn label(&self) -> String {
        let [delivered, failed, parked] = [self.delivered, self.failed, self.parked].map(grouped);
        format!("Last 24 hours: {delivered} delivered, {failed} failed, {parked} parked")
    }

    /// The small chart, as one SVG path for each kind of bar. It is short, because a page has many.
    pub fn paths(&self) -> Vec<(&'static str, String)> {
        let bars = chart::bars(&self.hours, Size::SMALL);
        let path = |kind| bars.iter().filter(|bar| bar.kind == kind).map(Bar::path).collect::<String>();
        let paths = chart::KINDS.map(|kind| (kind, path(kind)));
        paths.into_iter().filter(|(_, path)| !path.is_empty()).collect()
    }

    /// The large chart: for each hour its start, its label and its bars.
    pub fn columns(&self) -> Vec<(Timestamp, String, Vec<Bar>)> {
        let bars = chart::bars(&self.hours, Size::LARGE);
        let column = |(at, hour): (usize, &Hour)| {
            (hour.start, hour.label(), bars.iter().filter(|bar| bar.hour == at).copied().collect())
        };
        self.hours.iter().enumerate().map(column).collect()
    }
}

/// A share from 0 to 1 in per cent, rounded down: it is never 100 % if anything failed.
fn percent(share: f64) -> String {
    let tenths = (share.clamp(0.0, 1.0) * 1_000.0 + 1e-9).floor() / 10.0;
    if tenths.fract() == 0.0 { format!("{tenths:.0} %") } else { format!("{tenths:.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(share: f64, expected: &str) {
        assert_eq!(percent(share), expected, "{share}");
    }

    #[test]
    fn a_share_is_never_told_better_than_it_is() {
        check(1.0, "100 %");
        check(0.99999, "99.9 %");
        check(0.973, "97.3 %");
        check(0.5, "50 %");
        check(0.0, "0 %");
        check(7.0, "100 %");
    }
}
