//! An operator at a shell, who has sourced the quick start's shell file and has pasted the functions of the runbook. Commands
//! call only loopback addresses.
//!
//! Two commands are different here. The local AWS ignores what a JSON pattern of `filter-log-events` says, so it is
//! applied to what is printed. It does not move messages out of dead-letter queues, so this is done in its place.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use harness::failure::OrFailure;
use harness::queue::Queue;
use harness::unique::unique;
use harness::{Deployment, Failure, Result, checkout};
use serde_json::Value;
use tokio::process::Command;

use crate::pattern::Pattern;

/// Each command starts a Python interpreter or two, which takes a while on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// What a command that moves messages prints here.
const MOVES: &str = "moves ";

pub struct Operator {
    deployment: Deployment,
    prelude: String,
    path: String,
    pub directory: PathBuf,
}

impl Operator {
    pub fn new(deployment: &Deployment, functions: &str) -> Result<Self> {
        let root = checkout::root();
        let directory = checkout::run_directory(deployment.port).join("tmp").join(unique("runbook"));
        std::fs::create_dir_all(&directory).or_failure(|| "cannot create a directory")?;
        let api = deployment.api_url();
        let host = api.trim_start_matches("http://");
        let (queue, shell) = (&deployment.outputs.events_queue_url, root.join("tools/shell.sh"));
        let prelude = format!(
            "STACK=synchub-webhooks\nAPI={api}\nQUEUE={queue}\n\
             curl() {{ command curl --noproxy '*' --resolve {host}:127.0.0.1 \"$@\"; }}\n\
             aws() {{ case \"$1 $2\" in\n\
               'sqs start-message-move-task') echo \"{MOVES}$4\";;\n\
               'sqs list-message-move-tasks') ;;\n\
               *) command aws \"$@\" --endpoint-url \"$AWS_ENDPOINT_URL\";;\n\
             esac; }}\n\
             set -- && . '{}'\n{functions}\n",
            shell.display()
        );
        let path = std::env::var("PATH").or_failure(|| "no PATH")?;
        let path = format!("{0}/.venv/sam/bin:{0}/.venv/awscli/bin:{path}", root.display());
        Ok(Self { deployment: deployment.clone(), prelude, path, directory })
    }

    /// Runs a command, and returns what it printed.
    pub async fn run(&self, command: &str) -> Result<String> {
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &format!("{}{command}", self.prelude)]);
        bash.current_dir(&self.directory).envs(self.deployment.environment()?).env("PATH", &self.path);
        bash.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, bash.output()).await;
        let output = output.or_failure(|| format!("does not end: {command}"))?.or_failure(|| "cannot run bash")?;
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            return Err(Failure::new(format!("failed ({}): {command}\n{said}\n{complained}", output.status)));
        }
        for arn in said.lines().filter_map(|line| line.strip_prefix(MOVES)) {
            self.move_back(arn).await?;
        }
        Ok(said.into_owned())
    }

    /// Runs a command with a pattern in it, and returns the lines that match.
    pub async fn lines(&self, command: &str) -> Result<Vec<Value>> {
        let pattern = Pattern::of_command(command)?;
        Ok(self.run(command).await?.lines().filter_map(|line| pattern.matching(line)).collect())
    }

    /// The same, and fails unless a line has all of these texts in it.
    pub async fn finds(&self, command: &str, texts: &[&str]) -> Result<Value> {
        let lines = self.lines(command).await?;
        let has_all = |line: &&Value| texts.iter().all(|text| line.to_string().contains(text));
        let found = lines.iter().rev().find(has_all);
        found.cloned().or_failure(|| format!("{command} shows no line with {texts:?}, but {} others", lines.len()))
    }

    /// The numbers that a command prints after moments, as `metric` does.
    pub async fn numbers(&self, command: &str) -> Result<Vec<f64>> {
        let said = self.run(command).await?;
        Ok(said.lines().filter_map(|line| line.split_whitespace().last()?.parse().ok()).collect())
    }

    /// What SQS does when it is told to move messages out of a dead-letter queue: they go back to the queue they come
    /// from.
    async fn move_back(&self, arn: &str) -> Result<()> {
        let name = arn.rsplit(':').next().unwrap_or_default();
        let source = name.strip_suffix("-dead-letter").or_failure(|| format!("{name} is no dead-letter queue"))?;
        let beside = |name: &str| {
            let url = &self.deployment.outputs.events_queue_url;
            format!("{}/{name}", url.rsplit_once('/').map_or("", |(before, _)| before))
        };
        let (sqs, from, to) = (self.deployment.sqs(), beside(name), beside(source));
        loop {
            let receive = sqs.receive_message().queue_url(&from).max_number_of_messages(10);
            let receive = receive.message_system_attribute_names("All".into()).message_attribute_names("All");
            let messages = receive.send().await.or_failure(|| format!("cannot receive from {from}"))?.messages;
            let messages = messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(());
            }
            for message in messages {
                let group = message.attributes.as_ref().and_then(|all| all.get(&"MessageGroupId".into())).cloned();
                let send = sqs.send_message().queue_url(&to).set_message_body(message.body);
                let send = send.set_message_attributes(message.message_attributes).set_message_group_id(group);
                send.send().await.or_failure(|| format!("cannot send to {to}"))?;
                let delete = sqs.delete_message().queue_url(&from).set_receipt_handle(message.receipt_handle);
                delete.send().await.or_failure(|| format!("cannot delete from {from}"))?;
            }
        }
    }

    pub fn queue(&self, url: &str) -> Queue {
        Queue::new(self.deployment.sqs(), url)
    }
}
