//! The connections, tables and insights that an account's events came from, as a tree for pickers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::event::{Name, Scope, SeenPlace, SeenScope};
use domain::value::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::caller::Reader;
use crate::web::problem::Problem;
use crate::web::{Deps, schemas};

/// The most tables and insights in one answer, which keeps it below Lambda's limit of 6 MB.
const MOST: usize = 5_000;

/// The places that events came from.
#[derive(Serialize, ToSchema)]
#[schema(as = Scopes)]
struct Tree {
    data: Vec<ConnectionView>,
    /// Whether there are more than are shown.
    truncated: bool,
}

/// A connection that events came from.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenConnection)]
struct ConnectionView {
    /// Its id.
    #[schema(value_type = String, example = "xero")]
    connection: Name,
    /// What its latest event calls it.
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
    /// It may be an hour behind.
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
    /// It may be an hour behind.
    #[schema(value_type = schemas::Timestamp)]
    last_event_at: Timestamp,
}

/// List scopes
///
/// The connections, tables and insights that events came from, for pickers of a subscription's `scope`: at most 5,000 tables and
/// insights. A place is shown for 400 days after its last event.
#[utoipa::path(
    get,
    path = "/v1/scopes",
    operation_id = "list_scopes",
    tag = "scopes",
    responses((status = 200, description = "The places, below their connections.", body = Tree))
)]
pub async fn list(Reader(account): Reader, State(deps): State<Arc<Deps>>) -> Result<Response, Problem> {
    let mut seen = deps.scopes.list_scopes(&account, None, MOST + 1).await?;
    let truncated = seen.len() > MOST;
    seen.truncate(MOST);
    let now = deps.clock.now();
    seen.retain(|seen| seen.expires_at > now);
    Ok(Answer(Tree { data: tree(seen), truncated }).into_response())
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
