//! Operational events: a destination that is gone, which is reported to other destinations and to people, but not to
//! the destination itself; and a missed run.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use domain::event::{EventType, payload};
use harness::api_client::NewSubscription;
use harness::eventually::eventually;
use harness::producer::fresh_sample;
use harness::queue::Queue;
use harness::receiver::{Answer, Received, Receiver};
use harness::unique::unique;
use harness::{Deployment, Result};
use serde_json::{Value, json};
use tests::function;

const SOON: Duration = Duration::from_secs(30);

/// Subscribes a queue to the alerts about one account, as an operator would.
async fn alerts_of(deployment: &Deployment, account: &str) -> Result<Queue> {
    let sqs = deployment.sqs();
    let queue = sqs.create_queue().queue_name(unique("alerts")).send().await.expect("a queue");
    let url = queue.queue_url().expect("its URL");
    let asked = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn).send().await;
    let attributes = asked.expect("an answer").attributes.expect("attributes");
    let arn = &attributes[&QueueAttributeName::QueueArn];
    let topic = &deployment.outputs.receiver_alerts_topic_arn;
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}}
    }]});
    let policed = sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::Policy, policy.to_string());
    policed.send().await.expect("a policy");
    let subscribed =
        aws_sdk_sns::Client::new(&deployment.sdk_config()).subscribe().topic_arn(topic).protocol("sqs").endpoint(arn);
    let filter = json!({"account_id": [account]}).to_string();
    subscribed.attributes("FilterPolicy", filter).send().await.expect("a subscription");
    Ok(Queue::new(sqs, url))
}

fn of_type<'r>(requests: &'r [Received], event_type: &str) -> Vec<&'r Received> {
    requests.iter().filter(|request| request.header("webhook-event-type") == event_type).collect()
}

/// The requests without repetitions: two concurrent runs of `redrive` may publish the same event, and the same delivery
/// may then arrive twice.
fn ids_of(requests: &[Received], event_type: &str) -> BTreeSet<String> {
    of_type(requests, event_type).into_iter().map(|request| request.delivery_id().to_owned()).collect()
}

