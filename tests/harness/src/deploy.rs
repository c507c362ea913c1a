//! Deploys the built template to a local AWS with `sam deploy`, as one would to AWS itself.
//!
//! It does not build, and it does not change the template. Only the parameters differ from production: they let
//! deliveries reach this machine, shorten the waits between attempts, and keep the number of processes small.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use http::{Request, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::checkout::{self, Build};
use crate::deployment::{Deployment, Outputs, aws_environment};
use crate::differences;
use crate::failure::{Failure, OrFailure, Result};
use crate::local_aws::LocalAws;
use crate::run_directory::{environment, tail};
use crate::signed_http::{REGION, SignedHttp, endpoint};
use crate::supervised::Supervised;

const STACK: &str = "synchub-webhooks";
const BUCKET: &str = "synchub-webhooks-code";

/// The template's `HorizonSeconds` in a local run: the age at which an event is audited, in seconds.
pub const HORIZON_SECONDS: &str = "60";

/// The parameters of a local run. The waits between its ten attempts add up to four minutes; lost deliveries are looked
/// for after one minute.
const PARAMETERS: [(&str, &str); 14] = [
    ("Architecture", architecture()),
    ("DeletionProtection", "false"),
    // They use metric math, which the local AWS does not know.
    ("DeadLetterAlarms", "false"),
    ("AllowHttp", "true"),
    ("AllowedCidrs", "127.0.0.0/8,::1/128"),
    ("RetryWaits", "1,2,4,8,16,32,64,64,64"),
    ("HorizonSeconds", HORIZON_SECONDS),
    ("LeaseSeconds", "15"),
    // Secrets are not logged at any level; a test looks for them in all logs.
    ("LogLevel", "TRACE"),
    ("FanoutConcurrency", "4"),
    ("DeliverConcurrency", "16"),
    ("RedriveConcurrency", "4"),
    // Tests may send as many requests as they like.
    ("AccountUnitsPerSecond", "100000"),
    ("AccountEventsPerSecond", "100000"),
];

/// This machine's processor, as AWS names it.
const fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

/// Deploys the built template. Takes about a quarter of a minute. `changes` are parameters that differ from those of
/// every local run.
pub async fn deploy(aws: &LocalAws, build: Build, changes: &[(&str, &str)]) -> Result<Deployment> {
    deploy_template(aws, &checkout::built_template(build)?, changes).await
}

/// Deploys a template that `sam build` wrote, of this or of another release, as a new stack or over the one that is
/// there. `changes` are parameters that differ from those of every local run.
pub async fn deploy_template(aws: &LocalAws, template: &Path, changes: &[(&str, &str)]) -> Result<Deployment> {
    create_bucket(&SignedHttp::new("localhost", aws.port())?, aws.port()).await?;
    deploy_stack(aws.port(), template, STACK, changes).await
}

/// Deploys what `make build` built as a further stack beside a deployment, or again with other parameters: the ones of
/// any local run, and these.
///
/// A stack that is there keeps parameters that are not named, as on AWS.
pub async fn deploy_beside(deployment: &Deployment, stack: &str, further: &[(&str, &str)]) -> Result<Deployment> {
    deploy_stack(deployment.port, &checkout::built_template(Build::Optimized)?, stack, further).await
}

/// Deletes a further stack.
pub async fn delete_beside(deployment: &Deployment, stack: &str) -> Result<()> {
    let arguments = ["delete", "--stack-name", stack, "--region", REGION, "--no-prompts"];
    sam(deployment.port, &format!("delete-{stack}"), &arguments).await.map(drop)
}

/// Sets only the parameters that the template has.
async fn deploy_stack(port: u16, template: &Path, stack: &str, changes: &[(&str, &str)]) -> Result<Deployment> {
    let text = std::fs::read_to_string(template).or_failure(|| format!("cannot read {}", template.display()))?;
    let known = parameters_of(&text);
    let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
    let parameters = PARAMETERS.iter().filter(|(name, _)| !is_changed(name)).chain(changes);
    let parameters = parameters.filter(|(name, _)| known.contains(name));
    let parameters: Vec<String> = parameters.map(|(name, value)| format!("{name}={value}")).collect();
    let mut arguments: Vec<&str> = vec!["deploy", "--template-file"];
    let template = template.to_str().or_failure(|| "the checkout's path is not UTF-8")?;
    arguments.extend([template, "--stack-name", stack, "--s3-bucket", BUCKET, "--region", REGION]);
    arguments.extend(["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"]);
    arguments.push("--parameter-overrides");
    arguments.extend(parameters.iter().map(String::as_str));
    sam(port, &format!("deploy-{stack}"), &arguments).await?;
    after_change(port, stack).await
}

