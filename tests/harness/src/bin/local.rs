//! `local run -- <command>`, `local demo` and `local dev` run the stack on a local AWS for as long as they run
//! themselves.
//!
//! Each starts its own local AWS, deploys the functions, and removes everything again, however it ends. `run` deploys
//! what `make build` built, as for AWS; `demo` and `dev` deploy an unoptimized build. The program builds and installs
//! nothing: the Makefile does that, and calls it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use harness::checkout::Build;
use harness::demo::{Playground, TemporaryFile};
use harness::deployment::Deployment;
use harness::failure::{OrFailure, Result};
use harness::local_aws::LocalAws;
use harness::receiver::Receiver;
use harness::supervised::Supervised;
use harness::{checkout, demo, deploy, producer};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "\
usage: local run [<parameter>=<value>...] -- <command> [<argument>...]
                                                run a command against a new local deployment, with these parameters
       local demo                               show that deliveries arrive, and stop
       local dev                                the same, but keep running until Ctrl-C
       local event <sample> <account> [<id>]    print events/<sample>.json as if it happened now";

/// A shell's exit code for a process that was ended by a signal is this plus the number of the signal.
const ENDED_BY_SIGNAL: u8 = 128;
/// Longer than anybody will wait.
const FOR_EVER: Duration = Duration::from_secs(365 * 86_400);

enum Task {
    Run { parameters: Vec<(String, String)>, program: PathBuf, arguments: Vec<OsString> },
    Demo,
    Dev,
    Event { sample: String, account: String, id: Option<String> },
}

// One thread, the main one: children die with the thread that started them.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(task) = parse(std::env::args_os().skip(1).collect()) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let ended = tokio::select! {
        // Dropping the task stops and removes everything.
        signal = interruption() => signal.map(|number| {
            eprintln!("interrupted: stopping everything");
            ExitCode::from(ENDED_BY_SIGNAL + number)
        }),
        ended = perform(task) => ended,
    };
    ended.unwrap_or_else(|failure| {
        eprintln!("failed: {failure:?}");
        ExitCode::FAILURE
    })
}

fn parse(arguments: Vec<OsString>) -> Option<Task> {
    let mut arguments = arguments.into_iter();
    let name = arguments.next()?;
    let task = match name.to_str()? {
        "run" => {
            let mut parameters = Vec::new();
            loop {
                let argument = arguments.next()?.into_string().ok()?;
                if argument == "--" {
                    break;
                }
                let (name, value) = argument.split_once('=')?;
                parameters.push((name.to_owned(), value.to_owned()));
            }
            let program = arguments.next()?.into();
            return Some(Task::Run { parameters, program, arguments: arguments.collect() });
        }
        "demo" => Task::Demo,
        "dev" => Task::Dev,
        "event" => Task::Event {
            sample: arguments.next()?.into_string().ok()?,
            account: arguments.next()?.into_string().ok()?,
            id: arguments.next().and_then(|id| id.into_string().ok()),
        },
        _ => return None,
    };
    arguments.next().is_none().then_some(task)
}

async fn perform(task: Task) -> Result<ExitCode> {
    match task {
        Task::Run { parameters, program, arguments } => run(&parameters, &program, &arguments).await,
        Task::Demo => show(false).await,
        Task::Dev => show(true).await,
        Task::Event { sample, account, id } => {
            let mut event = producer::fresh_sample(&sample, &account)?;
            if let Some(id) = id {
                event["id"] = id.into();
            }
            println!("{event}");
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn run(parameters: &[(String, String)], program: &Path, arguments: &[OsString]) -> Result<ExitCode> {
    let changes: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (_aws, deployment) = start(Build::Optimized, &changes).await?;
    let environment = deployment.environment()?;
    let mut process = Supervised::start(program, |command| {
        command.args(arguments).stdin(Stdio::null());
        for leaking in ["AWS_PROFILE", "AWS_SESSION_TOKEN"] {
            command.env_remove(leaking);
        }
        command.envs(environment);
    })?;
    Ok(exit_code(process.wait().await?))
}

async fn show(stay: bool) -> Result<ExitCode> {
    let (aws, deployment) = start(Build::Unoptimized, &[]).await?;
    let receiver = Receiver::start().await?;
    let report = demo::run(&deployment, &receiver).await?;
    println!("\n{}\n", report.table);
    if report.unexpected > 0 {
        println!("{} unexpected requests arrived", report.unexpected);
    }
    println!("{} of {} deliveries arrived and verified", report.verified, report.expected);
    if stay {
        println!("\nThe local AWS logs to {}\n", aws.run_directory().path().display());
        play(&deployment, &receiver, &report.account).await?;
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Opens the playground, and shows the requests that arrive, until the future is dropped. `account` is the account of
/// the story.
async fn play(deployment: &Deployment, receiver: &Receiver, account: &str) -> Result<()> {
    let playground = Playground::open(deployment, receiver).await?;
    // This program makes the samples. `cargo run` would build it again, with other features of its dependencies.
    let program = std::env::current_exe().or_failure(|| "this program has no path")?;
    let target = checkout::root().join("target");
    // Both files are removed at the end, because they would describe a run that no longer exists. `make invoke` finds
    // the deployment by the first one.
    let described = serde_json::to_string(deployment).or_failure(|| "cannot describe the deployment")?;
    let _described = TemporaryFile::write(target.join("local/deployment.json"), &described)?;
    let shell = TemporaryFile::write(target.join("dev.sh"), &playground.shell(deployment, receiver, &program))?;
    let session = json!({"role": "admin", "expires_in_seconds": 3600});
    let link = deployment.operator()?.offer_session(account, &session).await?;
    println!("Requests are shown as they arrive; Ctrl-C ends everything.\n");
    println!("{}\n", playground.told(receiver, shell.path(), &link));
    tokio::try_join!(follow(receiver), demo::tell_story(deployment, account)).map(drop)
}

async fn start(build: Build, changes: &[(&str, &str)]) -> Result<(LocalAws, Deployment)> {
    eprintln!("starting a local AWS ...");
    let aws = LocalAws::start().await?;
    eprintln!("deploying with the SAM CLI to port {} (about a quarter of a minute) ...", aws.port());
    let deployment = deploy::deploy(&aws, build, changes).await?;
    Ok((aws, deployment))
}

/// Prints requests as they arrive, until the future is dropped.
async fn follow(receiver: &Receiver) -> Result<()> {
    let mut shown = receiver.requests().len();
    loop {
        let requests = receiver.await_requests("a request", FOR_EVER, |requests| requests.len() > shown).await?;
        for request in &requests[shown..] {
            println!("{}", request.summary());
        }
        shown = requests.len();
    }
}

/// Waits for Ctrl-C or a termination signal, and returns the signal's number.
async fn interruption() -> Result<u8> {
    let mut interrupt = signal(SignalKind::interrupt()).or_failure(|| "cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).or_failure(|| "cannot listen for a termination signal")?;
    Ok(tokio::select! {
        _ = interrupt.recv() => 2,
        _ = terminate.recv() => 15,
    })
}

fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt as _;
    let by_signal = status.signal().and_then(|number| u8::try_from(number).ok()).map(|number| ENDED_BY_SIGNAL + number);
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.or(by_signal).map_or(ExitCode::FAILURE, ExitCode::from)
}
