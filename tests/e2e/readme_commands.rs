//! Runs the README's commands for setting up, pushing an event and operating against the deployment, as a reader would
//! paste them.
//!
//! Only what a reader has to fill in is replaced: the addresses, the date, and the `example.com` URLs.

#![expect(clippy::disallowed_methods, reason = "the README's event has to have happened lately, and bash needs a PATH")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use harness::failure::OrFailure;
use harness::receiver::{Guard, Received, Receiver};
use harness::{Deployment, Failure, Result, checkout};
use serde_json::Value;
use tokio::process::Command;

const SOON: Duration = Duration::from_secs(30);
/// Where the README's event goes with its set-ups: the URL for everything, the ERP's path for the table, and the two
/// URLs.
const EXPECTED: [&str; 4] = ["/example/hooks", "/erp/hooks/invoices", "/finance/hooks", "/warehouse/hooks"];

const TRYING: &str = "### Trying a receiver";
/// A reader types everything into one shell, so each script finds what the previous one has left.
const REMEMBER: &str = "{ declare -p API QUEUE KEY EVERYTHING ERP; declare -f; } > shell.sh";
const RECALL: &str = ". ./shell.sh";

#[tokio::test]
async fn the_readmes_commands_do_what_it_says() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let receiver = Receiver::start().await?;
    let directory = checkout::run_directory(deployment.port).join("tmp/readme");
    std::fs::create_dir_all(&directory).or_failure(|| "cannot create a directory")?;
    let readme = read(&checkout::root().join("README.md"))?;
    let part = between(&readme, "## Setting up", "## The request a destination gets")?;
    let trying = between(&readme, TRYING, "## Pushing an event")?;
    let operating = between(&readme, "**Operating it.**", "## One function at a time")?;

    let event = blocks(part, "json").into_iter().next().or_failure(|| "the README shows no event")?;
    let yesterday = time::OffsetDateTime::now_utc().date() - time::Duration::DAY;
    write(&directory.join("event.json"), &event.replace("2026-11-23", &yesterday.to_string()))?;
    write(&directory.join("push.py"), &blocks(part, "python").concat())?;

    let (set_up, rest) = part.split_once(trying).or_failure(|| "trying a receiver is no part of setting up")?;
    let push = "EVENTS_QUEUE_URL=$QUEUE python push.py";
    let [set_up, trying, rest, operate] = [set_up, trying, rest, operating].map(|part| blocks(part, "sh").join("\n"));
    run(&deployment, &directory, &format!("{}\n{REMEMBER}\n", addressed(set_up, &receiver))).await?;
    // The receiver of the destination that the README tests verifies signatures with the secret from the answer.
    let created: Value = serde_json::from_str(&read(&directory.join("destination.json"))?).or_failure(|| "no JSON")?;
    receiver.expect_secret("/example", created["secret"].as_str().or_failure(|| "no secret was shown")?);
    receiver.guard("/example", Guard::Verifies);
    run(&deployment, &directory, &format!("{RECALL}\n{trying}\n{rest}\n{push}\n{operate}\n")).await?;
    check_tests(&directory, &receiver)?;

    let requests = receiver.await_requests("the README's event at its four places", SOON, |requests| {
        let seen: BTreeSet<&str> = requests.iter().map(|request| request.path.as_str()).collect();
        EXPECTED.iter().all(|path| seen.contains(path))
    });
    let requests = requests.await?;
    let events = requests.iter().filter(|request| request.json()["test"] == false);
    let ids: BTreeSet<String> = events.map(Received::event_id).collect();
    assert_eq!(ids, BTreeSet::from(["evt-sync-run-41907".to_owned()]));
    // It was pushed twice, by CLI and by SDK, and is still one event.
    assert_eq!(deployment.ledger("acme").await?.events.len(), 1);
    Ok(())
}

/// Replaces the README's destinations by paths of the receiver.
fn addressed(script: String, receiver: &Receiver) -> String {
    let mut script = script.replace("https://'$name'.example.com", &receiver.url("/'$name'"));
    for (url, path) in [("https://erp.example.com", "/erp"), ("https://example.com", "/example")] {
        assert!(script.contains(url), "the README does not use {url}");
        script = script.replace(url, &receiver.url(path));
    }
    script
}

/// Checks that the destination that the README creates got its test payload, and is proven to verify.
fn check_tests(directory: &Path, receiver: &Receiver) -> Result<()> {
    let tests: Vec<_> = receiver.requests_below("/example").into_iter().filter(|r| r.json()["test"] == true).collect();
    let answered: Vec<_> = tests.iter().map(|request| request.answered).collect();
    assert_eq!(
        answered,
        [200, 200, 401, 401, 401].map(Some),
        "the test, the good request again, and three forged ones"
    );
    let proof: Value = serde_json::from_str(&read(&directory.join("proof.json"))?).or_failure(|| "no JSON")?;
    assert_eq!(proof["proven"], true, "{proof:#}");
    Ok(())
}

/// Runs a script in bash with the README's settings for the local AWS. It calls loopback addresses only.
///
/// The local AWS moves no messages out of dead-letter queues. In its place, the queue that is named must be one to
/// which another queue's messages go.
async fn run(deployment: &Deployment, directory: &Path, script: &str) -> Result<()> {
    let (port, api) = (deployment.port, deployment.api_url());
    let host = api.trim_start_matches("http://");
    let settings = format!(
        "set -euo pipefail\n\
         curl() {{ command curl --fail-with-body --noproxy '*' --resolve {host}:127.0.0.1 \"$@\"; }}\n\
         local_aws() {{ command aws \"$@\" --endpoint-url http://127.0.0.1:{port}; }}\n\
         aws() {{ case $2 in start-message-move-task) move \"$@\";; *) local_aws \"$@\";; esac; }}\n\
         move() {{ [ $# = 4 ] && [ $3 = --source-arn ] && feeds \"$4\"; }}\n\
         feeds() {{ local_aws sqs get-queue-attributes --attribute-names RedrivePolicy --query Attributes.RedrivePolicy \\\n\
         --queue-url \"$(local_aws sqs get-queue-url --queue-name \"$(basename \"${{1##*:}}\" -dead-letter)\" --output text)\" |\n\
         grep -F \"$1\"; }}\n"
    );
    // The stack's output has the address that the API would have on AWS. The local AWS serves it elsewhere.
    let script = script.replace("API=$(output ApiUrl)", &format!("output ApiUrl\nAPI={api}"));
    write(&directory.join("readme.sh"), &format!("{settings}{script}"))?;
    let bin = |environment: &str| checkout::root().join(".venv").join(environment).join("bin").display().to_string();
    let path = std::env::var("PATH").or_failure(|| "no PATH")?;
    let mut command = Command::new("bash");
    command.arg("readme.sh").current_dir(directory).envs(deployment.environment()?);
    command.env("PATH", format!("{}:{}:{path}", bin("sam"), bin("awscli"))).stdin(Stdio::null());
    let output = command.output().await.or_failure(|| "cannot run bash")?;
    if output.status.success() {
        return Ok(());
    }
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(Failure::new(format!("the README's commands failed ({}):\n{said}\n{complained}", output.status)))
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> Result<&'t str> {
    let (_, rest) = text.split_once(from).or_failure(|| format!("the README has no {from:?}"))?;
    Ok(rest.split_once(to).or_failure(|| format!("the README has no {to:?}"))?.0)
}

/// The fenced code blocks in a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).or_failure(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).or_failure(|| format!("cannot write {}", path.display()))
}