/// The stack as it is after a change. Works around the differences that the change has brought back.
pub async fn changed(aws: &LocalAws) -> Result<Deployment> {
    after_change(aws.port(), STACK).await
}

async fn after_change(port: u16, stack: &str) -> Result<Deployment> {
    let outputs = read_outputs(port, stack).await?;
    differences::even_out(&SignedHttp::new("localhost", port)?, port, &outputs).await?;
    Ok(Deployment::new(port, outputs))
}

/// The names of a template's parameters: in what `sam build` writes, the lines of the section that are indented once.
fn parameters_of(template: &str) -> Vec<&str> {
    let section = template.lines().skip_while(|line| *line != "Parameters:").skip(1);
    let section = section.take_while(|line| line.starts_with(' '));
    section
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':').filter(|name| !name.starts_with(' ')))
        .collect()
}

async fn create_bucket(http: &SignedHttp, port: u16) -> Result<()> {
    let request = Request::put(format!("{}/{BUCKET}", endpoint(port))).body(Vec::new());
    let request = request.or_failure(|| "no request for a bucket")?;
    let response = http.send_signed("s3", request).await?;
    // An update finds the bucket of the first deployment.
    if response.status().is_success() || response.status() == StatusCode::CONFLICT {
        return Ok(());
    }
    Err(Failure::new(format!("cannot create the bucket {BUCKET}: {}", String::from_utf8_lossy(response.body()))))
}

async fn read_outputs(port: u16, stack: &str) -> Result<Outputs> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        output_key: String,
        output_value: String,
    }
    let arguments = ["list", "stack-outputs", "--stack-name", stack, "--region", REGION, "--output", "json"];
    let text = sam(port, &format!("outputs-{stack}"), &arguments).await?;
    let outputs: Vec<Output> = serde_json::from_str(&text).or_failure(|| format!("cannot read the outputs: {text}"))?;
    let outputs: Map<String, Value> =
        outputs.into_iter().map(|output| (output.output_key, Value::String(output.output_value))).collect();
    serde_json::from_value(Value::Object(outputs)).or_failure(|| "the template lacks an output the harness needs")
}

/// Runs the SAM CLI against the local AWS and returns what it printed. Its messages go to `<log>.log` of the run.
async fn sam(port: u16, log: &str, arguments: &[&str]) -> Result<String> {
    let program = checkout::tool("sam", "sam")?;
    let directory = checkout::run_directory(port);
    let (output_path, errors_path) = (directory.join(format!("{log}.out")), directory.join(format!("{log}.log")));
    let file = |path| File::create(path).or_failure(|| "cannot write the SAM CLI's output");
    let (output, errors) = (file(&output_path)?, file(&errors_path)?);
    let mut process = Supervised::start(&program, |command| {
        command.env_clear().envs(environment(&directory)).envs(aws_environment(port)).env("SAM_CLI_TELEMETRY", "0");
        command.args(arguments).current_dir(&directory);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
    })?;
    let status = process.wait().await?;
    let text = std::fs::read_to_string(&output_path).or_failure(|| "cannot read the SAM CLI's output")?;
    if status.success() {
        return Ok(text);
    }
    let mut report = format!("`sam {}` failed ({status}):", arguments.join(" "));
    for path in [output_path, errors_path] {
        write!(report, "\n{}", tail(&path)).or_failure(|| "cannot write a report")?;
    }
    Err(Failure::new(report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_a_template_are_those_of_its_section() {
        let template = "Parameters:\n  One:\n    Type: String\n    AllowedValues:\n    - a\n  Two:\n    Type: Number\nGlobals:\n  No:\n";
        assert_eq!(parameters_of(template), ["One", "Two"]);
        assert_eq!(parameters_of("Resources:\n  No:\n"), Vec::<&str>::new());
    }
}
