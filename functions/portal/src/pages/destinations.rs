//! Destinations: their health at a glance, and a page for each with all that can be done with it.

mod actions;
mod chart;
mod edit;
mod edit_form;
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
use crate::Portal;
use crate::failure::Failure;
use crate::fields::{Query, query, segment};
use crate::inner::{Api, Problem};
use crate::model::{Destination, Listed};
use crate::render::{self, Shell};
use crate::visitor::Visitor;
use crate::{html, icons};

/// How many destinations a page shows.
const PAGE: &str = "20";

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
    rows: Vec<Row>,
    /// Whether this is not the first page.
    is_later: bool,
    next: Option<String>,
}

struct Row {
    destination: Destination,
    stats: Stats,
}

async fn list(visitor: Visitor, Query(fields): Query) -> Result<Response, Failure> {
    let asked = query([("limit", PAGE)].into_iter().chain(fields.some("cursor").map(|cursor| ("cursor", cursor))));
    let listed: Listed<Destination> = visitor.api.get(&format!("/v1/destinations{asked}")).await?;
    let rows = join_all(listed.data.into_iter().map(|destination| row(&visitor.api, destination))).await;
    let rows = rows.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
    let next = listed.next_cursor.map(|cursor| format!("/destinations{}", query([("cursor", cursor.as_str())])));
    let shell = Shell::of(&visitor, "Destinations", "Destinations").after(&fields);
    render::page(&List { shell, rows, is_later: fields.some("cursor").is_some(), next })
}

/// A destination with its numbers; nothing when it was deleted since it was listed.
async fn row(api: &Api, destination: Destination) -> Result<Option<Row>, Failure> {
    match Stats::of(api, &destination.id).await {
        Ok(stats) => Ok(Some(Row { destination, stats })),
        Err(Failure::Problem(Problem { status: 404, .. })) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Where a destination's page is, and what lies below it.
fn path(id: &str) -> String {
    format!("/destinations/{}", segment(id))
}

/// Where the API has it.
fn at(id: &str) -> String {
    format!("/v1/destinations/{}", segment(id))
}
