//! The environment of a deployed function, for tests that put something between it and the rest of the world.
//!
//! It deliberately changes one variable and keeps all others. Whoever sets one removes it again, however the test ends.

use http::{Method, Request};
use serde_json::{Value, json};

use crate::deployment::{Deployment, endpoint};
use crate::failure::{Failure, OrFailure, Result};

impl Deployment {
    /// Sets a variable of a function's environment, or removes it. The function's processes are started anew.
    pub async fn set_function_variable(&self, function: &str, name: &str, value: Option<&str>) -> Result<()> {
        let mut configuration = self.configuration(Method::GET, function, Vec::new()).await?;
        let Value::Object(mut variables) = configuration["Environment"]["Variables"].take() else {
            return Err(Failure::new(format!("{function} has no environment: {configuration}")));
        };
        match value {
            Some(value) => variables.insert(name.to_owned(), json!(value)),
            None => variables.remove(name),
        };
        let change = json!({"Environment": {"Variables": variables}});
        self.configuration(Method::PUT, function, change.to_string().into_bytes()).await?;
        Ok(())
    }

    async fn configuration(&self, method: Method, function: &str, body: Vec<u8>) -> Result<Value> {
        let uri = format!("{}/2015-03-31/functions/{function}/configuration", endpoint(self.port));
        let request = Request::builder().method(method).uri(&uri).body(body).or_failure(|| "no request for Lambda")?;
        let response = self.http()?.send_signed("lambda", request).await?;
        let text = String::from_utf8_lossy(response.body());
        if response.status().is_success() {
            return serde_json::from_str(&text).or_failure(|| format!("{uri} answered no JSON: {text}"));
        }
        Err(Failure::new(format!("{uri} answered {}: {text}", response.status())))
    }
}
