//! Runs the commands of the documentation against the deployment, as a reader would paste them into one shell, page after
//! page.
//!
//! The shell file that `make dev` writes defines the names that they use. Only the host of `https://example.com` is
//! replaced by the host of a receiver. Commands that need more than a deployment are in `console` blocks, which are not
//! run.

#![expect(clippy::disallowed_methods, reason = "events have to have happened lately, and bash needs a PATH")]
#![expect(clippy::print_stderr, reason = "it says how long a reader waits")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use harness::demo::Playground;
use harness::failure::OrFailure;
use harness::receiver::Receiver;
use harness::{Deployment, Failure, Result, checkout};
use tokio::process::Command;

/// The pages with commands, in the order in which they are run.
const PAGES: [&str; 8] =
    ["quickstart", "subscribing", "receiving", "publishing", "delivery", "operations", "troubleshooting", "recipes"];
/// Pages with commands that change the stack: another test runs them.
const RUN_ELSEWHERE: [&str; 1] = ["restoring"];
/// How many commands lead from the README to a verified delivery, `make dev` among them.
const MOST_COMMANDS: usize = 6;
const SOON: Duration = Duration::from_secs(30);
/// How long all commands together may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// The event of the quickstart, and the id that replaces the one on the page about publishing.
const EVENTS: [&str; 2] = ["evt-sync-run-41907", "evt-documented"];

#[tokio::test]
async fn the_documented_commands_do_what_is_said() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let receiver = Receiver::start().await?;
    let playground = Playground::open(&deployment, &receiver).await?;
    let directory = checkout::run_directory(deployment.port).join("tmp/docs");
    std::fs::create_dir_all(&directory).or_failure(|| "cannot create a directory")?;
    write(&directory.join("dev.sh"), &playground.shell(&deployment, &receiver, &local()?))?;

    let publishing = page("publishing")?;
    write(&directory.join("push.py"), &blocks(&publishing, "python").concat())?;
    let mut script = String::new();
    for name in PAGES {
        let commands = blocks(&page(name)?, "sh").join("\n");
        script += &format!("echo \"-- {name}, after $SECONDS s\" >&2\n{commands}\n");
    }
    let script = script.replace(". target/dev.sh", REPLACED).replace("https://example.com", &receiver.url("/example"));
    run(&deployment, &directory, &script).await?;

    // The event as it is documented, but as if it had happened yesterday.
    let event = blocks(&publishing, "json").into_iter().next().or_failure(|| "the page shows no event")?;
    let yesterday = time::OffsetDateTime::now_utc().date() - time::Duration::DAY;
    let event = event.replace("2026-11-23", &yesterday.to_string()).replace(EVENTS[0], EVENTS[1]);
    deployment.producer().push_text(&event).await?;
    let requests = receiver.await_requests("the documented events", SOON, |requests| {
        let verified = requests.iter().filter(|request| request.path == "/verifies" && request.verified.is_ok());
        let ids: BTreeSet<_> = verified.filter(|r| r.json()["test"] == false).map(|r| r.event_id()).collect();
        EVENTS.iter().all(|id| ids.contains(*id))
    });
    requests.await?;

    let tests: Vec<_> = receiver.requests_below("/verifies").into_iter().filter(|r| r.json()["test"] == true).collect();
    let refused = tests.iter().filter(|request| request.answered == Some(401)).count();
    assert!(
        refused >= 3 && tests.len() > refused,
        "the receiver was not proven: {} tests, {refused} refused",
        tests.len()
    );
    Ok(())
}

#[test]
fn the_readme_leads_to_a_verified_delivery_by_the_quickstarts_commands() -> Result<()> {
    let readme = read(&checkout::root().join("README.md"))?;
    let commands = blocks(&readme, "sh").concat();
    assert!(page("quickstart")?.contains(commands.trim_end()), "the quickstart has other commands than the README");
    // A line that begins with white space continues the one before.
    let count = commands.lines().filter(|line| !line.is_empty() && !line.starts_with([' ', '#', '}'])).count();
    assert!((1..MOST_COMMANDS).contains(&count), "{count} commands after `make dev`");
    Ok(())
}

#[test]
fn all_commands_of_the_documentation_are_run() -> Result<()> {
    let docs = checkout::root().join("docs");
    for entry in std::fs::read_dir(docs).or_failure(|| "cannot list the pages")? {
        let path = entry.or_failure(|| "cannot list the pages")?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.extension().is_some_and(|extension| extension == "md")
            && !PAGES.contains(&name.as_str())
            && !RUN_ELSEWHERE.contains(&name.as_str())
        {
            assert_eq!(blocks(&read(&path)?, "sh"), Vec::<String>::new(), "{name} has commands that are not run");
        }
    }
    Ok(())
}

/// Replaces `. target/dev.sh` of the documentation.
///
/// The local AWS does not move messages out of dead-letter queues. Instead, this checks that the named queue is the
/// dead-letter queue of another one.
const REPLACED: &str = r#". ./dev.sh
aws() { case $2 in start-message-move-task) move "$@";; *) command aws "$@" --endpoint-url "$AWS_ENDPOINT_URL";; esac; }
move() { [ $# = 4 ] && [ $3 = --source-arn ] && feeds "$4"; }
feeds() { aws sqs get-queue-attributes --attribute-names RedrivePolicy --query Attributes.RedrivePolicy \
  --queue-url "$(aws sqs get-queue-url --queue-name "$(basename "${1##*:}" -dead-letter)" --output text)" | grep -F "$1"; }
"#;

/// Runs a script in bash. It calls only loopback addresses.
async fn run(deployment: &Deployment, directory: &Path, script: &str) -> Result<()> {
    write(&directory.join("docs.sh"), &format!("set -euo pipefail\n{script}"))?;
    let path = std::env::var("PATH").or_failure(|| "no PATH")?;
    let mut command = Command::new("bash");
    command.arg("docs.sh").current_dir(directory).envs(deployment.environment()?);
    command.env("PATH", path).stdin(Stdio::null());
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    let output = output.or_failure(|| "the documented commands do not end")?.or_failure(|| "cannot run bash")?;
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for line in complained.lines().filter(|line| line.starts_with("-- ")) {
        eprintln!("{line}");
    }
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("the documented commands failed ({}):\n{said}\n{complained}", output.status)))
}

/// The program that makes samples, which cargo builds two folders above the tests.
fn local() -> Result<std::path::PathBuf> {
    let test = std::env::current_exe().or_failure(|| "this test has no path")?;
    let profile = test.parent().and_then(Path::parent).or_failure(|| "this test is in no folder of a profile")?;
    Ok(profile.join("local"))
}

fn page(name: &str) -> Result<String> {
    read(&checkout::root().join(format!("docs/{name}.md")))
}

/// The fenced code blocks in a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("\n```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned() + "\n")).collect()
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).or_failure(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).or_failure(|| format!("cannot write {}", path.display()))
}
