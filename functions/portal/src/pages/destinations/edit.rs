//! The form that edits a destination. If somebody else changed it meanwhile, the visitor keeps what they typed and sees
//! the new values.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use domain::access::Permission;
use http::Method;

use super::edit_form::Typed;
use super::words::RETRIES;
use crate::markup::icons;
use crate::markup::shell::Shell;
use crate::model::Destination;
use crate::model::destination::{at, path};
use crate::model::faults::Faults;
use crate::web::failure::Failure;
use crate::web::fields::Form;
use crate::web::render;
use crate::web::visitor::Visitor;

/// The fields of the API's body that the form contains.
const FIELDS: [&str; 7] = ["name", "url", "description", "headers", "timeout_seconds", "rate_limit", "retry_policy"];

#[derive(Template)]
#[template(path = "destinations/edit.html")]
struct Edit {
    shell: Shell,
    destination: Destination,
    etag: String,
    typed: Typed,
    faults: Faults,
    /// The present settings, if somebody else changed them.
    newer: Option<Typed>,
}

impl Edit {
    /// The present value of a field, if it differs from what was typed.
    fn newer(&self, field: &str) -> Option<&str> {
        let newer = self.newer.as_ref()?.get(field);
        Some(newer).filter(|newer| *newer != self.typed.get(field))
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
    let (destination, etag) = visitor.api.get_versioned(&at(&id)).await?;
    let typed = Typed::from(&destination);
    let shell = shell(&visitor, &destination);
    render::page(&Edit { shell, destination, etag, typed, faults: Faults::default(), newer: None })
}

pub async fn save(visitor: Visitor, Path(id): Path<String>, Form(form): Form) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    let (destination, etag) = visitor.api.get_versioned(&at(&id)).await?;
    let (typed, read_tag) = (Typed::from(&form), form.get("etag"));
    let mut page = Edit {
        shell: shell(&visitor, &destination),
        destination,
        etag: read_tag.to_owned(),
        typed,
        faults: Faults::default(),
        newer: None,
    };
    let (patch, ours) = page.typed.patch(&page.destination);
    let saved = visitor.api.call(Method::PATCH, &at(&id), Some(read_tag), Some(&patch)).await;
    let problem = match saved {
        Ok(_) => return Ok(render::see(&format!("{}?done=saved", path(&id)))),
        Err(failure) => failure.problem()?,
    };
    if problem.code == "precondition_failed" {
        page.newer = Some(Typed::from(&page.destination));
        page.etag = etag;
        page.faults = ours;
    } else {
        page.faults = ours.and(Faults::of(&problem, &FIELDS));
    }
    render::page_with(problem.status(), &page)
}

fn shell(visitor: &Visitor, destination: &Destination) -> Shell {
    visitor.shell("Destinations", format!("Edit {}", destination.name))
}
