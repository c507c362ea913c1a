//! Least privilege, shown on the deployed stack: each permission of each role is taken away in turn, something that needs
//! it is done, and its function says that it was denied the action. When the permission is back, everything works again,
//! and nothing was lost. So no permission is there in vain, and none is missing.
//!
//! The permissions are read from the deployed policies. A new one fails the test until [`scenario`] says what needs it, or
//! [`NOT_ASKED`] says that the local AWS does not ask for it, and names the rule of `tools/template_test.py` that compares
//! the template with what AWS asks for.
//!
//! The test is alone in its binary, so that it disturbs no other.

#![expect(clippy::disallowed_methods, reason = "a trial reads what was logged since it began")]
#![expect(clippy::print_stderr, reason = "it takes minutes, and says what it tried")]

mod owed;
mod permissions;
mod queues;
mod redrive;
mod requests;
mod trial;

use std::sync::Mutex;

use harness::{Deployment, Failure, Result, checkout};
use tests::function;
use tokio::time::{Instant, sleep_until};

use crate::permissions::{Permission, functions};
use crate::requests::Shop;
use crate::trial::{Bench, STAMP, Trial};

/// What the local AWS allows without asking: who has it (anyone, if it does not say), the action, and the rule that checks
/// it in the template.
const NOT_ASKED: [(&str, &str, &str); 7] = [
    ("", "sqs:ReceiveMessage", "functions_receive_from_the_queue_that_feeds_them_and_from_no_other"),
    ("", "sqs:DeleteMessage", "functions_receive_from_the_queue_that_feeds_them_and_from_no_other"),
    ("", "sqs:GetQueueAttributes", "functions_receive_from_the_queue_that_feeds_them_and_from_no_other"),
    ("", "logs:CreateLogStream", "functions_write_to_their_own_logs_and_do_nothing_else_there"),
    ("", "logs:PutLogEvents", "functions_write_to_their_own_logs_and_do_nothing_else_there"),
    ("schedule", "lambda:InvokeFunction", "a_schedule_may_run_its_function_and_nothing_else"),
    ("cloudwatch.amazonaws.com", "sns:Publish", "alarms_reach_the_topic"),
];

/// What is done to need a permission.
enum Scenario {
    Event { destinations: usize },
    Events,
    EventThatFails,
    EventOfNobody,
    Retry,
    Limited,
    Restarted,
    Request,
    FreshKey,
    AnyRun,
    Gone,
    Recovery,
    Deletion,
    TooMuch,
}

fn scenario(permission: &Permission) -> Option<Scenario> {
    let Permission { holder, action, on, .. } = permission;
    Some(match (holder.as_str(), action.as_str(), on.as_str()) {
        ("fanout", "dynamodb:GetItem" | "dynamodb:Query" | "dynamodb:PutItem", "table")
        | ("fanout", "sqs:SendMessage", "deliveries")
        | ("deliver", "dynamodb:BatchGetItem" | "dynamodb:PutItem", "table") => Scenario::Event { destinations: 1 },
        ("deliver", "dynamodb:PartiQLInsert", "table") => Scenario::Event { destinations: 4 },
        ("fanout", "dynamodb:BatchGetItem" | "dynamodb:PartiQLInsert", "table") => Scenario::Events,
        ("fanout", "sqs:ChangeMessageVisibility", "events") => Scenario::EventThatFails,
        ("fanout", "dynamodb:UpdateItem", "table") => Scenario::EventOfNobody,
        ("deliver", "dynamodb:GetItem", "table") | ("deliver", "sqs:ChangeMessageVisibility", "deliveries") => {
            Scenario::Retry
        }
        ("deliver", "dynamodb:UpdateItem", "table") => Scenario::Limited,
        ("deliver", "kms:Decrypt", "key") => Scenario::Restarted,
        ("api" | "portal", _, on) if on != "logs" => Scenario::Request,
        ("authorizer", "dynamodb:GetItem" | "dynamodb:UpdateItem", "table") => Scenario::FreshKey,
        ("redrive", "dynamodb:GetItem" | "dynamodb:Query", "table")
        | ("redrive", "dynamodb:Query", "index/waiting") => Scenario::AnyRun,
        ("redrive", "dynamodb:BatchGetItem" | "dynamodb:PutItem", "table")
        | ("redrive", "sqs:SendMessage", "events")
        | ("redrive", "sns:Publish", "receiver-alerts") => Scenario::Gone,
        ("redrive", "dynamodb:PartiQLInsert" | "dynamodb:UpdateItem" | "dynamodb:DeleteItem", "table")
        | ("redrive", "dynamodb:Query", "index/events-by-account")
        | ("redrive", "sqs:SendMessage", "deliveries") => Scenario::Recovery,
        ("redrive", "dynamodb:BatchWriteItem", "table") => Scenario::Deletion,
        ("redrive", "sns:Publish", "work") => Scenario::TooMuch,
        _ => return None,
    })
}

