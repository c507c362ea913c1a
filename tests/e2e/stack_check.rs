//! `make smoke`, the check of a deployed stack, against the local deployment: that it sees the stack work, and that it
//! deletes what it made also when a step fails.
//!
//! The public address is this machine's own, or that of a tunnel that stops half-way.

#![expect(clippy::disallowed_methods, reason = "a child process needs this process's PATH")]

use std::process::Stdio;

use axum::Router;
use axum::routing::get;
use harness::failure::OrFailure;
use harness::local_aws::free_port;
use harness::signed_http::loopback_client;
use harness::{Deployment, Result, checkout};
use http::{Method, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::process::Command;

/// What the command said, and whether it succeeded.
struct Said {
    ok: bool,
    text: String,
}

#[tokio::test]
async fn a_stack_that_works_is_told_step_by_step_and_nothing_is_left() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let port = free_port()?;
    let said = smoke(&deployment, &format!("http://127.0.0.1:{port}"), port).await?;
    assert!(said.ok, "{}", said.text);
    for step in
        ["register the account", "prove the receiver", "see it arrive", "the ledger closes", "delete the account"]
    {
        assert!(said.text.lines().any(|line| line.contains(step) && line.contains(" s  ")), "{step}: {}", said.text);
    }
    assert!(said.text.ends_with("the stack works\n"), "{}", said.text);
    is_being_deleted(&deployment, &said).await
}

#[tokio::test]
async fn a_step_that_fails_is_named_and_the_account_is_deleted_all_the_same() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let port = free_port()?;
    let said = smoke(&deployment, &tunnel_that_loses_posts(port).await?, port).await?;
    assert!(!said.ok, "{}", said.text);
    assert!(said.text.contains("FAILED: prove the receiver") && said.text.contains("answered 502"), "{}", said.text);
    assert!(!said.text.contains("push an event"), "{}", said.text);
    is_being_deleted(&deployment, &said).await
}

#[tokio::test]
async fn an_address_that_leads_elsewhere_makes_nothing() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let elsewhere = deployment.api_url().replace(&format!("{}.execute-api.", deployment.outputs.api_id), "");
    let said = smoke(&deployment, &elsewhere, free_port()?).await?;
    assert!(!said.ok && said.text.contains("answered by something else"), "{}", said.text);
    assert!(!said.text.contains("register the account"), "{}", said.text);
    Ok(())
}

/// Runs the command. It does not wait until the account is gone: a test of deletions does.
async fn smoke(deployment: &Deployment, url: &str, port: u16) -> Result<Said> {
    let mut command = Command::new(checkout::tool("sam", "python")?);
    command.arg(checkout::root().join("tools/smoke.py")).args(["synchub-webhooks", url, "--no-wait"]);
    command.args(["--port", &port.to_string()]);
    let path = std::env::var("PATH").or_failure(|| "no PATH")?;
    command.env_clear().envs(deployment.environment()?).env("PATH", path).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.or_failure(|| "cannot run it")?;
    let text = [output.stderr, output.stdout].concat();
    Ok(Said { ok: output.status.success(), text: String::from_utf8_lossy(&text).into_owned() })
}

/// The account that the command made is being deleted, or is gone.
async fn is_being_deleted(deployment: &Deployment, said: &Said) -> Result<()> {
    let account = said.text.split("register the account ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let account = account.or_failure(|| format!("no account in {}", said.text))?;
    let reply = deployment.operator()?.call(Method::GET, &format!("/admin/v1/accounts/{account}"), None).await?;
    assert!(reply.status == 404 || reply.body["status"] == "deleting", "{}: {}", reply.status, reply.body);
    Ok(())
}

/// A public address that leads to a port of this machine, but not with what is posted.
async fn tunnel_that_loses_posts(port: u16) -> Result<String> {
    let client = loopback_client().build().or_failure(|| "no client")?;
    let pass_on = async move |uri: Uri| match client.get(format!("http://127.0.0.1:{port}{uri}")).send().await {
        Ok(answer) => (answer.status(), answer.text().await.unwrap_or_default()),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()),
    };
    let lose = async || (StatusCode::BAD_GATEWAY, String::new());
    let router = Router::new().fallback_service(get(pass_on).post(lose));
    let listener = TcpListener::bind("127.0.0.1:0").await.or_failure(|| "no port")?;
    let address = listener.local_addr().or_failure(|| "no address")?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(format!("http://{address}"))
}
