//! The ledger of a period: two equations, in which every number links to the list of what it counts. Each page shows a
//! page of the API and links to the next part, so no page takes longer for a long period or a large account.

mod deliveries;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use domain::value::Timestamp;
use serde::Deserialize;

use crate::markup::address::query;
use crate::markup::shell::Shell;
use crate::markup::{html, icons, shown};
use crate::model::listing::Filters;
use crate::web::failure::Failure;
use crate::web::fields::{Fields, Query};
use crate::web::inner::Api;
use crate::web::portal::Portal;
use crate::web::render;
use crate::web::visitor::Visitor;

const FILTERS: &[&str] = &["since", "until"];
/// The number of disagreeing events that are shown.
const DISAGREEING: usize = 25;
/// The periods that end now: name in the URL, label, and length in hours.
const PERIODS: [(&str, &str, u64); 4] =
    [("1h", "Last hour", 1), ("24h", "24 hours", 24), ("7d", "7 days", 7 * 24), ("31d", "31 days", 31 * 24)];
/// The period that is shown by default.
const USUAL: &str = "24h";

pub fn routes() -> Router<Arc<Portal>> {
    Router::new().route("/ledger", get(show)).route("/ledger/deliveries", get(deliveries::list))
}

/// One page of the API's ledger.
#[derive(Deserialize)]
struct Part {
    since: Timestamp,
    until: Timestamp,
    accepted: Number,
    unmatched: Number,
    unmatched_reasons: Reasons,
    matched: Number,
    owed: Number,
    delivered: Number,
    retrying: Number,
    parked: Number,
    exhausted: Number,
    cancelled: Number,
    pending: Number,
    recovered_by_audit: Number,
    closes: bool,
    disagreeing: Vec<String>,
    next_cursor: Option<String>,
}

/// Why events owe nothing.
#[derive(Deserialize)]
struct Reasons {
    /// How many are about the account's own destinations and deliveries.
    operational: u64,
}

/// One number of the ledger, and the path of the API's list of what it counts.
#[derive(Deserialize)]
struct Number {
    count: u64,
    list: String,
}

impl Number {
    /// The page that lists what it counts. Its path is that of the API's list without `/v1`, and it has the same
    /// parameters.
    fn link(&self) -> &str {
        self.list.strip_prefix("/v1").unwrap_or("/events")
    }

    fn shown(&self) -> String {
        html::grouped(self.count)
    }
}

impl Part {
    fn events(&self) -> [(&'static str, &'static str, &Number); 3] {
        [("", "accepted", &self.accepted), ("=", "unmatched", &self.unmatched), ("+", "matched", &self.matched)]
    }

    fn deliveries(&self) -> [(&'static str, &'static str, &Number); 7] {
        [
            ("", "owed", &self.owed),
            ("=", "delivered", &self.delivered),
            ("+", "retrying", &self.retrying),
            ("+", "parked", &self.parked),
            ("+", "exhausted", &self.exhausted),
            ("+", "cancelled", &self.cancelled),
            ("+", "pending", &self.pending),
        ]
    }
}

#[derive(Template)]
#[template(path = "ledger/ledger.html")]
struct Ledger {
    shell: Shell,
    filters: Filters,
    /// The name of the period if it is one of [`PERIODS`], and empty otherwise.
    last: &'static str,
    /// `None` if a filter is wrong.
    part: Option<Part>,
    /// The address of the page with the next part.
    next: Option<String>,
}

async fn show(State(portal): State<Arc<Portal>>, visitor: Visitor, Query(typed): Query) -> Result<Response, Failure> {
    let shell = visitor.shell("Ledger", "Ledger");
    let (typed, last) = with_period(typed, portal.clock.now());
    let mut filters = Filters::new(typed, FILTERS);
    let part = match page(&visitor.api, &filters).await {
        Ok(part) => Some(part),
        Err(failure) => filters.blame(failure).map(|()| None)?,
    };
    let next = part.as_ref().and_then(|part| part.next_cursor.as_deref());
    let next = next.map(|cursor| filters.next("/ledger", cursor));
    let status = filters.status();
    render::page_with(status, &Ledger { shell, filters, last, part, next })
}

/// Replaces the name of a period by its two ends, and returns the name as well. Every address then has both ends, so
/// that all pages are of the same period.
fn with_period(mut typed: Fields, now: Timestamp) -> (Fields, &'static str) {
    let named = typed.some("since").or(typed.some("until")).is_none();
    let asked = typed.some("last").unwrap_or(USUAL).to_owned();
    let asked = asked.as_str();
    let period = PERIODS.into_iter().find(|(name, ..)| *name == asked || *name == USUAL && !is_known(asked));
    let Some((name, _, hours)) = period.filter(|_| named) else { return (typed, "") };
    let hours = Duration::from_secs(hours * 3_600).as_millis();
    let since = now.unix_ms().saturating_sub(u64::try_from(hours).unwrap_or(u64::MAX));
    typed.set("since", &Timestamp::from_unix_ms(since).to_string());
    typed.set("until", &now.to_string());
    // The name of an unknown period stays, so that the page names it as an ignored parameter.
    if name == asked {
        typed.remove("last");
    }
    (typed, name)
}

fn is_known(period: &str) -> bool {
    PERIODS.iter().any(|(name, ..)| *name == period)
}

/// The part of the period that begins at the cursor of the query.
async fn page(api: &Api, filters: &Filters) -> Result<Part, Failure> {
    let parameters = filters.parameters();
    let parameters = parameters.iter().map(|(name, value)| (*name, value.as_str()));
    let asked = query(parameters.chain(filters.cursor().map(|cursor| ("cursor", cursor))));
    api.get(&format!("/v1/ledger{asked}")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &[(&str, &str)], expected: (&str, &str, &str)) {
        let mut fields = Fields::default();
        typed.iter().for_each(|(name, value)| fields.set(name, value));
        let now = Timestamp::parse("2026-11-23T09:30:00.000Z").expect("a time");
        let (fields, name) = with_period(fields, now);
        assert_eq!((fields.get("since"), fields.get("until"), name), expected);
    }

    #[test]
    fn a_period_has_both_ends_or_those_that_were_typed() {
        let now = "2026-11-23T09:30:00.000Z";
        check(&[], ("2026-11-22T09:30:00.000Z", now, "24h"));
        check(&[("last", "1h")], ("2026-11-23T08:30:00.000Z", now, "1h"));
        check(&[("last", "31d")], ("2026-10-23T09:30:00.000Z", now, "31d"));
        check(&[("last", "<b>")], ("2026-11-22T09:30:00.000Z", now, "24h"));
        check(&[("last", "1h"), ("since", "x")], ("x", "", ""));
        check(&[("until", "y")], ("", "y", ""));
    }
}
