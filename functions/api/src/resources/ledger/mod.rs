//! `GET /v1/ledger`: the events that were accepted in a span of time, the deliveries that they owe and the states of
//! those, with ids behind every number. The numbers are computed from the rows on each request; there are no counters.
//!
//! One response covers a bounded part of the span, because it may cost at most 500 read units. The numbers of all pages
//! add up, and an event that owes very many deliveries is on several pages.

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

/// The span of time.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LedgerFilters {
    /// The beginning of the span: events that occurred at this time or later. Default: 24 hours before `until`.
    since: Option<schemas::Moment>,
    /// The end of the span: events that occurred before this time, which is at most 31 days after `since`. Default: now.
    until: Option<schemas::Moment>,
}

/// The part of the span that one page covers.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `PageRequest` reads, and is never a value")]
pub struct LedgerPage {
    /// The greatest number of events that one page covers. It covers fewer if reading them would cost more than 500 read units, which
    /// is about 300 events that owe one delivery each, or one event that owes 700.
    #[param(minimum = 1, maximum = 500, default = 500)]
    limit: Option<u16>,
    /// The `next_cursor` of the previous page. Leave it out for the first page.
    cursor: Option<String>,
}

/// A number of events, with their ids.
#[derive(Serialize, ToSchema)]
struct EventNumber {
    count: usize,
    /// The first 100 of them at most.
    #[schema(max_items = 100, value_type = Vec<schemas::EventId>)]
    ids: Vec<EventId>,
    /// Whether there are more than `ids` contains.
    truncated: bool,
    /// The path of the list of all of them, not only of those on this page.
    list: String,
}

/// A number of deliveries, with their ids.
#[derive(Serialize, ToSchema)]
struct DeliveryNumber {
    count: usize,
    /// The first 100 of them at most.
    #[schema(max_items = 100, value_type = Vec<schemas::DeliveryId>)]
    ids: Vec<DeliveryId>,
    /// Whether there are more than `ids` contains.
    truncated: bool,
    /// The path of the list of all of them, not only of those on this page.
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

/// A page of the ledger: what was owed in a span of time, and the states of those deliveries. The numbers of all pages add up.
#[derive(Serialize, ToSchema)]
#[schema(as = Ledger)]
struct LedgerView {
    /// The span, which is the same on all pages.
    #[schema(value_type = schemas::Timestamp)]
    since: Timestamp,
    #[schema(value_type = schemas::Timestamp)]
    until: Timestamp,
    /// Events that were accepted and compared with the subscriptions, according to the index of events.
    accepted: EventNumber,
    /// Events that owe nothing, according to the index.
    unmatched: EventNumber,
    unmatched_reasons: UnmatchedReasons,
    /// Events that owe deliveries, according to their own rows.
    matched: EventNumber,
    /// Deliveries that the accepted events owe: the count comes from the index, the ids from the events' rows.
    owed: DeliveryNumber,
    delivered: DeliveryNumber,
    retrying: DeliveryNumber,
    /// Those that are set aside until their destination is back.
    parked: DeliveryNumber,
    /// Those that were given up: the last attempt failed, or the event was no longer kept.
    exhausted: DeliveryNumber,
    cancelled: DeliveryNumber,
    /// Deliveries that have no row yet.
    pending: DeliveryNumber,
    /// Owed deliveries of which the audit found no record and which it sent again, whatever their state is now.
    recovered_by_audit: DeliveryNumber,
    /// Whether accepted = unmatched + matched, and owed = delivered + retrying + parked + exhausted + cancelled + pending.
    closes: bool,
    /// At most the first 100 events on which the index and the row disagree; empty if the ledger closes.
    #[schema(max_items = 100, value_type = Vec<schemas::EventId>)]
    disagreeing: Vec<EventId>,
    /// The `cursor` of the next page; `null` on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
}

/// Read the ledger
///
/// Returns what the events of a span of time owe, and the states of those deliveries, with ids behind every number. A page covers
/// at most 500 events, newest first, and as many deliveries as can be read for 500 read units, about 700. An event that owes more is
/// on several pages, and is counted as an event on the first of them. The numbers of all pages add up to those of the span, and the
/// ledger closes if it closes on every page. Changes while pages are read appear in the pages that are read after them.
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
