//! Checks the whole HTTP API against its own OpenAPI document: Schemathesis makes requests of every kind that the
//! document allows and forbids, follows links from one answer to the next request, and compares every answer with the
//! document.
//!
//! It calls as the operator and as two accounts, neither of which may see anything of the other.
//! `tools/schemathesis.toml` has the settings, and says what is left out and why.

use std::process::Stdio;

use harness::failure::OrFailure;
use harness::unique::unique;
use harness::{Deployment, Result, checkout};
use serde_json::{Value, json};
use tokio::process::Command;

#[tokio::test]
async fn a_property_based_tester_finds_no_fault_in_the_api() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let directory = checkout::run_directory(deployment.port).join("tmp/api-properties");
    std::fs::create_dir_all(&directory).or_failure(|| "cannot create a directory")?;
    let operator = deployment.operator()?;
    let mut users = Vec::new();
    for name in ["first", "second"] {
        let customer = operator.register(&unique(name)).await?;
        users.push(user(name, customer.key()));
    }
    let users = json!({ "auth": users }).to_string();
    std::fs::write(directory.join("users.json"), users).or_failure(|| "cannot write the accounts' keys")?;

    let api = deployment.api_url();
    let mut command = Command::new(checkout::tool("schemathesis", "schemathesis")?);
    command.arg("--config-file").arg(checkout::root().join("tools/schemathesis.toml"));
    command.arg("run").arg("--no-color").arg(format!("{api}/v1/openapi.json"));
    // Only loopback addresses are called, whatever the settings of this machine are.
    command.env_clear().env("PATH", std::env::var("PATH").or_failure(|| "no PATH")?).env("NO_PROXY", "*");
    command.envs(harness::deployment::aws_environment(deployment.port));
    command.env("API_URL", &api).env("API_HOOKS", checkout::root().join("tools/schemathesis_hooks.py"));
    let output = command.current_dir(&directory).stdin(Stdio::null()).output().await;
    let output = output.or_failure(|| "cannot run the tester")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    std::fs::write(directory.join("said.txt"), said.as_bytes()).or_failure(|| "cannot write what the tester said")?;
    assert!(output.status.success() && said.contains("No issues found"), "{said}");
    Ok(())
}

fn user(name: &str, key: &str) -> Value {
    json!({ "name": name, "fixedHeaders": [{ "name": "Authorization", "value": format!("Bearer {key}") }] })
}
