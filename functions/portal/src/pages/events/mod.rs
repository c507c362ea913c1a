//! The section of events: the list, and the page of one event (`one`).

mod one;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use domain::value::Timestamp;
use serde::Deserialize;

use crate::markup::shell::Shell;
use crate::markup::{html, icons, shown};
use crate::model::event::types;
use crate::model::listing::{Filters, Listing, ROWS};
use crate::model::places::Places;
use crate::web::failure::Failure;
use crate::web::fields::Query;
use crate::web::portal::Portal;
use crate::web::render;
use crate::web::visitor::Visitor;

const FILTERS: &[&str] = &["status", "event_type", "scope", "since", "until"];
const STATUSES: &[(&str, &str)] =
    &[("matched", "Matched: has deliveries"), ("unmatched", "Unmatched: no subscription wants it")];

pub fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/events", get(list))
        .route("/events/{id}", get(one::show))
        .route("/events/{id}/body", get(one::body))
        .route("/events/{id}/replay", post(one::replay))
}

/// A row of the API's list.
#[derive(Deserialize)]
struct Row {
    id: String,
    event_type: String,
    scope: String,
    occurred_at: Timestamp,
    owed_count: u64,
}

impl Row {
    fn status(&self) -> &'static str {
        if self.owed_count > 0 { "matched" } else { "unmatched" }
    }
}

#[derive(Template)]
#[template(path = "events/list.html")]
struct List {
    shell: Shell,
    filters: Filters,
    types: Vec<(&'static str, &'static str)>,
    places: Places,
    list: Listing<Row>,
}

async fn list(visitor: Visitor, Query(query): Query) -> Result<Response, Failure> {
    let shell = visitor.shell("Events", "Events");
    let mut filters = Filters::new(query, FILTERS);
    let list = filters.list::<Row>(&visitor.api, "/v1/events", ROWS).await?;
    let places = Places::find(&visitor.api, list.rows.iter().map(|row| row.scope.as_str())).await?;
    let status = filters.status();
    render::page_with(status, &List { shell, filters, types: types(), places, list })
}
