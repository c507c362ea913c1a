//! Tests that the deployment and the harness work together at all. Look here first if all other tests fail.
//!
//! It uses everything once, and checks no details.

use harness::receiver::Receiver;
use harness::{Deployment, demo};

#[tokio::test]
async fn the_demo_works() {
    let deployment = Deployment::from_env().expect("a deployment");
    let receiver = Receiver::start().await.expect("a receiver");
    let report = demo::run(&deployment, &receiver).await.expect("a demo");
    assert!(report.is_complete(), "{}\n{} unexpected requests", report.table, report.unexpected);
}

#[tokio::test]
async fn strangers_are_refused() {
    let deployment = Deployment::from_env().expect("a deployment");
    let operator = deployment.operator().expect("an operator");
    let stranger = operator.stranger();
    let without_a_key = stranger.get("/v1/destinations").await.expect("an answer");
    assert_eq!(without_a_key.status, 401, "{}", without_a_key.body);
    let with_a_wrong_key = stranger.clone().with_key("whk_wrong").get("/v1/destinations").await.expect("an answer");
    assert!([401, 403].contains(&with_a_wrong_key.status), "{}", with_a_wrong_key.body);
    let without_a_signature = stranger.get("/admin/v1/accounts").await.expect("an answer");
    assert_eq!(without_a_signature.status, 403, "{}", without_a_signature.body);
}
