//! Upgrades a running stack from a released version to this one, and rolls it back, each time under load. `make
//! test-upgrade` builds both and runs it.
//!
//! On the way there, what the release wrote is taken over by this version: rows in every state, messages, secrets, keys
//! and page sessions. On the way back, what this version wrote has to be survived by the release. Both are the same
//! story ([`world`]), told by the one and continued by the other. Only what both versions know is used.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

#[path = "../bench/visitor.rs"]
mod visitor;
mod world;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use harness::deploy::deploy_template;
use harness::local_aws::LocalAws;
use harness::receiver::Receiver;
use harness::{Deployment, Failure, Result};
use tokio::time::sleep;

use self::world::World;

const USAGE: &str =
    "usage: upgrade <template of the release> <template of this version>; both as `sam build` wrote them";

/// The parameters that differ from those of other local runs: nobody reads so many logs.
const CHANGES: [(&str, &str); 1] = [("LogLevel", "INFO")];
/// How long the load goes on after the other version was deployed.
const AFTERWARDS: Duration = Duration::from_secs(5);

// One thread, the main one: children die with the thread that started them.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // The SAM CLI runs elsewhere, so paths have to be absolute.
    let arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let arguments: Vec<PathBuf> = arguments.map(|path| path.canonicalize().unwrap_or(path)).collect();
    let done = match arguments.as_slice() {
        [release, present] => there_and_back(release, present).await,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("failed: {failure:?}");
            ExitCode::FAILURE
        }
    }
}

async fn there_and_back(release: &Path, present: &Path) -> Result<()> {
    let aws = LocalAws::start().await?;
    eprintln!("deploying the release to port {} ...", aws.port());
    let deployment = deploy_template(&aws, release, &CHANGES).await?;
    let receiver = Receiver::start().await?;
    let upgraded = cross(&aws, &deployment, &receiver, "upgraded", present).await?;
    let rolled_back = cross(&aws, &deployment, &receiver, "rolled-back", release).await?;
    // What was taken over, and perhaps rewritten, is taken over once more.
    upgraded.assert_still_works().await?;
    upgraded.await_everything().await?;
    for world in [upgraded, rolled_back] {
        println!("{}: {}", world.name(), world.told());
    }
    println!("everything arrived with a valid signature, both ledgers close, and keys, secrets and sessions work");
    Ok(())
}

/// Tells the first half of the story on what is deployed, deploys `template` over it under load, and tells the rest.
async fn cross<'d>(
    aws: &LocalAws,
    deployment: &'d Deployment,
    receiver: &'d Receiver,
    name: &'static str,
    template: &Path,
) -> Result<World<'d>> {
    let world = World::set_up(deployment, receiver, name).await?;
    eprintln!("{name}: before the deployment {}", world.await_every_state().await?);
    world.push_burst().await?;
    let deployed = Cell::new(false);
    let deploying = async {
        let after = deploy_template(aws, template, &CHANGES).await;
        sleep(AFTERWARDS).await;
        deployed.set(true);
        after
    };
    let (load, after) = tokio::join!(world.load(&deployed), deploying);
    if after?.outputs.api_id != deployment.outputs.api_id {
        return Err(Failure::new("the API has another address after the deployment"));
    }
    eprintln!("{name}: deployed under load, {}", load?);
    world.mend().await?;
    world.await_everything().await?;
    world.assert_still_works().await?;
    world.assert_nothing_was_given_up().await?;
    Ok(world)
}
