//! The section of destinations: a list that shows their health, and the pages of each destination.

mod actions;
mod chart;
mod edit;
mod edit_form;
mod hour;
mod recover;
mod rotate;
mod show;
mod stats;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::future::join_all;

use self::stats::Stats;
use crate::markup::shell::Shell;
use crate::markup::{html, icons, shown};
use crate::model::Destination;
use crate::model::listing::{Filters, Listing};
use crate::web::failure::Failure;
use crate::web::fields::Query;
use crate::web::inner::Api;
use crate::web::portal::Portal;
use crate::web::problem::Problem;
use crate::web::render;
use crate::web::visitor::Visitor;

const FILTERS: &[&str] = &["name_contains"];
/// The number of destinations on a page; each has a chart.
const ROWS: usize = 20;

pub fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/destinations", get(list))
        .route("/destinations/{id}", get(show::show))
        .route("/destinations/{id}/edit", get(edit::show).post(edit::save))
        .route("/destinations/{id}/pause", post(actions::pause))
        .route("/destinations/{id}/resume", post(actions::resume))
        .route("/destinations/{id}/rotate", get(rotate::ask).post(rotate::rotate))
        .route("/destinations/{id}/recover", get(recover::ask).post(recover::recover))
        .route("/destinations/{id}/delete", get(actions::ask_to_delete).post(actions::delete))
}

#[derive(Template)]
#[template(path = "destinations/list.html")]
struct List {
    shell: Shell,
    filters: Filters,
    list: Listing<Row>,
}

struct Row {
    destination: Destination,
    stats: Stats,
}

/// The notice after an action that led to the list.
fn deleted(word: &str) -> Option<&'static str> {
    (word == "deleted").then_some("Deleted.")
}

async fn list(visitor: Visitor, Query(query): Query) -> Result<Response, Failure> {
    let shell = visitor.shell("Destinations", "Destinations").after(deleted(query.get("done")));
    let mut filters = Filters::new(query, FILTERS);
    let Listing { rows, next } = filters.list::<Destination>(&visitor.api, "/v1/destinations", ROWS).await?;
    let rows = join_all(rows.into_iter().map(|destination| row(&visitor.api, destination))).await;
    let mut rows = rows.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
    // The API lists them by their ids, so this is only the order within the page.
    rows.sort_by_key(|row| row.destination.urgency());
    render::page_with(filters.status(), &List { shell, filters, list: Listing { rows, next } })
}

/// A destination with its statistics, or `None` if it was deleted since it was listed.
async fn row(api: &Api, destination: Destination) -> Result<Option<Row>, Failure> {
    match Stats::of(api, &destination.id).await {
        Ok(stats) => Ok(Some(Row { destination, stats })),
        Err(Failure::Problem(Problem { status: 404, .. })) => Ok(None),
        Err(failure) => Err(failure),
    }
}