#[tokio::test]
async fn without_any_one_permission_something_fails_and_with_all_everything_works() -> Result<()> {
    let deployment = Deployment::from_env()?;
    function::set_schedule(&deployment, false).await?;
    set_visibility_timeouts(&deployment, 5).await?;
    let result = everything(&deployment).await;
    // However it ends: the next tests use the same deployment.
    set_visibility_timeouts(&deployment, 360).await?;
    for (_, function) in functions(&deployment) {
        function::set_variable(&deployment, function, STAMP, None).await?;
    }
    function::set_schedule(&deployment, true).await?;
    result
}

async fn set_visibility_timeouts(deployment: &Deployment, seconds: u32) -> Result<()> {
    deployment.events_queue().set_visibility_timeout(seconds).await?;
    deployment.deliveries_queue().set_visibility_timeout(seconds).await
}

async fn everything(deployment: &Deployment) -> Result<()> {
    let started = Instant::now();
    let mut permissions = permissions::all(deployment).await?;
    // `redrive` comes last, and the deletion first of all that it does: see there.
    permissions
        .sort_by_key(|permission| (permission.holder == "redrive", permission.action != "dynamodb:BatchWriteItem"));
    let (deletion, old, shop) =
        tokio::try_join!(redrive::begin_deletion("deleted"), redrive::old_account(), Shop::open())?;
    let settled = Instant::now() + redrive::SETTLED;
    let (deployment, iam) = (deployment.clone(), deployment.iam()?);
    let bench = Bench { deployment, iam, shop, old, deletion, owed: Mutex::default() };
    eprintln!("{} permissions, prepared after {} s", permissions.len(), started.elapsed().as_secs());

    let mut failures = Vec::new();
    for permission in &permissions {
        let begun = Instant::now();
        let trial = Trial::of(&bench, permission);
        let result = try_without(&trial, settled).await;
        permission.put_back(&bench.iam).await?;
        let told = result.as_ref().map_or_else(|failure| format!("{failure:?}"), |told| (*told).to_owned());
        eprintln!("{permission}: {told} ({} ms)", begun.elapsed().as_millis());
        failures.extend(result.err().map(|failure| format!("{failure:?}")));
    }
    for owed in bench.owed.into_inner().unwrap_or_default() {
        failures.extend(owed.arrived().await.err().map(|failure| format!("{failure:?}")));
    }
    function::run_redrive(&bench.deployment).await?;
    eprintln!("all of it after {} s", started.elapsed().as_secs());
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(format!("\n{}", failures.join("\n")))) }
}

/// Tries to do without one permission; says how that went.
async fn try_without(trial: &Trial<'_>, settled: Instant) -> Result<&'static str> {
    let permission = trial.permission;
    let Some(scenario) = scenario(permission) else { return not_asked(permission) };
    match scenario {
        Scenario::Event { destinations } => queues::event(trial, destinations).await,
        Scenario::Events => queues::events(trial).await,
        Scenario::EventThatFails => queues::event_that_fails(trial).await,
        Scenario::EventOfNobody => queues::event_of_nobody(trial).await,
        Scenario::Retry => queues::retry(trial).await,
        Scenario::Limited => queues::limited(trial).await,
        Scenario::Restarted => queues::restarted(trial).await,
        Scenario::Request => {
            let (shop, action, on) = (&trial.bench.shop, &permission.action, &permission.on);
            let ask =
                if permission.holder == "api" { shop.of_api(action, on)? } else { shop.of_page(action, on).await? };
            match ask {
                Some(ask) => requests::request(trial, ask).await,
                None => return unknown(permission),
            }
        }
        Scenario::FreshKey => requests::fresh_key(trial).await,
        Scenario::AnyRun => redrive::any(trial).await,
        Scenario::Gone => redrive::gone(trial).await,
        Scenario::Recovery => {
            sleep_until(settled).await;
            redrive::recovery(trial).await
        }
        Scenario::Deletion => redrive::deletion(trial).await,
        Scenario::TooMuch => redrive::too_much(trial).await,
    }?;
    Ok("denied, and worked again")
}

fn not_asked(permission: &Permission) -> Result<&'static str> {
    let is_it = |(holder, action, _): &&(&str, &str, &str)| {
        (holder.is_empty() || *holder == permission.holder) && *action == permission.action
    };
    let Some((_, _, rule)) = NOT_ASKED.iter().find(is_it) else { return unknown(permission) };
    let rules = std::fs::read_to_string(checkout::root().join("tools/template_test.py")).unwrap_or_default();
    if !rules.contains(&format!("\n@rule\ndef {rule}(")) {
        return Err(Failure::new(format!("tools/template_test.py has no rule {rule}, which checks {permission}")));
    }
    Ok("the local AWS does not ask for it")
}

fn unknown<T>(permission: &Permission) -> Result<T> {
    let place = "tests/e2e/least_privilege";
    Err(Failure::new(format!("{permission} is new: say in `scenario` of {place} what fails without it, or remove it")))
}
