//! Invalid input is refused with a reason, and its neighbours are still served.

use std::time::Duration;

use harness::api_client::{NewSubscription, Operator};
use harness::eventually::eventually;
use harness::producer::fresh_sample;
use harness::receiver::Receiver;
use harness::unique::unique;
use harness::{Deployment, Result};
use http::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn each_bad_event_is_kept_with_its_reason_and_its_neighbours_are_delivered() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let operator = deployment.operator()?;
    let customer = operator.register(&unique("bad-input")).await?;
    let receiver = Receiver::start().await?;
    let created = customer.create_destination("all", &receiver.url("/all")).await?;
    receiver.expect_secret("/all", &created.secret);
    customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;

    let sample = || fresh_sample("demo-sync-run-succeeded", customer.account());
    let changed = |field: &str, value: Value| -> Result<String> {
        let mut event = sample()?;
        event[field] = value;
        Ok(event.to_string())
    };
    let mut wrong_type = sample()?;
    wrong_type["data"]["records"]["read"] = json!("many");
    let mut no_account = sample()?;
    no_account.as_object_mut().expect("an object").remove("account");
    let mut large = sample()?;
    large["data"]["padding"] = json!("x".repeat(256 * 1024));
    let reused = sample()?;
    let mut reuse = reused.clone();
    reuse["data"]["duration_ms"] = json!(1);
    let bad = [
        (format!("{{\"id\": \"{}", unique("cut-off")), "malformed_json", "not valid JSON"),
        (wrong_type.to_string(), "invalid_event", "data.records.read"),
        (changed("type", json!("sync_run.exploded"))?, "unknown_event_type", "type"),
        (no_account.to_string(), "invalid_event", "account"),
        (changed("id", json!(format!("{}.1", unique("evt"))))?, "invalid_event", "id"),
        (changed("occurred_at", json!("2016-11-23T09:30:00Z"))?, "occurred_at_out_of_range", "occurred_at"),
        (changed("occurred_at", json!("2036-11-23T09:30:00Z"))?, "occurred_at_out_of_range", "occurred_at"),
        (large.to_string(), "event_too_large", "262144"),
    ];
    let mut good = vec![reused.clone()];
    deployment.producer().push(&reused).await?;
    for (text, _, _) in &bad {
        let event = sample()?;
        deployment.producer().push_text(text).await?;
        deployment.producer().push(&event).await?;
        good.push(event);
    }
    receiver.await_count("/all", good.len(), SOON).await?;
    deployment.producer().push(&reuse).await?;
    let reuse = (reuse.to_string(), "id_reused", "id");
    for (text, code, detail) in bad.into_iter().chain([reuse]) {
        let what = format!("the rejected event ({code})");
        let found = eventually(&what, SOON, || rejected(&operator, code, &text)).await?;
        let reason = found["detail"].as_str().unwrap_or_default();
        assert!(reason.contains(detail), "{reason:?} does not name {detail:?}");
    }
    for event in good {
        assert!(receiver.requests().iter().any(|request| request.event_id() == event["id"]), "{}", event["id"]);
    }
    Ok(())
}

/// The rejected event with this text, if it is in the operator's list.
async fn rejected(operator: &Operator, code: &str, text: &str) -> Result<Option<Value>> {
    let list = format!("/admin/v1/rejected-events?code={code}&limit=100");
    let page = operator.call(Method::GET, &list, None).await?.expect_status(200)?;
    for listed in page["data"].as_array().into_iter().flatten().filter(|listed| listed["body_bytes"] == text.len()) {
        let path = format!("/admin/v1/rejected-events/{}", listed["id"].as_str().unwrap_or_default());
        let read = operator.call(Method::GET, &path, None).await?.expect_status(200)?;
        if read["body"] == text {
            return Ok(Some(read));
        }
    }
    Ok(None)
}

