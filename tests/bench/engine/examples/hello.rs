//! The least that runs on Lambda with the runtime crate that the functions have: what a cold start costs before any of our
//! own code. `make bench ONLY=engine` measures it beside them.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move { Ok::<_, Error>(event.payload) })).await
}
