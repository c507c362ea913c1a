//! What is sent to both queues, to the topic, to the key and to receivers.

use domain::delivery::SignedRequest;
use domain::value::Timestamp;
use serde_json::{Value, json};

use crate::aws::Call;
use crate::table::digest;

#[derive(Default)]
pub struct Messages(Vec<Value>);

impl Messages {
    pub fn add(&mut self, at: Timestamp, call: &Call) {
        self.0.push(json!({ "at": at, "call": call.operation, "with": call.input }));
    }

    /// With the requests that receivers got. Their bodies are left out: they are those of the messages, as their
    /// signatures show.
    pub fn into_value(self, requests: &[SignedRequest]) -> Value {
        let request = |request: &SignedRequest| {
            let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let (timeout, body) = (request.timeout.as_secs(), digest(&request.body));
            json!({ "url": request.url, "timeout_seconds": timeout, "headers": headers, "body_sha256": body })
        };
        json!({ "sent": self.0, "requests": requests.iter().map(request).collect::<Vec<_>>() })
    }
}
