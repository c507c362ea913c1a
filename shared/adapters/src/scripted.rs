//! A service for tests, behind the SDK's clients: a function answers each call, or lets it hang. The calls are noted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_types::SdkConfig;
use serde_json::{Value, json};

use crate::aws::AwsClients;

/// How long an answer takes: others go on in the meantime.
const LATENCY: Duration = Duration::from_millis(1);

/// The answer to a call: a status and a body. None if it never comes.
pub(crate) type Scripted = Option<(u16, Value)>;
type Script = dyn Fn(&str, &Value) -> Scripted + Send + Sync;

#[derive(Clone)]
pub(crate) struct Service {
    script: Arc<Script>,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

/// A refusal as the services give it.
pub(crate) fn refused(status: u16, code: &str) -> Scripted {
    Some((status, json!({ "__type": code, "message": "as asked for by a test" })))
}

impl Service {
    pub(crate) fn new(script: impl Fn(&str, &Value) -> Scripted + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(script), calls: Arc::default() }
    }

    pub(crate) fn clients(&self) -> AwsClients {
        let credentials = Credentials::new("key", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(self.clone());
        AwsClients::from_config(config.build())
    }

    /// The calls since the last time, each by its operation and with what was asked.
    pub(crate) fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn operations(&self) -> Vec<String> {
        self.take().into_iter().map(|(operation, _)| operation).collect()
    }
}

impl HttpClient for Service {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let asked: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default()).expect("JSON");
        let answer = (self.script)(&operation, &asked);
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push((operation, asked));
        let Some((status, body)) = answer else { return HttpConnectorFuture::new(std::future::pending()) };
        let response = HttpResponse::new(status.try_into().expect("a status"), body.to_string().into());
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(LATENCY).await;
            Ok(response)
        })
    }
}
