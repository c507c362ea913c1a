//! `authorizer` over the in-memory store: whom it admits, and as whom.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::sync::Arc;
use std::time::Duration;

use authorizer::{Caller, Decision, Deps, handle};
use aws_lambda_events::event::apigw::ApiGatewayV2CustomAuthorizerV2Request;
use domain::access::{ApiKey, Role, Session};
use domain::delivery::Job;
use domain::value::{Day, JobId, KeyId, SessionId};
use lambda_runtime::LambdaEvent;
use ports::{Accounts, ApiKeys, Clock, Sessions};
use testing::{MemoryStore, TestClock, account};

const SAMPLE: &str = include_str!("../../../events/authorizer-api-key.json");

/// A store with the key of the sample: account `acme`, a key id of ten zero bytes, a secret of bytes 7.
async fn store() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::default());
    let name = "sample".to_owned().try_into().expect("a name");
    let id = KeyId::from_entropy([0; 10]);
    let (key, _) = ApiKey::issue(id, account("acme"), name, Role::Editor, [7; 32], TestClock::new().now());
    store.create_account(&account("acme"), TestClock::new().now()).await.expect("created");
    store.create_key(&key).await.expect("created");
    store.take_calls();
    store
}

async fn decide(store: Arc<MemoryStore>, sample: &str) -> Result<Decision, lambda_runtime::Error> {
    decide_at(store, sample, TestClock::new()).await
}

async fn decide_at(store: Arc<MemoryStore>, sample: &str, clock: TestClock) -> Result<Decision, lambda_runtime::Error> {
    let event: ApiGatewayV2CustomAuthorizerV2Request = serde_json::from_str(sample).expect("a sample");
    let deps = Deps { accounts: store.clone(), keys: store.clone(), sessions: store, clock: Arc::new(clock) };
    handle(Arc::new(deps), LambdaEvent::new(event, Default::default())).await
}

#[tokio::test]
async fn a_known_key_is_let_in_as_its_account() {
    let decision = decide(store().await, SAMPLE).await.expect("a decision");
    let caller = Caller {
        account: "acme".into(),
        role: "editor",
        key_id: Some("key_0000000000000000".into()),
        session_id: None,
    };
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
    for method in ["find_key", "find_account"] {
        let store = store().await;
        store.fail(method, 1);
        assert!(decide(store, SAMPLE).await.is_err(), "{method}");
    }
}

#[tokio::test]
async fn the_key_of_an_account_that_is_being_deleted_is_refused() {
    let store = store().await;
    let acme = account("acme");
    let job = Job::delete_account(JobId::from_entropy([1; 10]), acme.clone(), TestClock::new().now());
    assert!(store.start_deletion(&acme, &job, None).await.expect("an answer"));
    let decision = decide(store, SAMPLE).await.expect("a decision");
    assert!(!decision.is_authorized);
}

#[tokio::test]
async fn the_day_of_the_last_use_is_written_once_a_day_and_by_the_holder_only() {
    let store = store().await;
    let forged = SAMPLE.replace(".BwcH", ".AwcH");
    assert!(!decide(store.clone(), &forged).await.expect("a decision").is_authorized);
    assert!(!store.take_calls().contains(&"note_key_use"));
    for (later, written) in [(0, true), (3_600, false), (86_400, true), (86_401, false)] {
        let clock = TestClock::new();
        clock.advance(Duration::from_secs(later));
        let today = Day::of(clock.now());
        assert!(decide_at(store.clone(), SAMPLE, clock).await.expect("a decision").is_authorized);
        assert_eq!(store.take_calls().contains(&"note_key_use"), written, "after {later} s");
        let key = store.find_key(&account("acme"), &KeyId::from_entropy([0; 10])).await.expect("an answer");
        assert_eq!(key.expect("the key").last_used_at, Some(today));
    }
}

#[tokio::test]
async fn a_use_that_cannot_be_noted_keeps_nobody_out() {
    let store = store().await;
    store.fail("note_key_use", 1);
    assert!(decide(store, SAMPLE).await.expect("a decision").is_authorized);
}

const KEY: &str = "whk_acme.0000000000000000.BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

/// An opened session of `acme`, and the sample with its token in place of the key.
async fn session(store: &Arc<MemoryStore>) -> (SessionId, String) {
    let (id, now) = (SessionId::from_entropy([4; 10]), TestClock::new().now());
    let (mut session, link) =
        Session::offer(id.clone(), account("acme"), (Role::Viewer, None), [1; 32], now, Duration::from_secs(300));
    store.create_session(&session).await.expect("created");
    let unopened = SAMPLE.replace(KEY, &link.replace("whl_", "whs_"));
    assert!(!decide(Arc::clone(store), &unopened).await.expect("a decision").is_authorized);
    let token = session.open(&link.parse().expect("a link"), [2; 32], now).expect("opened");
    store.open_session(&session).await.expect("opened");
    store.take_calls();
    (id, SAMPLE.replace(KEY, &token))
}

#[tokio::test]
async fn a_page_session_is_let_in_with_its_role_until_it_has_been_idle_for_a_quarter_of_an_hour() {
    let store = store().await;
    let (id, sample) = session(&store).await;
    let decision = decide(store.clone(), &sample).await.expect("a decision");
    let session_id = Some(id.to_string());
    let caller = Caller { account: "acme".into(), role: "viewer", key_id: None, session_id };
    assert_eq!(decision, Decision { is_authorized: true, context: Some(caller) });
    assert!(!store.take_calls().contains(&"note_session_use"));
    // Each use after a minute starts the 15 minutes again.
    for (seconds, authorized, noted) in
        [(59, true, false), (899, true, true), (940, true, false), (1_798, true, true), (2_699, false, false)]
    {
        let clock = TestClock::new();
        clock.advance(Duration::from_secs(seconds));
        let decision = decide_at(store.clone(), &sample, clock).await.expect("a decision");
        assert_eq!(decision.is_authorized, authorized, "after {seconds} s");
        assert_eq!(store.take_calls().contains(&"note_session_use"), noted, "after {seconds} s");
    }
}

#[tokio::test]
async fn a_session_that_is_forged_or_of_an_account_being_deleted_is_refused_and_a_failure_is_no_refusal() {
    let store = store().await;
    let (_, sample) = session(&store).await;
    let forged = sample.replace(".AgIC", ".AwIC");
    assert_ne!(forged, sample);
    assert!(!decide(store.clone(), &forged).await.expect("a decision").is_authorized);
    store.fail("find_session", 1);
    assert!(decide(store.clone(), &sample).await.is_err());
    let clock = TestClock::new();
    clock.advance(Duration::from_secs(60));
    store.fail("note_session_use", 1);
    assert!(decide_at(store.clone(), &sample, clock).await.expect("a decision").is_authorized);
    let job = Job::delete_account(JobId::from_entropy([1; 10]), account("acme"), TestClock::new().now());
    assert!(store.start_deletion(&account("acme"), &job, None).await.expect("an answer"));
    assert!(!decide(store, &sample).await.expect("a decision").is_authorized);
}
