//! `GET /v1/ledger`: what was accepted in a span of time, what that owes and what became of it, with ids behind every
//! number. The numbers are computed from the rows on each request; there are no counters.
//!
//! One answer covers a bounded part of the span, because it may cost no more than 500 read units. The numbers of all
//! pages add up, and an event that owes very much is on several.

pub mod deliveries;
mod reckoned;
pub mod standings;
pub mod walk;
mod window;

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::value::{DeliveryId, EventId, Timestamp};
use ports::{Order, Span};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::reckoned::{Reckoned, Tally, UnmatchedReasons};
use self::walk::Walk;
use self::window::Place;
use crate::web::caller::Reader;
use crate::web::filters::Filters;
use crate::web::pages::PageRequest;
use crate::web::problem::Problem;
use crate::web::{Deps, schemas};

/// The greatest number of events that a page covers.
const EVENTS: usize = 500;

/// Which span of time.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LedgerFilters {
    /// Events that occurred then or later; 24 hours before `until` if left out.
    since: Option<schemas::Moment>,
    /// Events that occurred before, at most 31 days after `since`; now if left out.
    until: Option<schemas::Moment>,
}

/// How much of it at once.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `PageRequest` reads, and is never a value")]
pub struct LedgerPage {
    /// Events that one page covers. It covers fewer where reading them would cost more than 500 read units: about 300 that
    /// owe one delivery each, or one that owes 700.
    #[param(minimum = 1, maximum = 500, default = 500)]
    limit: Option<u16>,
    /// The `next_cursor` of the page before; left out for the first page.
    cursor: Option<String>,
}

/// How many events, and which.
#[derive(Serialize, ToSchema)]
struct EventNumber {
    count: usize,
    /// The first 100 of them at most.
    #[schema(max_items = 100, value_type = Vec<schemas::EventId>)]
    ids: Vec<EventId>,
    /// Whether there are more than `ids` shows.
    truncated: bool,
    /// The path of the list of all of them, on all pages.
    list: String,
}

/// How many deliveries, and which.
#[derive(Serialize, ToSchema)]
struct DeliveryNumber {
    count: usize,
    /// The first 100 of them at most.
    #[schema(max_items = 100, value_type = Vec<schemas::DeliveryId>)]
    ids: Vec<DeliveryId>,
    /// Whether there are more than `ids` shows.
    truncated: bool,
    /// The path of the list of all of them, on all pages.
    list: String,
}

impl DeliveryNumber {
    fn new(tally: Tally<DeliveryId>, span: Span, filter: &str) -> Self {
        let list = format!("/v1/ledger/deliveries?since={}&until={}{filter}", span.since, span.until);
        Self { count: tally.count, truncated: tally.truncated(), ids: tally.ids, list }
    }
}

impl EventNumber {
    fn new(tally: Tally<EventId>, span: Span, status: Option<&str>) -> Self {
        let status = status.map(|status| format!("&status={status}")).unwrap_or_default();
        let list = format!("/v1/events?since={}&until={}{status}", span.since, span.until);
        Self { count: tally.count, truncated: tally.truncated(), ids: tally.ids, list }
    }
}

/// What was owed in a span of time and what became of it: a page of it, of which the numbers add up over all pages.
#[derive(Serialize, ToSchema)]
#[schema(as = Ledger)]
struct LedgerView {
    /// The span, the same on all its pages.
    #[schema(value_type = schemas::Timestamp)]
    since: Timestamp,
    #[schema(value_type = schemas::Timestamp)]
    until: Timestamp,
    /// Events that were accepted and matched with the subscriptions, by the index of events.
    accepted: EventNumber,
    /// Those that owe nothing, by the index.
    unmatched: EventNumber,
    unmatched_reasons: UnmatchedReasons,
    /// Those that owe something, by their own rows.
    matched: EventNumber,
    /// Deliveries that the accepted events owe: the count by the index, the ids by the events' rows.
    owed: DeliveryNumber,
    delivered: DeliveryNumber,
    retrying: DeliveryNumber,
    /// Those that are set aside until their destination is back.
    parked: DeliveryNumber,
    /// Those that were given up: the last attempt failed, or the event was no longer kept.
    exhausted: DeliveryNumber,
    cancelled: DeliveryNumber,
    /// Those that have no row yet.
    pending: DeliveryNumber,
    /// Those of all of them that the audit found without a record, and sent again; whatever became of them then.
    recovered_by_audit: DeliveryNumber,
    /// Whether accepted = unmatched + matched, and owed = delivered + retrying + parked + exhausted + cancelled + pending.
    closes: bool,
    /// The first 100 events, at most, of which index and row tell different things; none where the ledger closes.
    #[schema(max_items = 100, value_type = Vec<schemas::EventId>)]
    disagreeing: Vec<EventId>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
}

