//! The form that edits a subscription. If somebody else changed it meanwhile, the visitor keeps what they typed and
//! sees the new values.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use domain::access::Permission;
use futures_util::future::try_join;
use http::{Method, StatusCode};
use serde::Deserialize;

use super::edit_form::Typed;
use crate::markup::icons;
use crate::markup::shell::Shell;
use crate::model::faults::Faults;
use crate::model::subscription::{at, path};
use crate::model::{Destination, Listed, Subscription};
use crate::web::failure::Failure;
use crate::web::fields::Form;
use crate::web::render;
use crate::web::visitor::Visitor;

/// The fields of the API's body that the form contains.
const FIELDS: [&str; 9] =
    ["name", "destination_id", "event_types", "scope", "condition", "transition", "grace_seconds", "path", "enabled"];

/// The transitions to choose from: value, title and description.
const TRANSITIONS: [(&str, &str, &str); 4] = [
    ("", "Any", "Whatever the previous run was"),
    ("changed", "It broke or recovered", "The first failure after a success, and the first success after a failure"),
    ("broke", "It broke", "The first failure after a success"),
    ("recovered", "It recovered", "The first success after a failure"),
];

#[derive(Template)]
#[template(path = "subscriptions/edit.html")]
struct Edit {
    shell: Shell,
    subscription: Subscription,
    etag: String,
    typed: Typed,
    types: Vec<EventType>,
    /// The destinations to choose from. It is empty if the account has more than a list can show.
    destinations: Vec<Destination>,
    faults: Faults,
    /// The present settings, if somebody else changed them.
    newer: Option<Typed>,
}

#[derive(Deserialize)]
struct EventType {
    #[serde(rename = "event_type")]
    name: String,
    title: String,
    description: String,
}

impl Edit {
    async fn new(visitor: &Visitor, id: &str) -> Result<Self, Failure> {
        let (subscription, etag): (Subscription, _) = visitor.api.get_versioned(&at(id)).await?;
        let types = visitor.api.get::<Listed<EventType>>("/v1/event-types");
        let destinations = visitor.api.get::<Listed<Destination>>("/v1/destinations?limit=100");
        let (types, destinations) = try_join(types, destinations).await?;
        let destinations = if destinations.next_cursor.is_none() { destinations.data } else { Vec::new() };
        let shell = visitor.shell("Subscriptions", format!("Edit {}", subscription.name));
        let (typed, faults) = (Typed::from(&subscription), Faults::default());
        Ok(Self { shell, subscription, etag, typed, types: types.data, destinations, faults, newer: None })
    }

    fn is_chosen(&self, event_type: &str) -> bool {
        self.typed.event_types.iter().any(|chosen| chosen == event_type)
    }

    /// Whether the chosen destination is in the list.
    fn lists_destination(&self) -> bool {
        self.destinations.iter().any(|destination| destination.id == self.typed.destination_id)
    }

    /// The present value of a field, if it differs from what was typed.
    fn newer(&self, field: &str) -> Option<String> {
        let newer = self.newer.as_ref()?.shown(field);
        Some(newer).filter(|newer| *newer != self.typed.shown(field))
    }

    /// The ids of the elements that describe a field.
    fn described(&self, field: &str) -> String {
        match self.faults.at(field) {
            Some(_) => format!("{field}-hint {field}-error"),
            None => format!("{field}-hint"),
        }
    }
}

pub async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    render::page(&Edit::new(&visitor, &id).await?)
}

pub async fn save(visitor: Visitor, Path(id): Path<String>, Form(form): Form) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    let (now, etag) = visitor.api.get_versioned(&at(&id)).await?;
    let (typed, read_tag) = (Typed::from(&form), form.get("etag"));
    let (patch, ours) = typed.patch(&now);
    let (status, faults, is_stale) = if etag != read_tag {
        // The patch was made from the present version, so it must not be applied to another one.
        (StatusCode::PRECONDITION_FAILED, ours, true)
    } else {
        match visitor.api.call(Method::PATCH, &at(&id), Some(read_tag), Some(&patch)).await {
            Ok(_) => return Ok(render::see(&format!("{}?done=saved", path(&id)))),
            Err(failure) => {
                let problem = failure.problem()?;
                let is_stale = problem.code == "precondition_failed";
                let faults = if is_stale { ours } else { ours.and(Faults::of(&problem, &FIELDS)) };
                (problem.status(), faults, is_stale)
            }
        }
    };
    let mut page = Edit::new(&visitor, &id).await?;
    page.typed = typed;
    page.faults = faults;
    if is_stale {
        page.newer = Some(Typed::from(&page.subscription));
    } else {
        page.etag = read_tag.to_owned();
    }
    render::page_with(status, &page)
}