#[tokio::test]
async fn a_rejected_event_is_listed_mended_resubmitted_and_delivered() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let operator = deployment.operator()?;
    let customer = operator.register(&unique("mended")).await?;
    let receiver = Receiver::start().await?;
    let created = customer.create_destination("all", &receiver.url("/all")).await?;
    receiver.expect_secret("/all", &created.secret);
    customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
    let mended = fresh_sample("demo-sync-run-succeeded", customer.account())?;
    let mut wrong = mended.clone();
    wrong["scope"] = json!("connection/xero");
    deployment.producer().push(&wrong).await?;

    let list = format!("/admin/v1/rejected-events?code=invalid_event&account={}", customer.account());
    let listed = eventually("the rejected event in the list", SOON, async || {
        let page = operator.call(Method::GET, &list, None).await?.expect_status(200)?;
        Ok(page["data"].get(0).cloned())
    });
    let listed = listed.await?;
    assert_eq!((&listed["pointer"], &listed["resubmission"]), (&json!("/scope"), &Value::Null), "{listed}");
    let path = format!("/admin/v1/rejected-events/{}", listed["id"].as_str().unwrap_or_default());
    let read = operator.call(Method::GET, &path, None).await?.expect_status(200)?;
    assert_eq!(read["body"], json!(wrong.to_string()));

    let resubmit = format!("{path}/resubmit");
    let still = operator.call(Method::POST, &resubmit, None).await?.expect_status(422)?;
    assert_eq!(still["errors"][0]["pointer"], "/scope", "{still}");
    let sent = operator.call(Method::POST, &resubmit, Some(&mended)).await?.expect_status(202)?;
    assert_eq!((&sent["status"], &sent["resubmitted_before"]), (&json!("accepted"), &Value::Null), "{sent}");
    receiver.await_count("/all", 1, SOON).await?;
    assert_eq!(receiver.requests()[0].event_id(), mended["id"]);

    // Again, it is the same event.
    let noted = operator.call(Method::GET, &path, None).await?.expect_status(200)?;
    assert_eq!(noted["resubmission"]["event_id"], mended["id"], "{noted}");
    let again = eventually("the mended event to be known", SOON, async || {
        let again = operator.call(Method::POST, &resubmit, Some(&mended)).await?.expect_status(202)?;
        Ok((again["status"] == "duplicate").then_some(again))
    });
    assert!(again.await?["resubmitted_before"].is_string());
    assert_eq!(receiver.requests().len(), 1);
    operator.call(Method::DELETE, &path, None).await?.expect_status(204)?;
    operator.call(Method::GET, &path, None).await?.expect_status(404)?;
    Ok(())
}

#[tokio::test]
async fn the_api_points_at_what_is_wrong() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let customer = deployment.operator()?.register(&unique("bad-input")).await?;
    for (body, status, code, pointer) in [
        (json!({"name": "d", "url": "https://example.com/", "colour": "red"}), 422, "validation_failed", "/colour"),
        (json!({"name": "d", "url": "https://me:pw@example.com/"}), 422, "validation_failed", "/url"),
        (json!({"name": "d", "url": "ftp://example.com/"}), 422, "validation_failed", "/url"),
        (json!({"name": "d", "url": "https://10.0.0.1/"}), 422, "blocked_address", "/url"),
        (json!({"name": "d", "url": "https://169.254.169.254/latest"}), 422, "blocked_address", "/url"),
        (json!({"name": "d", "url": "https://[fd00::1]/"}), 422, "blocked_address", "/url"),
        (json!({"name": "d", "url": "https://example.com/", "secret": "x".repeat(1 << 20)}), 413, "body_too_large", ""),
    ] {
        let reply = customer.post("/v1/destinations", &body).await?;
        assert_eq!((reply.status, &reply.body["code"]), (status, &json!(code)), "{}", reply.body);
        assert_eq!(reply.body["errors"][0]["pointer"], json!(pointer), "{}", reply.body);
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        assert!(reply.body["request_id"].is_string());
    }
    Ok(())
}
