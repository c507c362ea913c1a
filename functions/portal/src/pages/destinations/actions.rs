//! Pauses, resumes and deletes a destination.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use domain::access::Permission;
use http::{Method, StatusCode};
use ports::read_units;

use crate::markup::address::query;
use crate::markup::icons;
use crate::markup::shell::Shell;
use crate::model::destination::{at, path};
use crate::model::listing::PAGE_UNITS;
use crate::model::{Destination, Listed, Subscription, subscription};
use crate::web::failure::Failure;
use crate::web::fields::Form;
use crate::web::inner::Api;
use crate::web::render;
use crate::web::visitor::Visitor;

/// The number of subscriptions that the page names.
const NAMED: usize = 100;
/// What deleting a subscription costs at most, in read units, and what is kept for the destination and the page.
const DELETION_UNITS: usize = 2;
const KEPT: usize = 40;
const UNSEEN: &str = "Nothing was deleted, because a subscription to it was created meanwhile. Check the list again.";

pub async fn pause(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    visitor.api.act(&format!("{}/pause", at(&id))).await?;
    Ok(render::see(&format!("{}?done=paused", path(&id))))
}

pub async fn resume(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    let resumed: Destination = visitor.api.act(&format!("{}/resume", at(&id))).await?.read()?;
    let done = if resumed.health == "failing" { "tried_soon" } else { "resumed" };
    Ok(render::see(&format!("{}?done={done}", path(&id))))
}

#[derive(Template)]
#[template(path = "destinations/delete.html")]
struct Delete {
    shell: Shell,
    destination: Destination,
    subscriptions: Vec<Subscription>,
    /// Whether more subscriptions may send to it than are shown.
    more: bool,
    error: Option<&'static str>,
}

pub async fn ask_to_delete(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    confirm(&visitor, &id, None).await
}

/// Deletes it with the subscriptions that were shown, one by one. If there is another one by now, it asks again. With
/// `more`, the visitor agreed to delete all subscriptions, named or not, so they need not be looked up here.
pub async fn delete(visitor: Visitor, Path(id): Path<String>, Form(form): Form) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    let all = form.get("more") == "true";
    if !all {
        let (subscriptions, more) = sending_to(&visitor.api, &id).await?;
        let was_shown = |subscription: &Subscription| form.has("shown", &subscription.id);
        if more || !subscriptions.iter().all(was_shown) {
            return confirm(&visitor, &id, Some(UNSEEN)).await;
        }
        delete_each(&visitor.api, &subscriptions).await?;
    }
    let cascade = if all { "?cascade=true" } else { "" };
    match visitor.api.call(Method::DELETE, &format!("{}{cascade}", at(&id)), None, None).await {
        Ok(_) => Ok(render::see("/destinations?done=deleted")),
        Err(failure) => {
            let problem = failure.problem()?;
            if problem.code != "destination_in_use" {
                return Err(Failure::Problem(problem));
            }
            let error = if all {
                "Some of its subscriptions are deleted, and there may be more. Delete it again to continue."
            } else {
                "The subscriptions that you saw are deleted, but another one was created meanwhile. Check the list again."
            };
            confirm(&visitor, &id, Some(error)).await
        }
    }
}

async fn delete_each(api: &Api, subscriptions: &[Subscription]) -> Result<(), Failure> {
    for subscription in subscriptions {
        let path = subscription::at(&subscription.id);
        match api.call(Method::DELETE, &path, None, None).await {
            // Somebody else has deleted it already.
            Err(Failure::Problem(problem)) if problem.status == 404 => {}
            other => drop(other?),
        }
    }
    Ok(())
}

async fn confirm(visitor: &Visitor, id: &str, error: Option<&'static str>) -> Result<Response, Failure> {
    let destination: Destination = visitor.api.get(&at(id)).await?;
    let (subscriptions, more) = sending_to(&visitor.api, id).await?;
    let shell = visitor.shell("Destinations", format!("Delete {}", destination.name));
    let status = if error.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
    render::page_with(status, &Delete { shell, destination, subscriptions, more, error })
}

/// The first subscriptions that send to it, and whether there may be more: in a large account not all are looked up, because
/// a request may read only so much.
async fn sending_to(api: &Api, id: &str) -> Result<(Vec<Subscription>, bool), Failure> {
    let (mut found, mut cursor, mut more) = (Vec::new(), None::<String>, true);
    while more && found.len() < NAMED && read_units::left_for(PAGE_UNITS) > 0 {
        let after = cursor.as_deref().map(|cursor| ("cursor", cursor));
        let asked = query([("destination_id", id), ("limit", "100")].into_iter().chain(after));
        let listed: Listed<Subscription> = api.get(&format!("/v1/subscriptions{asked}")).await?;
        found.extend(listed.data);
        cursor = listed.next_cursor;
        more = cursor.is_some();
    }
    // If the visitor agrees, one request must be able to delete all that are named.
    let cannot_delete = read_units::left_for(found.len() * DELETION_UNITS + KEPT) == 0;
    more |= found.len() > NAMED || cannot_delete;
    found.truncate(NAMED);
    Ok((found, more))
}
