//! The playground of `make dev`: a registered account with a key, receivers that behave well and badly, a shell file
//! that defines the names used in the documentation, and a small story that runs in one of the demo's accounts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::checkout;
use crate::deployment::{Deployment, aws_environment};
use crate::failure::{OrFailure, Result};
use crate::producer::fresh_sample;
use crate::receiver::{Answer, Guard, Receiver};
use crate::unique::unique;

/// The account that the documentation's commands are for.
const ACCOUNT: &str = "acme";
/// Longer than any time-out of a destination.
const HANGS: Duration = Duration::from_secs(40);
/// The time between two events of the story.
const STEP: Duration = Duration::from_secs(20);
/// How the runs of the story's table end, in this order, repeatedly.
const STORY: [&str; 5] = ["succeeded", "succeeded", "failed", "failed", "succeeded"];

/// The account `acme` and what belongs to it.
#[derive(Debug)]
pub struct Playground {
    key: String,
    /// The secret with which the receiver at `/verifies` verifies.
    secret: String,
}

impl Playground {
    /// Registers the account, and tells the receiver how to behave at `/verifies`, `/fails` and `/hangs`.
    pub async fn open(deployment: &Deployment, receiver: &Receiver) -> Result<Self> {
        let key = deployment.operator()?.register(ACCOUNT).await?.key().to_owned();
        // 32 letters and digits are the base64 of 24 bytes.
        let letters: String = unique("dev").chars().filter(char::is_ascii_alphanumeric).collect();
        let secret = format!("whsec_{letters:A<32.32}");
        receiver.expect_secret("/verifies", &secret);
        receiver.guard("/verifies", Guard::Verifies);
        receiver.answer("/fails", [Answer::status(500)]);
        receiver.answer("/hangs", [Answer::status(200).after(HANGS)]);
        Ok(Self { key, secret })
    }

    /// A file for a shell to source. `local` is the program that makes samples.
    pub fn shell(&self, deployment: &Deployment, receiver: &Receiver, local: &Path) -> String {
        let api = deployment.api_url();
        let (host, root) = (api.trim_start_matches("http://"), checkout::root().display().to_string());
        let variables: String = aws_environment(deployment.port)
            .into_iter()
            .map(|(name, value)| format!("export {name}={}\n", quoted(&value)))
            .collect();
        let own = [
            ("STACK", "synchub-webhooks"),
            ("API", &api),
            ("QUEUE", &deployment.outputs.events_queue_url),
            ("KEY", &self.key),
            ("RECEIVER", receiver.url("").as_str()),
            ("SECRET", &self.secret),
        ]
        .map(|(name, value)| format!("{name}={}\n", quoted(value)))
        .concat();
        // boto3 comes with the Python of the SAM CLI.
        let tools = quoted(&format!("{root}/.venv/sam/bin:{root}/.venv/awscli/bin"));
        let local = quoted(&local.display().to_string());
        let shell = quoted(&format!("{root}/tools/shell.sh"));
        format!(
            "# Written by `make dev`, and valid for as long as it runs. Source it in another terminal: . target/dev.sh\n\
             {variables}{own}\
             export PATH={tools}:\"$PATH\"\n\
             curl() {{ command curl --noproxy '*' --resolve {host}:127.0.0.1 \"$@\"; }}\n\
             # Version 1 of the AWS CLI does not read the variable for SQS.\n\
             aws() {{ command aws \"$@\" --endpoint-url \"$AWS_ENDPOINT_URL\"; }}\n\
             # An event that happened now: sample <name of a file in events/> <account> [<id>]\n\
             sample() {{ {local} event \"$@\"; }}\n\
             . {shell}\n"
        )
    }

    /// What there is to try. The link to the page comes last.
    pub fn told(&self, receiver: &Receiver, file: &Path, link: &str) -> String {
        format!(
            "Try it in another terminal (docs/quickstart.md says how):\n\n  \
             . {}   # defines API, QUEUE, KEY, RECEIVER, SECRET and the commands call, admin, field, output, sample\n\n\
             receiver  {}  verifies with $SECRET\n          \
             {}     answers 500\n          \
             {}     answers after {} s\n          \
             any other path answers 200\n\
             story     every {} s a table of the account below is synced; sometimes that fails, and later recovers\n\
             page      {link}\n          \
             the link works once, within an hour; use Chromium or Firefox",
            file.display(),
            receiver.url("/verifies"),
            receiver.url("/fails"),
            receiver.url("/hangs"),
            HANGS.as_secs(),
            STEP.as_secs(),
        )
    }
}

/// Pushes the story's events for an account, until the future is dropped.
pub async fn tell_story(deployment: &Deployment, account: &str) -> Result<()> {
    let producer = deployment.producer();
    for status in STORY.iter().cycle() {
        sleep(STEP).await;
        producer.push(&run(account, status)?).await?;
    }
    Ok(())
}

/// A run of the story's table that ended just now.
fn run(account: &str, status: &str) -> Result<Value> {
    let mut event = fresh_sample("demo-sync-run-failed", account)?;
    if status != "failed" {
        event["data"]["status"] = json!(status);
        event["data"]["error"] = Value::Null;
        event["data"]["records"] = json!({"read": 400, "inserted": 12, "updated": 3, "deleted": 0});
    }
    Ok(event)
}

/// A file that exists as long as this value.
#[derive(Debug)]
pub struct TemporaryFile(PathBuf);

impl TemporaryFile {
    pub fn write(path: PathBuf, text: &str) -> Result<Self> {
        std::fs::write(&path, text).or_failure(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A shell word with this text.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_word_for_a_shell() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn the_story_has_runs_that_fail_and_recover() {
        let [failed, recovered] = ["failed", "succeeded"].map(|status| run("acme", status).expect("an event"));
        assert_eq!(failed["scope"], recovered["scope"]);
        assert!(failed["data"]["error"].is_object() && recovered["data"]["error"].is_null());
        assert_eq!(recovered["data"]["status"], "succeeded");
    }
}
