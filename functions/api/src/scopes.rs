//! The connections, tables and insights that the account's events were seen at, as a tree for pickers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::domain::scope::{Name, Scope};
use shared::domain::seen_scope::{SeenPlace, SeenScope};
use shared::domain::timestamp::Timestamp;

use crate::Deps;
use crate::caller::Reader;
use crate::problem::Problem;

/// How many tables and insights one answer has at most; it stays below Lambda's limit of 6 MB.
const MOST: usize = 5_000;

#[derive(Serialize)]
struct Tree {
    data: Vec<ConnectionView>,
    /// Whether there are more than are shown.
    truncated: bool,
}

#[derive(Serialize)]
struct ConnectionView {
    connection: Name,
    name: String,
    service: String,
    scope: String,
    endpoints: Vec<EndpointView>,
    insights: Vec<InsightView>,
    #[serde(skip)]
    named_at: Timestamp,
}

#[derive(Serialize)]
struct EndpointView {
    id: Name,
    name: String,
    table: String,
    scope: Scope,
    last_event_at: Timestamp,
}

#[derive(Serialize)]
struct InsightView {
    id: Name,
    name: String,
    scope: Scope,
    last_event_at: Timestamp,
}

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
        // A connection is called what its latest event calls it.
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
