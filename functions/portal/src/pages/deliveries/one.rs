//! The page of one delivery: its attempts, its request, and actions to resend or cancel it.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use futures_util::future::try_join3;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::delivery::{Attempt, Delivery};
use super::request::Request;
use crate::markup::address::segment;
use crate::markup::shell::Shell;
use crate::markup::shown::Excerpt;
use crate::markup::{html, icons, shown};
use crate::model::places::Places;
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
    /// Where its event happened.
    scope: Option<String>,
    places: Places,
    request: Request,
    /// Why the action was refused.
    refused: Option<String>,
}

impl One {
    fn may_cancel(&self) -> bool {
        self.shell.may_change && matches!(self.delivery.status.as_str(), "retrying" | "parked")
    }

    /// Why there is no attempt, as far as its status tells.
    fn no_attempt(&self) -> &'static str {
        match (self.delivery.status.as_str(), &self.destination) {
            ("retrying", _) => "There was no attempt yet.",
            ("parked", Some(_)) => "There was no attempt yet: the delivery was parked before the first one.",
            ("parked", None) => {
                "There was no attempt: the delivery was parked before the first one, and then its destination was deleted. It expires."
            }
            ("exhausted", _) => {
                "There was no attempt: the delivery was parked before the first one, until its event expired."
            }
            ("cancelled", Some(_)) => "There was no attempt: it was cancelled before the first one.",
            ("cancelled", None) => {
                "There was no attempt: it was cancelled, or its destination was deleted, before the first one."
            }
            _ => "No attempt is recorded.",
        }
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
    let scope = delivery.scope.as_ref().map(ToString::to_string);
    let places = Places::find(api, scope.iter().map(String::as_str));
    let (event, destination) = (api.find::<Event>(&event), api.find::<Destination>(&destination));
    let (event, destination, places) = try_join3(event, destination, places).await?;
    let body = event.as_ref().map(|event| event.body.get());
    let request = Request::new(&visitor.account, &delivery, destination.as_ref(), body)?;
    let attempts = newest(std::mem::take(&mut delivery.attempts));
    let status = refused.as_ref().map(Problem::status);
    let shell = visitor.shell("Deliveries", "Delivery").after(done(query.get("done"), &delivery));
    let refused = refused.map(|problem| problem.detail);
    let one = One { shell, delivery, attempts, destination, scope, places, request, refused };
    render::page_with(status.unwrap_or(StatusCode::OK), &one)
}

/// The notice after an action, if it is true of the delivery.
fn done(word: &str, delivery: &Delivery) -> Option<&'static str> {
    let waits_for = delivery.waiting.as_ref().map(|waiting| waiting.r#for.as_str());
    match (word, delivery.status.as_str(), waits_for) {
        ("cancelled", "cancelled", _) => Some("Cancelled. It will not be sent."),
        ("sent", "delivered", _) | ("sent", _, Some("attempt" | "turn")) => Some("On its way again."),
        ("already_under_way", _, Some("attempt" | "turn")) => Some("It is under way already; nothing was added."),
        ("set_aside", "parked", _) => {
            Some("Parked: nothing is sent to its destination now. It is sent when the destination is back.")
        }
        ("not_sent", "delivered", _) => {
            Some("Nothing was done: it was delivered before, and nothing is sent to its destination now.")
        }
        _ => None,
    }
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
