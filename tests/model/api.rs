//! Calls of the API while other things happen, by a customer or the operator: the real router over the table with
//! faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::{Admission, Allowance, Limits};
use axum::Router;
use domain::delivery::MessageLease;
use domain::destination::AddressPolicy;
use domain::value::{AccountId, DeliveryId, DestinationId, EventId};
use serde_json::{Value, json};
use testing::{FixedHosts, PlainVault, ScriptedSender};
use tower::ServiceExt;

use crate::chaos::Chaos;
use crate::doubles::Shaken;
use crate::processes::Shared;
use crate::ways::Queue;

/// How long API Gateway waits for an answer.
const PATIENCE: Duration = Duration::from_secs(29);

#[derive(Debug, Clone)]
pub enum Call {
    Resend(DeliveryId),
    Cancel(DeliveryId),
    Pause(DestinationId),
    Resume(DestinationId),
    Recover(DestinationId),
    Replay(EventId),
    /// By the operator.
    Delete(AccountId),
}

impl Call {
    fn request(&self) -> (&'static str, String, Value) {
        let post = |path, body| ("POST", path, body);
        match self {
            Call::Resend(id) => post(format!("/v1/deliveries/{id}/resend"), Value::Null),
            Call::Cancel(id) => post(format!("/v1/deliveries/{id}/cancel"), Value::Null),
            Call::Pause(id) => post(format!("/v1/destinations/{id}/pause"), Value::Null),
            Call::Resume(id) => post(format!("/v1/destinations/{id}/resume"), Value::Null),
            Call::Recover(id) => {
                post(format!("/v1/destinations/{id}/recover"), json!({"since": "2026-11-23T00:00:00Z"}))
            }
            Call::Replay(id) => post(format!("/v1/events/{id}/replay"), Value::Null),
            Call::Delete(id) => ("DELETE", format!("/admin/v1/accounts/{id}"), Value::Null),
        }
    }
}

/// One process of `api`.
pub struct Api {
    chaos: Arc<Chaos>,
    router: Router,
}

impl Api {
    pub fn start(shared: &Shared, chaos: Chaos) -> Self {
        let chaos = Arc::new(chaos);
        let rows = Arc::new(Shaken { chaos: chaos.clone(), inner: shared.store.clone() });
        let table = Arc::new(Shaken { chaos: chaos.clone(), inner: shared.table.clone() });
        let queue = |queue: &Arc<_>| Arc::new(Queue { chaos: chaos.clone(), queue: Arc::clone(queue), seen: None });
        let deliveries = Queue {
            chaos: chaos.clone(),
            queue: shared.deliveries.clone(),
            seen: Some((shared.receivers.clone(), shared.store.clone())),
        };
        let much = "100000".parse().expect("a budget");
        let allowance = Allowance { units: much, events: much };
        let admission = Admission::new(shared.store.clone(), shared.process_clock(), allowance);
        let deps = api::Deps {
            accounts: rows.clone(),
            keys: shared.store.clone(),
            sessions: shared.store.clone(),
            jobs: rows.clone(),
            destinations: rows.clone(),
            subscriptions: shared.store.clone(),
            events: table.clone(),
            event_list: rows.clone(),
            event_queue: queue(&shared.events),
            rejections: shared.store.clone(),
            unregistered: shared.store.clone(),
            test_places: shared.store.clone(),
            deliveries: table,
            delivery_list: rows.clone(),
            reckoning: rows.clone(),
            roll_ups: rows.clone(),
            delivery_queue: Arc::new(deliveries),
            scopes: rows.clone(),
            transitions: rows,
            vault: Arc::new(PlainVault),
            kept_answers: shared.store.clone(),
            hosts: Arc::new(FixedHosts(BTreeMap::new())),
            sender: Arc::new(ScriptedSender::default()),
            clock: shared.process_clock(),
            entropy: shared.dice.clone(),
            addresses: AddressPolicy::new("", false, Vec::new()).expect("a policy"),
            limits: Limits { destinations: 10, subscriptions: 1_000 },
            admission: Arc::new(admission),
            lease: MessageLease::default(),
            page_url: "https://page.example".into(),
            public_url: None,
        };
        Self { chaos, router: api::router(deps) }
    }

    /// The status of the answer, if there was one.
    pub async fn call(&self, account: &AccountId, call: &Call) -> Option<u16> {
        let (method, path, body) = call.request();
        let request = event(account, method, &path, &body, matches!(call, Call::Delete(_)));
        let request = lambda_http::request::from_str(&request.to_string()).expect("an event");
        let answer = self.router.clone().oneshot(request.map(axum::body::Body::new));
        tokio::select! {
            biased;
            answer = answer => answer.ok().map(|answer| answer.status().as_u16()),
            () = self.chaos.crashed.notified() => None,
            () = tokio::time::sleep(PATIENCE) => None,
        }
    }
}

/// The event that API Gateway sends.
fn event(account: &AccountId, method: &str, path: &str, body: &Value, by_operator: bool) -> Value {
    let authorizer = if by_operator {
        json!({"iam": {"accessKey": "AKIAEXAMPLE", "accountId": "123456789012", "callerId": "AIDAEXAMPLE",
            "userArn": "arn:aws:iam::123456789012:user/operator", "userId": "AIDAEXAMPLE"}})
    } else {
        json!({"lambda": {"account": account, "role": "admin"}})
    };
    json!({
        "version": "2.0", "routeKey": "ANY /v1/{proxy+}", "rawPath": path, "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "api.example"},
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": "api.example", "domainPrefix": "api",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "model"},
            "requestId": "req-1", "routeKey": "ANY /v1/{proxy+}", "stage": "$default",
            "time": "23/Nov/2026:09:30:00 +0000", "timeEpoch": 1_795_426_200_000_u64,
            "authorizer": authorizer
        },
        "body": if body.is_null() { Value::Null } else { json!(body.to_string()) },
        "isBase64Encoded": false
    })
}
