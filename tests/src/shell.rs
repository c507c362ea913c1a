//! A shell that runs commands of the documentation from the root of the checkout, as an operator does. It calls only
//! loopback addresses.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use harness::failure::OrFailure;
use harness::local_aws::LocalAws;
use harness::unique::unique;
use harness::{Deployment, Failure, Result, checkout};
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// Each command starts a Python interpreter, which takes a while on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// Where the shell waits for the test, and tells it the name of the restored table.
pub const PAUSE: &str = r#"PAUSED=$((${PAUSED:--1} + 1)); echo "$RESTORED" > "$RUN/new"; mv "$RUN/new" "$RUN/paused-$PAUSED"
until [ -e "$RUN/go-on-$PAUSED" ]; do sleep 0.2; done"#;

/// A shell that runs the commands of a page.
pub struct Shell {
    child: Child,
    directory: PathBuf,
}

impl Shell {
    pub fn start(aws: &LocalAws, deployment: &Deployment, script: &str) -> Result<Self> {
        let (root, directory) = (checkout::root(), aws.run_directory().path().join("tmp").join(unique("shell")));
        std::fs::create_dir_all(&directory).or_failure(|| "cannot create a directory")?;
        // Version 1 of the AWS CLI does not read the variable with the endpoint for SQS.
        let names =
            "aws() { command aws \"$@\" --endpoint-url \"$AWS_ENDPOINT_URL\"; }\n. tools/shell.sh synchub-webhooks";
        let path = std::env::var("PATH").or_failure(|| "no PATH")?;
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", &format!("{names}\n{script}")]).current_dir(root);
        command.envs(deployment.environment()?).env("RUN", &directory);
        command.env("PATH", format!("{0}/.venv/awscli/bin:{path}", root.display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Ok(Self { child: command.spawn().or_failure(|| "cannot run bash")?, directory })
    }

    /// Waits until the shell pauses for the `nth` time, and returns what it tells.
    pub async fn paused(mut self, nth: usize) -> Result<(String, Self)> {
        let file = self.directory.join(format!("paused-{nth}"));
        for _ in 0..PATIENCE.as_secs() * 10 {
            if file.exists() {
                return Ok((
                    std::fs::read_to_string(&file).or_failure(|| "cannot read a file")?.trim().to_owned(),
                    self,
                ));
            }
            if self.child.try_wait().or_failure(|| "no shell")?.is_some() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        self.ended().await?;
        Err(Failure::new(format!("the shell did not pause for the {nth}th time")))
    }

    pub fn going_on(self, nth: usize) -> Result<Self> {
        std::fs::write(self.directory.join(format!("go-on-{nth}")), "").or_failure(|| "cannot write a file")?;
        Ok(self)
    }

    pub async fn ended(self) -> Result<()> {
        let output = tokio::time::timeout(PATIENCE, self.child.wait_with_output()).await;
        let output = output.or_failure(|| "the documented commands do not end")?.or_failure(|| "no shell")?;
        if output.status.success() {
            return Ok(());
        }
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Err(Failure::new(format!("the documented commands failed ({}):\n{said}\n{complained}", output.status)))
    }
}
