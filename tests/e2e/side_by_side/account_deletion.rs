//! Deleting an account, through the whole deployed path: its keys are refused at once, and in the end the table
//! contains nothing about it.

use std::time::Duration;

use harness::api_client::{Customer, NewSubscription, Operator};
use harness::eventually::eventually;
use harness::producer::fresh_sample;
use harness::receiver::{Answer, Receiver};
use harness::unique::unique;
use harness::{Deployment, Result};
use http::Method;
use serde_json::{Value, json};
use tests::function;

/// The deletion begins after 100 s, and takes seconds.
const DELETION: Duration = Duration::from_secs(150);
const SOON: Duration = Duration::from_secs(30);

/// An account with two destinations, one of which refuses, three subscriptions, three events and a deleted destination.
async fn account(deployment: &Deployment, receiver: &Receiver) -> Result<Customer> {
    let customer = deployment.operator()?.register(&unique("deleted")).await?;
    receiver.answer("/refused", [Answer::status(500)]);
    let mut subscriptions = Vec::new();
    for path in ["/taken", "/refused", "/gone"] {
        let created = customer.create_destination(path, &receiver.url(path)).await?;
        receiver.expect_secret(path, &created.secret);
        let id = customer.subscribe(&NewSubscription::to_everything(&created.id).named(path)).await?;
        subscriptions.push((created.id, id));
    }
    for _ in 0..3 {
        push(deployment, &customer).await?;
    }
    let waiting = eventually("the deliveries", SOON, async || {
        let ledger = deployment.ledger(customer.account()).await?;
        Ok((ledger.count("delivered") == 6 && ledger.count("retrying") == 3).then_some(()))
    });
    waiting.await?;
    if let Some((destination, subscription)) = subscriptions.pop() {
        customer.delete(&format!("/v1/subscriptions/{subscription}")).await?.expect_status(204)?;
        customer.delete(&format!("/v1/destinations/{destination}")).await?.expect_status(204)?;
    }
    Ok(customer)
}

async fn push(deployment: &Deployment, customer: &Customer) -> Result<()> {
    let event = fresh_sample("demo-sync-run-succeeded", customer.account())?;
    deployment.producer().push(&event).await
}

/// A new key, for which the authorizer's answer is not cached.
async fn fresh_key(operator: &Operator, account: &str) -> Result<String> {
    let body = json!({"name": "fresh", "role": "admin"});
    let path = format!("/admin/v1/accounts/{account}/keys");
    let key = operator.call(Method::POST, &path, Some(&body)).await?.expect_status(201)?;
    Ok(key["key"].as_str().unwrap_or_default().to_owned())
}

async fn get(operator: &Operator, path: &str) -> Result<Value> {
    operator.call(Method::GET, path, None).await?.expect_status(200)
}

/// The rows that name the account, except for the job that reports its deletion.
async fn rows_of(deployment: &Deployment, account: &str) -> Result<Vec<String>> {
    let rows = deployment.rows().await?.into_iter().map(|row| format!("{row:?}"));
    Ok(rows.filter(|row| row.contains(account) && !row.contains("\"JOB#")).collect())
}

#[tokio::test]
async fn deleting_an_account_refuses_its_keys_at_once_and_leaves_no_row_of_it() -> Result<()> {
    let (deployment, receiver) = (Deployment::from_env()?, Receiver::start().await?);
    let operator = deployment.operator()?;
    let (customer, neighbour) = (account(&deployment, &receiver).await?, operator.register(&unique("stays")).await?);
    let name = customer.account();
    let unused = fresh_key(&operator, name).await?;
    assert!(rows_of(&deployment, name).await?.len() > 15);

    let path = format!("/admin/v1/accounts/{name}");
    let job = operator.call(Method::DELETE, &path, None).await?.expect_status(202)?;
    assert_eq!((&job["status"], &job["account"]), (&json!("queued"), &json!(name)));
    let refused = customer.clone().with_key(&unused).get("/v1/destinations").await?;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_eq!(get(&operator, &path).await?["status"], "deleting");
    // Even if `fanout` still has the account in its cache, nothing of this remains.
    push(&deployment, &customer).await?;

    let job_path = format!("/admin/v1/jobs/{}", job["id"].as_str().unwrap_or_default());
    let ended = eventually("the end of the deletion", DELETION, async || {
        tokio::time::sleep(Duration::from_secs(5)).await;
        function::run_redrive(&deployment).await?;
        let job = get(&operator, &job_path).await?;
        Ok((job["status"] != "queued" && job["status"] != "running").then_some(job))
    });
    let ended = ended.await?;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert!(ended["progress"]["deleted"].as_u64() > Some(15), "{ended}");
    assert_eq!(rows_of(&deployment, name).await?, Vec::<String>::new());
    assert_eq!(operator.call(Method::GET, &path, None).await?.status, 404);
    assert_eq!(neighbour.get("/v1/destinations").await?.status, 200);

    // Its retries are still in the queue. They find no account, and write nothing.
    let refused = receiver.requests_below("/refused").len();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(receiver.requests_below("/refused").len(), refused);
    assert_eq!(rows_of(&deployment, name).await?, Vec::<String>::new());
    Ok(())
}
