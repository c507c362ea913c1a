//! `authorizer` over the in-memory store: whom it lets in, and as whom.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::sync::Arc;

use authorizer::{Caller, Decision, Deps, handle};
use aws_lambda_events::event::apigw::ApiGatewayV2CustomAuthorizerV2Request;
use lambda_runtime::LambdaEvent;
use shared::domain::api_key::{ApiKey, Role};
use shared::domain::id::KeyId;
use shared::ports::{ApiKeys, Clock};
use shared::testing::{MemoryStore, TestClock, account};

const SAMPLE: &str = include_str!("../../../events/authorizer-api-key.json");

/// A store that knows the sample's key: account `acme`, key id of ten zero bytes, a secret of sevens.
async fn store() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::default());
    let name = "sample".to_owned().try_into().expect("a name");
    let id = KeyId::from_entropy([0; 10]);
    let (key, _) = ApiKey::issue(id, account("acme"), name, Role::Editor, [7; 32], TestClock::new().now());
    store.store_key(&key).await.expect("stored");
    store
}

async fn decide(store: Arc<MemoryStore>, sample: &str) -> Result<Decision, lambda_runtime::Error> {
    let event: ApiGatewayV2CustomAuthorizerV2Request = serde_json::from_str(sample).expect("a sample");
    handle(Arc::new(Deps { keys: store }), LambdaEvent::new(event, Default::default())).await
}

#[tokio::test]
async fn a_known_key_is_let_in_as_its_account() {
    let decision = decide(store().await, SAMPLE).await.expect("a decision");
    let caller = Caller { account: "acme".into(), role: "editor", key_id: "key_0000000000000000".into() };
    assert_eq!(decision, Decision { is_authorized: true, context: Some(caller) });
}

#[tokio::test]
async fn the_answer_has_the_form_api_gateway_reads() {
    let decision = decide(store().await, SAMPLE).await.expect("a decision");
    let expected = serde_json::json!({
        "isAuthorized": true, "context": {"account": "acme", "role": "editor", "key_id": "key_0000000000000000"}
    });
    assert_eq!(serde_json::to_value(decision).expect("JSON"), expected);
}

#[tokio::test]
async fn everyone_else_is_refused() {
    let key = "whk_acme.0000000000000000.BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
    assert!(SAMPLE.contains(key));
    let wrong_secret = SAMPLE.replace("BwcHBwc.", "").replace(".BwcH", ".AwcH");
    let other_account = SAMPLE.replace("whk_acme.", "whk_other.");
    let unknown_key = SAMPLE.replace("0000000000000000.Bw", "0000000000000001.Bw");
    let basic = SAMPLE.replace("Bearer ", "Basic ");
    let no_header = include_str!("../../../events/authorizer-no-header.json");
    let not_a_key = include_str!("../../../events/authorizer-not-a-key.json");
    for sample in [&wrong_secret, &other_account, &unknown_key, &basic, no_header, not_a_key] {
        assert_ne!(sample, SAMPLE);
        let decision = decide(store().await, sample).await.expect("a decision");
        assert!(!decision.is_authorized && decision.context.is_none(), "{sample}");
    }
}

#[tokio::test]
async fn a_failing_table_is_an_error_and_not_a_refusal() {
    let store = store().await;
    store.fail("find_key", 1);
    assert!(decide(store, SAMPLE).await.is_err());
}
