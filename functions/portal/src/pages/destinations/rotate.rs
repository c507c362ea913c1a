//! Gives a destination a new secret. Only the answer to the form shows it, so that answer is a page and no redirect.
//! Sending the form again rotates nothing, because the version that it names is outdated.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use domain::access::Permission;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::markup::shell::Shell;
use crate::markup::{html, icons};
use crate::model::Destination;
use crate::model::destination::at;
use crate::model::faults::Faults;
use crate::web::failure::Failure;
use crate::web::fields::Form;
use crate::web::render;
use crate::web::visitor::Visitor;

/// How long the previous secrets stay valid: seconds, title, and when to choose it.
const OVERLAPS: [(u64, &str, &str); 4] = [
    (0, "At once", "If others may know it. Deliveries fail until your receiver has the new one."),
    (3_600, "In 1 hour", "If you install the new one right now."),
    (86_400, "In 1 day", "Leaves time for a deployment."),
    (604_800, "In 7 days", "If several receivers or several people are involved."),
];
/// The default, in seconds.
const USUAL: u64 = 86_400;

#[derive(Template)]
#[template(path = "destinations/rotate.html")]
struct Ask {
    shell: Shell,
    destination: Destination,
    etag: String,
    overlap: u64,
    faults: Faults,
}

#[derive(Template)]
#[template(path = "destinations/rotated.html")]
struct Done {
    shell: Shell,
    destination: Destination,
    secret: String,
    overlap: u64,
}

#[derive(Deserialize)]
struct Rotated {
    secret: String,
    #[serde(flatten)]
    destination: Destination,
}

pub async fn ask(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    confirm(&visitor, &id, (StatusCode::OK, USUAL, Faults::default())).await
}

pub async fn rotate(visitor: Visitor, Path(id): Path<String>, Form(form): Form) -> Result<Response, Failure> {
    visitor.must(Permission::RotateSecrets)?;
    let mut faults = Faults::default();
    let overlap = faults.number("overlap_seconds", form.get("overlap_seconds"));
    let seconds = overlap.as_u64().unwrap_or(USUAL);
    if !faults.are_none() {
        return confirm(&visitor, &id, (StatusCode::UNPROCESSABLE_ENTITY, USUAL, faults)).await;
    }
    let (path, body) = (format!("{}/secrets/rotate", at(&id)), json!({ "overlap_seconds": overlap }));
    match visitor.api.call(Method::POST, &path, Some(form.get("etag")), Some(&body)).await {
        Ok(answer) => {
            let Rotated { secret, destination } = answer.read()?;
            let shell = visitor.shell("Destinations", format!("New secret of {}", destination.name));
            render::page(&Done { shell, destination, secret, overlap: seconds })
        }
        Err(failure) => {
            let problem = failure.problem()?;
            let mut faults = Faults::of(&problem, &["overlap_seconds"]);
            let ours = match problem.code.as_str() {
                "precondition_failed" => Some(
                    "Nothing was rotated: the destination was changed since you opened this page, perhaps by this very form. See \
                     below which secrets it has now.",
                ),
                "too_many_secrets" => Some(
                    "Nothing was rotated: it has as many valid secrets as it may. Wait until one of those below ends, or choose \
                     “At once”, which ends them.",
                ),
                _ => None,
            };
            faults.general = ours.map(str::to_owned).or(faults.general);
            let status = problem.status();
            match problem.code.as_str() {
                "precondition_failed" | "too_many_secrets" | "validation_failed" => {
                    confirm(&visitor, &id, (status, seconds, faults)).await
                }
                _ => Err(Failure::Problem(problem)),
            }
        }
    }
}

async fn confirm(
    visitor: &Visitor,
    id: &str,
    (status, overlap, faults): (StatusCode, u64, Faults),
) -> Result<Response, Failure> {
    let (destination, etag): (Destination, _) = visitor.api.get_versioned(&at(id)).await?;
    let shell = visitor.shell("Destinations", format!("Rotate the secret of {}", destination.name));
    render::page_with(status, &Ask { shell, destination, etag, overlap, faults })
}
