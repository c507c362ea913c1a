//! Calls of Lambda: an invocation, and how it ended.

use std::time::{Duration, Instant};

use harness::failure::OrFailure;
use harness::signed_http::endpoint;
use harness::{Deployment, Failure, Result};
use http::{Method, Request};

pub struct Answer {
    pub status: u16,
    /// Whether the function failed.
    pub failed: bool,
    pub took: Duration,
    text: String,
}

impl Answer {
    pub fn expect_success(self) -> Result<Self> {
        if (200..300).contains(&self.status) && !self.failed {
            return Ok(self);
        }
        Err(Failure::new(format!("Lambda answered {}: {}", self.status, self.text)))
    }

    /// 1 if this is so, else 0: what AWS counts.
    pub fn count(is_so: bool) -> f64 {
        if is_so { 1.0 } else { 0.0 }
    }
}

pub async fn lambda(deployment: &Deployment, method: Method, path: &str, body: String) -> Result<Answer> {
    let uri = format!("{}/{path}", endpoint(deployment.port));
    let request = Request::builder().method(method).uri(&uri).body(body.into_bytes());
    let started = Instant::now();
    let response = deployment.http()?.send_signed("lambda", request.or_failure(|| "no request")?).await?;
    Ok(Answer {
        status: response.status().as_u16(),
        failed: response.headers().contains_key("x-amz-function-error"),
        took: started.elapsed(),
        text: String::from_utf8_lossy(response.body()).into_owned(),
    })
}

/// Runs a function, and waits until it has ended. An empty batch is the least that the functions of queues take.
pub async fn invoke(deployment: &Deployment, function: &str, event: &str) -> Result<Answer> {
    lambda(deployment, Method::POST, &format!("2015-03-31/functions/{function}/invocations"), event.to_owned()).await
}

pub const EMPTY_BATCH: &str = r#"{"Records": []}"#;
