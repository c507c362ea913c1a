//! Subscriptions: which events go where, a page for each, and changing them. New ones come from the wizard.

mod actions;
mod edit;
mod edit_form;
mod patch;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::future::join_all;

use super::listing::{Filters, Listing, ROWS};
use crate::Portal;
use crate::failure::Failure;
use crate::fields::{Query, segment};
use crate::inner::Api;
use crate::model::{Destination, Subscription};
use crate::render::{self, Shell};
use crate::visitor::Visitor;
use crate::{html, icons};

const FILTERS: &[&str] = &["name_contains"];

pub fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/subscriptions", get(list))
        .route("/subscriptions/{id}", get(show))
        .route("/subscriptions/{id}/edit", get(edit::show).post(edit::save))
        .route("/subscriptions/{id}/enable", post(actions::enable))
        .route("/subscriptions/{id}/disable", post(actions::disable))
        .route("/subscriptions/{id}/delete", get(actions::ask_to_delete).post(actions::delete))
}

#[derive(Template)]
#[template(path = "subscriptions/list.html")]
struct List {
    shell: Shell,
    filters: Filters,
    list: Listing<Subscription>,
    /// The names of the destinations that they send to, by id.
    names: BTreeMap<String, String>,
}

impl List {
    /// What a destination is called; its id where it is not there any more.
    fn name<'a>(&'a self, destination: &'a str) -> &'a str {
        self.names.get(destination).map_or(destination, String::as_str)
    }
}

async fn list(visitor: Visitor, Query(query): Query) -> Result<Response, Failure> {
    let shell = Shell::of(&visitor, "Subscriptions", "Subscriptions").after(&query);
    let mut filters = Filters::new(query, FILTERS);
    let list = filters.list::<Subscription>(&visitor.api, "/v1/subscriptions", ROWS).await?;
    let names = names(&visitor.api, &list.rows).await?;
    render::page_with(filters.status(), &List { shell, filters, list, names })
}

async fn names(api: &Api, subscriptions: &[Subscription]) -> Result<BTreeMap<String, String>, Failure> {
    let mut ids: Vec<_> = subscriptions.iter().map(|subscription| subscription.destination_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = join_all(ids.into_iter().map(|id| destination(api, id))).await;
    let found = found.into_iter().filter_map(Result::transpose);
    found.map(|found| found.map(|destination| (destination.id, destination.name))).collect()
}

/// A destination; nothing where it was deleted meanwhile.
async fn destination(api: &Api, id: &str) -> Result<Option<Destination>, Failure> {
    match api.get(&format!("/v1/destinations/{}", segment(id))).await {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Problem(problem)) if problem.status == 404 => Ok(None),
        Err(failure) => Err(failure),
    }
}

#[derive(Template)]
#[template(path = "subscriptions/show.html")]
struct Show {
    shell: Shell,
    subscription: Subscription,
    destination: Option<Destination>,
}

async fn show(visitor: Visitor, Path(id): Path<String>, Query(fields): Query) -> Result<Response, Failure> {
    let subscription: Subscription = visitor.api.get(&at(&id)).await?;
    let destination = destination(&visitor.api, &subscription.destination_id).await?;
    let shell = Shell::of(&visitor, "Subscriptions", subscription.name.as_str()).after(&fields);
    render::page(&Show { shell, subscription, destination })
}

/// Where a subscription's page is, and what lies below it.
fn path(id: &str) -> String {
    format!("/subscriptions/{}", segment(id))
}

/// Where the API has it.
fn at(id: &str) -> String {
    format!("/v1/subscriptions/{}", segment(id))
}
