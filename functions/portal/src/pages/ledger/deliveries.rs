//! The deliveries that a number of the ledger counts. Pending ones and those to deleted destinations are among them.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;

use crate::markup::shell::Shell;
use crate::markup::{html, icons, shown};
use crate::model::listing::{Filters, Listing, ROWS};
use crate::model::names::Names;
use crate::web::failure::Failure;
use crate::web::fields::Query;
use crate::web::render;
use crate::web::visitor::Visitor;

const FILTERS: &[&str] = &["since", "until", "status", "recovered_by_audit"];
const STATUSES: &[(&str, &str)] = &[
    ("delivered", "Delivered"),
    ("retrying", "Retrying"),
    ("parked", "Parked: set aside"),
    ("exhausted", "Exhausted: given up"),
    ("cancelled", "Cancelled"),
    ("pending", "Pending: not attempted yet"),
];
const RECOVERED: &[(&str, &str)] = &[("true", "Sent again by the audit"), ("false", "Not sent again by the audit")];

/// A row of the API's list.
#[derive(Deserialize)]
struct Row {
    id: String,
    event_id: String,
    destination_id: String,
    status: String,
    recovered_by_audit: bool,
}

#[derive(Template)]
#[template(path = "ledger/deliveries.html")]
struct List {
    shell: Shell,
    filters: Filters,
    names: Names,
    list: Listing<Row>,
}

pub async fn list(visitor: Visitor, Query(query): Query) -> Result<Response, Failure> {
    let shell = visitor.shell("Ledger", "Deliveries in the ledger");
    let mut filters = Filters::new(query, FILTERS);
    let list = filters.list::<Row>(&visitor.api, "/v1/ledger/deliveries", ROWS).await?;
    let names = Names::find(&visitor.api, list.rows.iter().map(|row| row.destination_id.as_str())).await?;
    let status = filters.status();
    render::page_with(status, &List { shell, filters, names, list })
}