/// Read the ledger
///
/// What the events that occurred in a span of time owe, and what became of it, with ids behind every number. A page covers at
/// most 500 events, newest first, and as many deliveries as 500 read units pay for, about 700. An event that owes more is on several
/// pages, and counted as an event on the first. The numbers of all pages add up to those of the span, and the ledger closes if it
/// closes on each. What happens while pages are read is in those that are read after it.
#[utoipa::path(
    get,
    path = "/v1/ledger",
    operation_id = "read_ledger",
    tag = "ledger",
    params(LedgerFilters, LedgerPage),
    responses((status = 200, description = "A page of the ledger.", body = LedgerView))
)]
pub async fn read(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest<EVENTS, EVENTS>,
    Filters(filters): Filters<LedgerFilters>,
) -> Result<Response, Problem> {
    let now = deps.clock.now();
    let asked = window::span(filters.since, filters.until, now)?;
    // The span of a further page comes from the cursor, because the default span has moved since the first page.
    let mut walk = Walk::new(&deps, &account, asked, Order::NewestFirst, page.after()?, page.limit());
    let (mut reckoned, mut events, mut last) = (Reckoned::default(), 0, None::<Place>);
    let next = 'page: loop {
        if last.is_some() && walk.must_stop(standings::UNITS) {
            break last;
        }
        let is_full = events == page.limit() && last.as_ref().is_some_and(|place| place.within.is_none());
        if is_full && !walk.is_over() {
            break last;
        }
        let Some(some) = walk.next(standings::UNITS, |_| true).await? else { break None };
        let ids: Vec<DeliveryId> = some.iter().filter_map(|looked| looked.id.clone()).collect();
        let standings = standings::of(&deps, &account, &ids).await?;
        for looked in some {
            events += usize::from(looked.is_new);
            if events > page.limit() {
                break 'page last;
            }
            reckoned.add(&looked, &standings);
            last = Some(looked.place);
        }
    };
    Ok(Answer(view(reckoned, walk.span(), next.map(|place| page.cursor(place)))).into_response())
}

fn view(reckoned: Reckoned, span: Span, next_cursor: Option<String>) -> LedgerView {
    let closes = reckoned.closes();
    let events = |tally, status| EventNumber::new(tally, span, status);
    let deliveries = |tally, filter| DeliveryNumber::new(tally, span, filter);
    LedgerView {
        since: span.since,
        until: span.until,
        accepted: events(reckoned.accepted, None),
        unmatched: events(reckoned.unmatched, Some("unmatched")),
        unmatched_reasons: reckoned.unmatched_reasons,
        matched: events(reckoned.matched, Some("matched")),
        owed: deliveries(reckoned.owed, ""),
        delivered: deliveries(reckoned.delivered, "&status=delivered"),
        retrying: deliveries(reckoned.retrying, "&status=retrying"),
        parked: deliveries(reckoned.parked, "&status=parked"),
        exhausted: deliveries(reckoned.exhausted, "&status=exhausted"),
        cancelled: deliveries(reckoned.cancelled, "&status=cancelled"),
        pending: deliveries(reckoned.pending, "&status=pending"),
        recovered_by_audit: deliveries(reckoned.recovered_by_audit, "&recovered_by_audit=true"),
        closes,
        disagreeing: reckoned.disagreeing.ids,
        has_more: next_cursor.is_some(),
        next_cursor,
    }
}