#[tokio::test]
async fn a_destination_that_is_gone_is_told_of_to_others_and_to_people_but_not_to_itself() -> Result<()> {
    let (deployment, receiver) = (Deployment::from_env()?, Receiver::start().await?);
    let customer = deployment.operator()?.register(&unique("operational")).await?;
    let alerts = alerts_of(&deployment, customer.account()).await?;
    let mut ids = Vec::new();
    for path in ["/gone", "/watching"] {
        let created = customer.create_destination(path, &receiver.url(path)).await?;
        receiver.expect_secret(path, &created.secret);
        let disabled = NewSubscription::to_everything(&created.id).event_types(&["destination.disabled"]);
        customer.subscribe(&disabled).await?;
        ids.push(created.id);
    }
    customer.subscribe(&NewSubscription::to_everything(&ids[0])).await?;
    receiver.answer("/gone", [Answer::status(410)]);
    deployment.producer().push(&fresh_sample("demo-sync-run-succeeded", customer.account())?).await?;
    receiver.await_count("/gone", 1, SOON).await?;

    // The scheduled run may come first, or run at the same time. There is still only one event.
    let told = eventually("the event", SOON, async || {
        function::run_redrive(&deployment).await?;
        let requests = receiver.requests_below("/watching");
        Ok((!requests.is_empty()).then_some(requests))
    });
    let told = told.await?;
    assert_eq!(told[0].verified, Ok(()));
    let body = told[0].json();
    assert_eq!((&body["type"], &body["scope"]), (&json!("destination.disabled"), &json!({})));
    let data = &body["data"];
    let event_type: EventType = "destination.disabled".parse().expect("a type");
    assert_eq!(payload::check(event_type, &data.to_string()), Ok(()));
    assert_eq!((&data["status"], &data["destination"]["id"]), (&json!("gone"), &json!(ids[0])));
    assert_eq!((&data["destination"]["name"], &data["destination"]["host"]), (&json!("/gone"), &json!("127.0.0.1")));

    let alert = alerts.await_message("the alert", SOON, |_| true).await?;
    let alert: Value = serde_json::from_str(alert.body().expect("a body")).expect("JSON");
    let subject = alert["Subject"].as_str().expect("a subject");
    assert!(subject.starts_with(&format!("SyncHub: destination disabled: {}", ids[0])), "{subject}");
    let text = alert["Message"].as_str().expect("a message");
    assert!(text.contains("it answered 410 Gone") && text.contains("To do: "), "{text}");
    assert_eq!(alert["MessageAttributes"]["event_type"]["Value"], "destination.disabled");

    // The event's row lists the destinations that it is owed to.
    let event = format!("/v1/events/{}", body["id"].as_str().expect("an id"));
    let event = customer.get(&event).await?.expect_status(200)?;
    let owed: Vec<_> = event["owed"].as_array().expect("a list").iter().map(|owed| &owed["destination_id"]).collect();
    assert_eq!(owed, [&json!(ids[1])]);
    function::run_redrive(&deployment).await?;
    assert!(of_type(&receiver.requests_below("/gone"), "destination.disabled").is_empty());
    assert_eq!(ids_of(&receiver.requests_below("/watching"), "destination.disabled").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_run_that_does_not_come_is_told_to_who_asked_and_one_that_comes_late_is_not() -> Result<()> {
    let (deployment, receiver) = (Deployment::from_env()?, Receiver::start().await?);
    let customer = deployment.operator()?.register(&unique("missed")).await?;
    for (path, types) in [("/missed", "sync_run.missed"), ("/all", "*")] {
        let created = customer.create_destination(path, &receiver.url(path)).await?;
        receiver.expect_secret(path, &created.secret);
        customer.subscribe(&NewSubscription::to_everything(&created.id).event_types(&[types])).await?;
    }
    // The next runs of two tables were announced for times long past. One of them had a later run, which announces
    // nothing.
    let mut runs = vec![fresh_sample("demo-sync-run-succeeded", customer.account())?];
    for late in ["late", "came"] {
        let mut run = fresh_sample("demo-sync-run-succeeded", customer.account())?;
        run["scope"] = json!("connection/xero/endpoint/contacts");
        run["data"]["endpoint"]["id"] = json!("contacts");
        run["data"]["run_id"] = json!(late);
        runs.push(run);
    }
    let times = [
        ("2026-01-01T09:00:00Z", json!("2026-01-01T10:00:00Z")),
        ("2026-01-01T09:00:00Z", json!("2026-01-01T10:00:00Z")),
        ("2026-01-01T11:00:00Z", Value::Null),
    ];
    for (run, (completed_at, next_run_at)) in runs.iter_mut().zip(times) {
        run["data"]["completed_at"] = json!(completed_at);
        run["data"]["next_run_at"] = next_run_at;
    }
    deployment.producer().push_all(&runs).await?;
    receiver.await_count("/all", runs.len(), SOON).await?;

    let told = eventually("the event", 3 * SOON, async || {
        function::run_redrive(&deployment).await?;
        let requests = receiver.requests_below("/missed");
        Ok((!requests.is_empty()).then_some(requests))
    });
    let told = told.await?;
    assert_eq!(told[0].verified, Ok(()));
    let body = told[0].json();
    assert_eq!(
        (&body["type"], &body["scope"]),
        (&json!("sync_run.missed"), &json!({"connection": "xero", "endpoint": "invoices"}))
    );
    let event_type: EventType = "sync_run.missed".parse().expect("a type");
    assert_eq!(payload::check(event_type, &body["data"].to_string()), Ok(()));
    assert_eq!(body["data"]["expected_at"], "2026-01-01T10:00:00.000Z");
    function::run_redrive(&deployment).await?;
    assert_eq!(ids_of(&receiver.requests_below("/missed"), "sync_run.missed").len(), 1);
    assert_eq!(of_type(&receiver.requests_below("/all"), "sync_run.missed").len(), 0);
    Ok(())
}
