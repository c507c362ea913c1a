//! The section of subscriptions: the list, and the pages of each subscription. New ones are created by the wizard.

mod actions;
mod edit;
mod edit_form;
mod patch;

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::future::{join_all, try_join};

use crate::markup::shell::Shell;
use crate::markup::{html, icons, shown};
use crate::model::listing::{Filters, Listing, ROWS};
use crate::model::places::Places;
use crate::model::subscription::at;
use crate::model::{Destination, Subscription, destination};
use crate::web::failure::Failure;
use crate::web::fields::Query;
use crate::web::inner::Api;
use crate::web::portal::Portal;
use crate::web::render;
use crate::web::visitor::Visitor;

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
    /// The names of their destinations by id.
    names: BTreeMap<String, String>,
    places: Places,
}

impl List {
    /// The name of a destination, or its id if it was deleted.
    fn name<'a>(&'a self, destination: &'a str) -> &'a str {
        self.names.get(destination).map_or(destination, String::as_str)
    }
}

/// The notice after an action that led to the list.
fn deleted(word: &str) -> Option<&'static str> {
    (word == "deleted").then_some("Deleted.")
}

async fn list(visitor: Visitor, Query(query): Query) -> Result<Response, Failure> {
    let shell = visitor.shell("Subscriptions", "Subscriptions").after(deleted(query.get("done")));
    let mut filters = Filters::new(query, FILTERS);
    let list = filters.list::<Subscription>(&visitor.api, "/v1/subscriptions", ROWS).await?;
    let places = Places::find(&visitor.api, list.rows.iter().map(|subscription| subscription.scope.as_str()));
    let (names, places) = try_join(names(&visitor.api, &list.rows), places).await?;
    render::page_with(filters.status(), &List { shell, filters, list, names, places })
}

async fn names(api: &Api, subscriptions: &[Subscription]) -> Result<BTreeMap<String, String>, Failure> {
    let mut ids: Vec<_> = subscriptions.iter().map(|subscription| subscription.destination_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = join_all(ids.into_iter().map(|id| find_destination(api, id))).await;
    let found = found.into_iter().filter_map(Result::transpose);
    found.map(|found| found.map(|destination| (destination.id, destination.name))).collect()
}

/// A destination, or `None` if it was deleted.
async fn find_destination(api: &Api, id: &str) -> Result<Option<Destination>, Failure> {
    api.find(&destination::at(id)).await
}

#[derive(Template)]
#[template(path = "subscriptions/show.html")]
struct Show {
    shell: Shell,
    subscription: Subscription,
    destination: Option<Destination>,
    places: Places,
}

async fn show(visitor: Visitor, Path(id): Path<String>, Query(fields): Query) -> Result<Response, Failure> {
    let subscription: Subscription = visitor.api.get(&at(&id)).await?;
    let places = Places::find(&visitor.api, std::iter::once(subscription.scope.as_str()));
    let destination = find_destination(&visitor.api, &subscription.destination_id);
    let (destination, places) = try_join(destination, places).await?;
    let done = done(fields.get("done"), &subscription);
    let shell = visitor.shell("Subscriptions", subscription.name.as_str()).after(done);
    render::page(&Show { shell, subscription, destination, places })
}

/// The notice after an action, if it is true of the subscription.
fn done(word: &str, subscription: &Subscription) -> Option<&'static str> {
    match (word, subscription.enabled) {
        ("saved", _) => Some("Saved."),
        ("enabled", true) => Some("Enabled. Events are matched with it from now on, within seconds."),
        ("disabled", false) => {
            Some("Switched off. It matches nothing until you enable it; its existing deliveries are still sent.")
        }
        _ => None,
    }
}
