//! The connections, tables and insights that an account's events came from, as a tree for pickers.
//!
//! Invariant: a page reads no more than one request may read (tests: `a_page_of_scopes_ends_where_it_has_read_enough`).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::event::{Name, Scope, SeenPlace, SeenScope};
use domain::value::Timestamp;
use ports::read_units;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::caller::Reader;
use crate::web::filters::Filters;
use crate::web::pages::{Page, PageRequest};
use crate::web::problem::Problem;
use crate::web::{Deps, schemas};

/// The greatest number of tables and insights in one response, which keeps it below Lambda's limit of 6 MB.
const MOST: usize = 5_000;
/// How many are read at a time, and the greatest cost of that in read units: a row has at most 3 KiB, and is not read
/// consistently.
const PART: usize = 500;
const PART_UNITS: usize = 190;

/// The parameters that select a page of places.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `PageRequest` reads, and is never a value")]
struct ScopePage {
    /// The greatest number of tables and insights on the page.
    #[param(minimum = 1, maximum = 5_000, default = 5_000)]
    limit: Option<u16>,
    /// The `next_cursor` of the previous page. Leave it out for the first page.
    cursor: Option<String>,
}

/// The filters of the list of places.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ScopeFilters {
    /// Only this place and everything below it.
    #[param(value_type = Option<schemas::Scope>)]
    scope: Option<Scope>,
}

/// A connection that events came from.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenConnection)]
struct ConnectionView {
    /// The id of the connection.
    #[schema(value_type = String, example = "xero")]
    connection: Name,
    /// The name that its latest event gives it.
    name: String,
    service: String,
    #[schema(value_type = schemas::Scope)]
    scope: String,
    endpoints: Vec<EndpointView>,
    insights: Vec<InsightView>,
    #[serde(skip)]
    named_at: Timestamp,
}

/// A table of a connection that events came from.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenEndpoint)]
struct EndpointView {
    #[schema(value_type = String, example = "invoices")]
    id: Name,
    name: String,
    table: String,
    #[schema(value_type = schemas::Scope)]
    scope: Scope,
    /// The time of the latest event. It may be an hour behind.
    #[schema(value_type = schemas::Timestamp)]
    last_event_at: Timestamp,
}

/// An insight of a connection that events came from.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenInsight)]
struct InsightView {
    #[schema(value_type = String, example = "revenue")]
    id: Name,
    name: String,
    #[schema(value_type = schemas::Scope)]
    scope: Scope,
    /// The time of the latest event. It may be an hour behind.
    #[schema(value_type = schemas::Timestamp)]
    last_event_at: Timestamp,
}

/// List scopes
///
/// Lists the connections, tables and insights that events came from, for choosing the `scope` of a subscription, in the order of
/// their ids. A connection whose tables are on several pages is on each of them. A page may have fewer items than `limit` although
/// there is a next page, if reading more would cost more than 500 read units. A place is shown for 400 days after its last event.
#[utoipa::path(
    get,
    path = "/v1/scopes",
    operation_id = "list_scopes",
    tag = "scopes",
    params(ScopePage, ScopeFilters),
    responses((status = 200, description = "A page of places, grouped by connection.", body = Page<ConnectionView>))
)]
pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest<MOST, MOST>,
    Filters(filters): Filters<ScopeFilters>,
) -> Result<Response, Problem> {
    let within = filters.scope.unwrap_or(Scope::Everything);
    let (mut seen, mut after, mut more) = (Vec::new(), page.after()?, true);
    while more && seen.len() < page.to_read() && (seen.is_empty() || read_units::left_for(PART_UNITS) > 0) {
        let most = PART.min(page.to_read() - seen.len());
        let part = deps.scopes.list_scopes(&account, &within, after.as_ref(), most).await?;
        more = part.len() == most;
        after = part.last().map(|last| last.scope.clone());
        seen.extend(part);
    }
    seen.truncate(page.limit());
    let next = seen.last().map(|seen| seen.scope.clone()).filter(|_| more);
    let now = deps.clock.now();
    seen.retain(|seen| seen.expires_at > now);
    Ok(Answer(page.ending_at(tree(seen), next)).into_response())
}

fn tree(seen: Vec<SeenScope>) -> Vec<ConnectionView> {
    let mut connections: BTreeMap<Name, ConnectionView> = BTreeMap::new();
    for SeenScope { scope, connection, connection_name, service, place, last_event_at, .. } in seen {
        let view = connections.entry(connection.clone()).or_insert_with(|| ConnectionView {
            scope: format!("connection/{connection}"),
            connection,
            name: String::new(),
            service: String::new(),
            endpoints: Vec::new(),
            insights: Vec::new(),
            named_at: Timestamp::from_unix_ms(0),
        });
        // The latest event decides the name of a connection.
        if last_event_at >= view.named_at {
            (view.name, view.service, view.named_at) = (connection_name, service, last_event_at);
        }
        match place {
            SeenPlace::Endpoint { id, name, table } => {
                view.endpoints.push(EndpointView { id, name, table, scope, last_event_at });
            }
            SeenPlace::Insight { id, name } => view.insights.push(InsightView { id, name, scope, last_event_at }),
        }
    }
    connections.into_values().collect()
}
