//! The section of deliveries: the list, and the page of one delivery (`one`).

mod curl;
mod delivery;
mod one;
mod request;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use domain::value::{DeliveryId, Timestamp};
use futures_util::future::try_join3;
use serde::Deserialize;

use crate::markup::shell::Shell;
use crate::markup::{html, icons, shown};
use crate::model::Listed;
use crate::model::event::types;
use crate::model::listing::{Filters, Listing, ROWS};
use crate::model::names::{self, Choices, Names};
use crate::model::places::Places;
use crate::web::failure::Failure;
use crate::web::fields::Query;
use crate::web::inner::Api;
use crate::web::portal::Portal;
use crate::web::render;
use crate::web::visitor::Visitor;

const FILTERS: &[&str] = &["status", "destination_id", "event_type", "scope", "since", "until"];
/// The statuses that the list can be filtered by, with their labels.
const STATUSES: &[(&str, &str)] = &[
    ("delivered", "Delivered"),
    ("retrying", "Retrying"),
    ("parked", "Parked: set aside"),
    ("exhausted", "Exhausted: given up"),
    ("cancelled", "Cancelled"),
];

pub fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/deliveries", get(list))
        .route("/deliveries/{id}", get(one::show))
        .route("/deliveries/{id}/resend", post(one::resend))
        .route("/deliveries/{id}/cancel", post(one::cancel))
}

/// A row of the API's list.
#[derive(Deserialize)]
struct Row {
    id: DeliveryId,
    event_type: String,
    scope: Option<String>,
    destination_id: String,
    path: Option<String>,
    status: String,
    due_at: Option<Timestamp>,
    attempt_count: u64,
    last_attempt: Option<Last>,
}

#[derive(Deserialize)]
struct Last {
    duration_ms: u64,
    outcome: String,
    status_code: Option<u16>,
}

impl Last {
    /// The outcome in words, with the status code of the answer.
    fn words(&self) -> String {
        let outcome = self.outcome.replace('_', " ");
        self.status_code.map_or(outcome.clone(), |code| format!("{outcome} · {code}"))
    }
}

#[derive(Template)]
#[template(path = "deliveries/list.html")]
struct List {
    shell: Shell,
    filters: Filters,
    /// `None` if there are too many to choose from.
    destinations: Choices,
    types: Vec<(&'static str, &'static str)>,
    names: Names,
    places: Places,
    /// Whether the account has no such destination as the one that was asked for.
    unknown_destination: bool,
    list: Listing<Row>,
    /// Whether the account has a subscription. It is looked up only if the list is empty, and `true` otherwise.
    subscribed: bool,
}

async fn list(visitor: Visitor, Query(query): Query) -> Result<Response, Failure> {
    let shell = visitor.shell("Deliveries", "Deliveries");
    let mut filters = Filters::new(query, FILTERS);
    // The list last, because it goes as far as there is left to read.
    let (mut names, choices) = Names::to_choose_from(&visitor.api).await?;
    let list = filters.list::<Row>(&visitor.api, "/v1/deliveries", ROWS).await?;
    let destinations = names::with_chosen(choices, &filters);
    let asked = filters.value("destination_id").to_owned();
    let asked = Some(asked.as_str()).filter(|asked| !asked.is_empty() && !filters.has_error());
    let ids = list.rows.iter().map(|row| row.destination_id.as_str()).chain(asked);
    let more = names.find_more(&visitor.api, ids);
    let places = Places::find(&visitor.api, list.rows.iter().filter_map(|row| row.scope.as_deref()));
    let ((), places, subscribed) =
        try_join3(more, places, has_subscription(&visitor.api, list.rows.is_empty())).await?;
    let unknown_destination = asked.is_some_and(|asked| names.of(asked).is_none());
    let (status, types) = (filters.status(), types());
    let page = List { shell, filters, destinations, types, names, places, unknown_destination, list, subscribed };
    render::page_with(status, &page)
}

/// Whether there is any subscription. If that does not matter, it is not looked up.
async fn has_subscription(api: &Api, matters: bool) -> Result<bool, Failure> {
    if !matters {
        return Ok(true);
    }
    let page: Listed<serde::de::IgnoredAny> = api.get("/v1/subscriptions?limit=1").await?;
    Ok(!page.data.is_empty())
}
