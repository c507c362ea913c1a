//! Enables, disables and deletes a subscription.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use domain::access::Permission;
use http::Method;
use serde_json::json;

use crate::markup::icons;
use crate::markup::shell::Shell;
use crate::model::Subscription;
use crate::model::places::Places;
use crate::model::subscription::{at, path};
use crate::web::failure::Failure;
use crate::web::render;
use crate::web::visitor::Visitor;

pub async fn enable(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    switch(&visitor, &id, true).await
}

pub async fn disable(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    switch(&visitor, &id, false).await
}

async fn switch(visitor: &Visitor, id: &str, enabled: bool) -> Result<Response, Failure> {
    visitor.api.call(Method::PATCH, &at(id), None, Some(&json!({ "enabled": enabled }))).await?;
    let done = if enabled { "enabled" } else { "disabled" };
    Ok(render::see(&format!("{}?done={done}", path(id))))
}

#[derive(Template)]
#[template(path = "subscriptions/delete.html")]
struct Delete {
    shell: Shell,
    subscription: Subscription,
    places: Places,
}

pub async fn ask_to_delete(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    let subscription: Subscription = visitor.api.get(&at(&id)).await?;
    let shell = visitor.shell("Subscriptions", format!("Delete {}", subscription.name));
    let places = Places::find(&visitor.api, std::iter::once(subscription.scope.as_str())).await?;
    render::page(&Delete { shell, subscription, places })
}

pub async fn delete(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    visitor.api.call(Method::DELETE, &at(&id), None, None).await?;
    Ok(render::see("/subscriptions?done=deleted"))
}
