//! What the functions logged, as CloudWatch Logs keeps it.

use http::Request;
use serde_json::{Value, json};

use crate::deployment::{Deployment, endpoint};
use crate::failure::{Failure, OrFailure, Result};

impl Deployment {
    /// Every line that a function has logged so far.
    pub async fn logs_of(&self, function: &str) -> Result<Vec<String>> {
        let (mut lines, mut next) = (Vec::new(), Value::Null);
        loop {
            let mut query = json!({"logGroupName": format!("/aws/lambda/{function}")});
            if !next.is_null() {
                query["nextToken"] = next;
            }
            let request = Request::post(endpoint(self.port))
                .header("content-type", "application/x-amz-json-1.1")
                .header("x-amz-target", "Logs_20140328.FilterLogEvents")
                .body(query.to_string().into_bytes());
            let request = request.or_failure(|| "no request for the logs")?;
            let response = self.http()?.send_signed("logs", request).await?;
            let mut answer: Value = serde_json::from_slice(response.body()).or_failure(|| "the logs are not JSON")?;
            let Value::Array(events) = answer["events"].take() else {
                return Err(Failure::new(format!("the logs of {function}: {answer}")));
            };
            lines.extend(events.into_iter().filter_map(|event| event["message"].as_str().map(str::to_owned)));
            next = answer["nextToken"].take();
            if next.is_null() {
                return Ok(lines);
            }
        }
    }
}
