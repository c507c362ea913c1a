//! The alarms on what people send: events that are rejected, rows that a request cannot read, requests that are answered with
//! 5xx.

use harness::api_client::{Customer, NewSubscription};
use harness::failure::OrFailure;
use harness::producer::fresh_sample;
use harness::unique::unique;
use harness::{Failure, Result};
use http::Method;
use serde_json::json;
use tests::world::World;

use crate::alike::SAMPLE;
use crate::bench::Bench;
use crate::invoke::Answer;
use crate::rows::Damaged;
use crate::taken::Whole;
use crate::watch::Watch;

/// `…-rejected-events`: a producer pushes what is no event, by the commands of the page about operations.
pub async fn rejected_events(bench: &Bench) -> Result<()> {
    let (world, section) = (World::new("rejected").await?, bench.section("rejected-events")?);
    world.subscribed_at("/all").await?;
    let mut watch = Watch::on(bench, "rejected-events")?;
    let mut event = fresh_sample(SAMPLE, world.customer.account())?;
    event["id"] = json!("evt-sync-run-41907");
    let file = bench.operator.directory.join("event.json");
    std::fs::write(file, event.to_string()).or_failure(|| "cannot write event.json")?;
    let (id, corrected) = (format!("{}.1", unique("operations")), unique("operations"));
    let commands = bench.rejected.command("rejected-events?code=invalid_event")?;
    let commands = commands.replace("acme", world.customer.account());
    let commands = commands.replace("operations.1", &id).replace("operations-1", &corrected);
    watch.goes_off(async || bench.operator.run(&commands).await.map(|_| None)).await?;
    bench.operator.finds(&section.command("rejected")?, &["rejected_event.id", "invalid_event"]).await?;
    world.receiver.await_count("/all", 1, crate::alike::SOON).await?;
    watch.goes_ok(async || world.push(SAMPLE).await.map(|_| None)).await
}

/// `…-unreadable-rows`: a destination's row is damaged.
pub async fn unreadable_rows(bench: &Bench) -> Result<()> {
    let world = World::new("unreadable").await?;
    let id = world.subscribed_at("/all").await?;
    let mut watch = Watch::on(bench, "unreadable-rows")?;
    let account = world.customer.account();
    let (pk, sk) = (format!("A#{account}"), format!("DST#{id}"));
    let row = Damaged::row(&bench.deployment, (&pk, &sk), "created_at", |_| ()).await?;
    let listed = async || Ok(world.customer.list("/v1/destinations").await?.len());
    watch.goes_off(async || listed().await.map(|_| None)).await?;
    if listed().await? != 0 {
        return Err(Failure::new("the damaged destination is listed"));
    }
    let command = bench.section("unreadable-rows")?.command("unreadable_row")?;
    let line = bench.operator.finds(&command, &[account]).await?;
    if line["row.pk"] != row.pk || line["row.sk"] != row.sk || line["field"].is_null() {
        return Err(Failure::new(format!("the line does not name {} {}: {line}", row.pk, row.sk)));
    }
    row.mend(bench).await?;
    watch.goes_ok(async || listed().await.map(|_| None)).await?;
    if listed().await? == 1 { Ok(()) } else { Err(Failure::new("the destination is not listed again")) }
}

/// `…-api-errors`: the API lacks a permission.
pub async fn api_errors(bench: &Bench, api: &Whole) -> Result<()> {
    let (world, section) = (World::new("errors").await?, bench.section("api-errors")?);
    let id = world.subscribed_at("/all").await?;
    let subscription = world.customer.subscribe(&NewSubscription::to_everything(&id).path("/more")).await?;
    let path = format!("/v1/subscriptions/{subscription}");
    let mut watch = Watch::on(bench, "api-errors")?;
    watch.looks_at("AWS/ApiGateway", "5xx", &bench.deployment.outputs.api_id)?;
    api.without(bench, &["dynamodb:DeleteItem"]).await?;
    let ask = async || Ok(Some(is_5xx(&world.customer, Method::DELETE, &path).await?));
    watch.goes_off(ask).await?;
    let line = bench.operator.finds(&section.command("lines ApiFunctionName")?, &["dynamodb:DeleteItem"]).await?;
    // The local AWS writes no access log.
    bench.operator.lines(&section.command("-access")?).await?;
    api.give_back(bench, &line.to_string()).await?;
    watch.goes_ok(ask).await?;
    let status = world.customer.get(&path).await?.status;
    if status == 404 { Ok(()) } else { Err(Failure::new(format!("{path} was not deleted: {status}"))) }
}

/// `…-authorizer-errors`: the authorizer lacks a permission.
pub async fn authorizer_errors(bench: &Bench, authorizer: &Whole) -> Result<()> {
    let (world, section) = (World::new("authorizer").await?, bench.section("authorizer-errors")?);
    let mut watch = Watch::on(bench, "authorizer-errors")?;
    watch.looks_at("AWS/Lambda", "Errors", &authorizer.function)?;
    // A key that was seen is remembered.
    let mut keys = Vec::new();
    for name in ["one", "two", "three", "four", "five"] {
        let (path, body) =
            (format!("/admin/v1/accounts/{}/keys", world.customer.account()), json!({"name": name, "role": "viewer"}));
        let created = world.operator.call(Method::POST, &path, Some(&body)).await?.expect_status(201)?;
        keys.push(created["key"].as_str().unwrap_or_default().to_owned());
    }
    let mut keys = keys.iter().cycle().map(|key| world.customer.clone().with_key(key));
    authorizer.without(bench, &["dynamodb:GetItem"]).await?;
    let mut ask = async || {
        let customer = keys.next().or_failure(|| "no key")?;
        Ok(Some(is_5xx(&customer, Method::GET, "/v1/destinations").await?))
    };
    watch.goes_off(&mut ask).await?;
    let command = section.command("lines ApiFunctionName")?.replace("ApiFunctionName", "AuthorizerFunctionName");
    let line = bench.operator.finds(&command, &["dynamodb:GetItem"]).await?;
    authorizer.give_back(bench, &line.to_string()).await?;
    watch.goes_ok(&mut ask).await
}

async fn is_5xx(customer: &Customer, method: Method, path: &str) -> Result<f64> {
    Ok(Answer::count(customer.call(method, path, None).await?.status >= 500))
}
