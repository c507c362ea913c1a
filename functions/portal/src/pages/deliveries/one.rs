//! The page of one delivery: its attempts, its request, and actions to resend or cancel it.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use futures_util::future::try_join;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::delivery::{Attempt, Delivery};
use super::request::Request;
use crate::markup::address::segment;
use crate::markup::shell::Shell;
use crate::markup::shown::Excerpt;
use crate::markup::{html, icons, shown};
use crate::model::{Destination, destination, event};
use crate::web::failure::Failure;
use crate::web::fields::{Fields, Query};
use crate::web::problem::Problem;
use crate::web::render;
use crate::web::visitor::Visitor;

/// The number of attempts that are shown, the newest first.
const ATTEMPTS: usize = 12;
/// The greatest size on the page of the answers of all attempts together, and of one answer, in bytes after escaping.
const ANSWERS: usize = 7 * 1024;
const ANSWER: usize = 5 * 1024;

/// The event that owes the delivery, as far as it is used here.
#[derive(Deserialize)]
struct Event {
    body: Box<RawValue>,
    owed: Vec<Owed>,
}

#[derive(Deserialize)]
struct Owed {
    id: String,
    status: String,
}

#[derive(Template)]
#[template(path = "deliveries/one.html")]
struct One {
    shell: Shell,
    delivery: Delivery,
    /// The attempts that are shown, the newest first, each with the beginning of its answer.
    attempts: Vec<(Attempt, Option<Excerpt>)>,
    /// `None` if it was deleted.
    destination: Option<Destination>,
    request: Request,
    /// Why the action was refused.
    refused: Option<String>,
}

impl One {
    fn may_cancel(&self) -> bool {
        self.shell.may_change && matches!(self.delivery.status.as_str(), "retrying" | "parked")
    }

    fn may_resend(&self) -> bool {
        self.shell.may_change && self.destination.is_some() && self.request.body.is_some()
    }
}

#[derive(Template)]
#[template(path = "deliveries/pending.html")]
struct Pending {
    shell: Shell,
    /// The id of the event that owes it, if it is known and has not expired.
    event: Option<String>,
    /// Whether the event says that the delivery is pending.
    pending: bool,
}

pub async fn show(visitor: Visitor, Path(id): Path<String>, Query(query): Query) -> Result<Response, Failure> {
    page(&visitor, &id, &query, None).await
}

pub async fn resend(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    #[derive(Deserialize)]
    struct Resent {
        result: String,
    }
    match visitor.api.act(&format!("{}/resend", at(&id))).await {
        Ok(answer) => Ok(render::see(&format!("/deliveries/{id}?done={}", answer.read::<Resent>()?.result))),
        Err(failure) => refused(&visitor, &id, failure).await,
    }
}

pub async fn cancel(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    match visitor.api.act(&format!("{}/cancel", at(&id))).await {
        Ok(_) => Ok(render::see(&format!("/deliveries/{id}?done=cancelled"))),
        Err(failure) => refused(&visitor, &id, failure).await,
    }
}

/// Shows the page with the reason if the state of the delivery does not allow the action. Returns any other failure.
async fn refused(visitor: &Visitor, id: &str, failure: Failure) -> Result<Response, Failure> {
    let problem = failure.problem()?;
    if matches!(problem.status, 409 | 410) {
        page(visitor, id, &Fields::default(), Some(problem)).await
    } else {
        Err(Failure::Problem(problem))
    }
}

async fn page(visitor: &Visitor, id: &str, query: &Fields, refused: Option<Problem>) -> Result<Response, Failure> {
    let api = &visitor.api;
    let Some(mut delivery) = api.find::<Delivery>(&at(id)).await? else {
        return not_attempted(visitor, id, query).await;
    };
    let (event, destination) =
        (event::at(delivery.event_id.as_str()), destination::at(delivery.destination_id.as_str()));
    let (event, destination) = try_join(api.find::<Event>(&event), api.find::<Destination>(&destination)).await?;
    let body = event.as_ref().map(|event| event.body.get());
    let request = Request::new(&visitor.account, &delivery, destination.as_ref(), body)?;
    let attempts = newest(std::mem::take(&mut delivery.attempts));
    let status = refused.as_ref().map(Problem::status);
    let shell = visitor.shell("Deliveries", "Delivery").after(query.get("done"));
    let refused = refused.map(|problem| problem.detail);
    let one = One { shell, delivery, attempts, destination, request, refused };
    render::page_with(status.unwrap_or(StatusCode::OK), &one)
}

/// The path of a delivery in the API.
fn at(id: &str) -> String {
    format!("/v1/deliveries/{}", segment(id))
}

/// The newest attempts first, each with as much of its answer as fits.
fn newest(attempts: Vec<Attempt>) -> Vec<(Attempt, Option<Excerpt>)> {
    let mut room = ANSWERS;
    let with_answer = |attempt: Attempt| {
        let answer = attempt.response_excerpt.as_deref().map(|text| Excerpt::of(text, room.min(ANSWER)));
        room -= answer.as_ref().map_or(0, Excerpt::room);
        (attempt, answer)
    };
    attempts.into_iter().rev().take(ATTEMPTS).map(with_answer).collect()
}

/// The page of a delivery that has no row: it is pending, or it does not exist.
async fn not_attempted(visitor: &Visitor, id: &str, query: &Fields) -> Result<Response, Failure> {
    let event = match query.some("event") {
        Some(event) => visitor.api.find::<Event>(&event::at(event)).await?,
        None => None,
    };
    let is_pending = |event: &Event| event.owed.iter().any(|owed| owed.id == id && owed.status == "pending");
    let pending = event.as_ref().is_some_and(is_pending);
    let shell = visitor.shell("Deliveries", if pending { "Pending delivery" } else { "No such delivery" });
    let event = event.and_then(|_| query.some("event")).map(str::to_owned);
    let status = if pending { StatusCode::OK } else { StatusCode::NOT_FOUND };
    render::page_with(status, &Pending { shell, event, pending })
}
