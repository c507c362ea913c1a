//! Changing a subscription. Who typed on what somebody else changed meanwhile keeps what was typed, and sees what is new.

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

/// The fields of the API's body that the form has.
const FIELDS: [&str; 9] =
    ["name", "destination_id", "event_types", "scope", "condition", "transition", "grace_seconds", "path", "enabled"];

/// The changes that an event can be: value, title and words.
const TRANSITIONS: [(&str, &str, &str); 4] = [
    ("", "Any", "Whatever the run before was"),
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
    /// What can be chosen; empty where an account has more than a list can show.
    destinations: Vec<Destination>,
    faults: Faults,
    /// What it is now, where somebody else changed it.
    newer: Option<Typed>,
}

#[derive(Deserialize)]
struct EventType {
    #[serde(rename = "type")]
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

    /// Whether the list has the destination that was chosen.
    fn lists_destination(&self) -> bool {
        self.destinations.iter().any(|destination| destination.id == self.typed.destination_id)
    }

    /// What a field is now, where that is not what was typed.
    fn newer(&self, field: &str) -> Option<String> {
        let newer = self.newer.as_ref()?.shown(field);
        Some(newer).filter(|newer| *newer != self.typed.shown(field))
    }

    /// What is said of a field, by ids.
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
    let (status, faults, is_stale) = match typed.patch(&now) {
        Err(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults, false),
        // The patch is made from what the subscription is now, so it is for no other version.
        Ok(_) if etag != read_tag => (StatusCode::PRECONDITION_FAILED, Faults::default(), true),
        Ok(patch) => match visitor.api.call(Method::PATCH, &at(&id), Some(read_tag), Some(&patch)).await {
            Ok(_) => return Ok(render::see(&format!("{}?done=saved", path(&id)))),
            Err(failure) => {
                let problem = failure.problem()?;
                let is_stale = problem.code == "precondition_failed";
                let faults = if is_stale { Faults::default() } else { Faults::of(&problem, &FIELDS) };
                (problem.status(), faults, is_stale)
            }
        },
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
