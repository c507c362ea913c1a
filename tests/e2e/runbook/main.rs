//! The runbook, tried. For each section of `docs/alarms.md`, the ill is caused on the deployed stack, the condition of the alarm is
//! found true, the commands of the section are run as they stand there and show the ill, and when what they say has been
//! done, the alarm is off again and nothing was lost.
//!
//! An alarm without a section, a section without a trial, and a command that no trial runs fail the test. What CloudWatch
//! does is in [`watch`]. What the local AWS cannot do is in [`IN_PART`].
//!
//! `ONLY=key,ledger` tries only what has one of these in its name, and then fails because of the rest.
//!
//! The test is alone in its binary, so that it disturbs no other. `redrive` and the API have their trials beside those of
//! `fanout` and `deliver`.

#![expect(clippy::disallowed_methods, reason = "a trial reads what was logged since it began, and bash needs a PATH")]
#![expect(clippy::print_stderr, reason = "it takes minutes, and says what it tried")]

mod alike;
mod bench;
mod ill;
mod invoke;
mod operator;
mod outside;
mod page;
mod pattern;
mod redrive;
mod requests;
mod rows;
mod taken;
mod watch;

use std::collections::BTreeSet;
use std::sync::Mutex;

use harness::{Failure, Result, checkout};
use tests::function;
use tokio::time::Instant;

use crate::bench::{Bench, alarms_of_the_template};
use crate::page::Page;
use crate::taken::Whole;

/// The alarms that are tried.
const TRIALS: [&str; 27] = [
    "ill",
    "events-failing",
    "deliveries-failing",
    "events-dead-letter",
    "deliveries-dead-letter",
    "fanout-errors",
    "deliver-errors",
    "fanout-slow",
    "deliver-slow",
    "events-late",
    "deliveries-late",
    "deliveries-in-flight",
    "rejected-events",
    "fanout-throttled",
    "deliver-throttled",
    "redrive-stopped",
    "redrive-errors",
    "redrive-lag",
    "redrive-dropped",
    "recovered-by-audit",
    "ledger-open",
    "unreadable-rows",
    "table-reads-throttled",
    "table-writes-throttled",
    "key-failing",
    "api-errors",
    "authorizer-errors",
];

/// What is not tried as on AWS, and why. `docs/development.md` names these alarms.
const IN_PART: [(&str, &str); 11] = [
    (
        "fanout-errors",
        "the local AWS keeps lines of a process whose start failed, and Lambda's own, out of the function's log",
    ),
    ("deliver-errors", "the same"),
    (
        "events-dead-letter",
        "the local AWS has neither the alarm, which uses metric math, nor `start-message-move-task`",
    ),
    ("deliveries-dead-letter", "the same"),
    ("table-reads-throttled", "the local table never throttles, so a proxy in front of it does"),
    ("table-writes-throttled", "the same"),
    ("events-late", "the local AWS publishes no metrics of SQS, so the command of the section shows nothing"),
    ("deliveries-late", "the same"),
    ("deliveries-in-flight", "the same, and twelve messages stand for 96,000"),
    ("redrive-dropped", "the local AWS does not publish `AsyncEventsDropped`, so the throttles are counted"),
    ("api-errors", "the local AWS writes no access log and publishes no `5xx`, so the answers are counted"),
];

#[test]
fn each_alarm_has_a_section_and_each_section_a_trial() -> Result<()> {
    let alarms: BTreeSet<String> = alarms_of_the_template()?.into_iter().map(|(name, _)| name).collect();
    let sections: BTreeSet<String> = Page::read()?.sections.iter().flat_map(|section| section.alarms.clone()).collect();
    let trials: BTreeSet<String> = TRIALS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(alarms, sections, "the alarms of template.yaml, and the sections of docs/alarms.md");
    assert_eq!(sections, trials, "the sections of docs/alarms.md, and the trials");
    let told = std::fs::read_to_string(checkout::root().join("docs/development.md")).unwrap_or_default();
    for (name, _) in IN_PART {
        assert!(
            TRIALS.contains(&name) && told.contains(&format!("`{name}`")),
            "docs/development.md does not name {name}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn each_section_of_the_runbook_confirms_and_mends_its_ill() -> Result<()> {
    let bench = Bench::new().await?;
    let outputs = &bench.deployment.outputs;
    let (fanout, deliver) = (alike::fanout(&bench).await?, alike::deliver(&bench).await?);
    let redrive = Whole::of(&bench, &outputs.redrive_function_name).await?;
    let api = Whole::of(&bench, &outputs.api_function_name).await?;
    let authorizer = Whole::of(&bench, &outputs.authorizer_function_name).await?;
    let log = Log { started: Instant::now(), failures: Mutex::default() };
    let result = everything(&bench, &log, (&fanout, &deliver), (&redrive, &api, &authorizer)).await;
    // However it ends: the next tests use the same deployment.
    for side in [&fanout, &deliver] {
        side.put_back(&bench).await?;
    }
    for whole in [&redrive, &api, &authorizer] {
        whole.put_back(&bench).await?;
    }
    function::set_schedule(&bench.deployment, true).await?;
    ill::put_back(&bench).await?;
    result?;

    let mut failures = log.failures.into_inner().unwrap_or_default();
    let tried = bench.tried.into_inner().unwrap_or_default();
    failures.extend(TRIALS.iter().filter(|name| !tried.contains(**name)).map(|name| format!("{name} was not tried")));
    let others = [&bench.permissions, &bench.dead_letters];
    for section in bench.page.sections.iter().chain(others) {
        let not_run = section.not_run().into_iter();
        failures.extend(not_run.map(|command| format!("{}: no trial runs `{command}`", section.title)));
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(format!("\n{}", failures.join("\n")))) }
}

type Sides<'a> = (&'a alike::Side, &'a alike::Side);
type Others<'a> = (&'a Whole, &'a Whole, &'a Whole);

async fn everything(bench: &Bench, log: &Log, sides: Sides<'_>, others: Others<'_>) -> Result<()> {
    let ((fanout, deliver), (redrive, api, authorizer)) = (sides, others);
    let pager = ill::subscribe(bench).await?;
    let lost = redrive::lose(bench).await?;
    let only = std::env::var("ONLY").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|part| name.contains(part));
    macro_rules! trial {
        ($name:expr, $trial:expr, $put_back:expr) => {
            if wanted($name) {
                let begun = Instant::now();
                log.tell($name, begun, $trial.await);
                log.tell("putting back", begun, $put_back.await);
            }
        };
    }
    let queues = async {
        for side in [fanout, deliver] {
            trial!(&side.alarms()[0], side.failing(bench), side.put_back(bench));
            trial!(&side.alarms()[1], side.dead_letter(bench), side.put_back(bench));
            trial!(&side.alarms()[2], side.errors(bench), side.put_back(bench));
            trial!(&side.alarms()[3], side.slow(bench), side.put_back(bench));
            trial!(&side.alarms()[4], side.throttled_and_late(bench), side.put_back(bench));
        }
        trial!("deliveries-in-flight", outside::in_flight(bench), deliver.put_back(bench));
        trial!("table", outside::table_throttled(bench, &fanout.function), fanout.put_back(bench));
    };
    let runs = async {
        trial!("redrive-stopped", redrive::stopped(bench, &lost), redrive.put_back(bench));
        trial!("recovered-by-audit", redrive::recovered(bench, &lost), redrive.put_back(bench));
        trial!("ledger-open", redrive::ledger_open(bench, &lost), redrive.put_back(bench));
        trial!("redrive-errors", redrive::errors(bench, redrive), redrive.put_back(bench));
        trial!("redrive-lag", redrive::lag(bench, redrive), redrive.put_back(bench));
        trial!("redrive-dropped", redrive::dropped(bench, redrive), redrive.put_back(bench));
    };
    let asked = async {
        trial!("unreadable-rows", requests::unreadable_rows(bench), api.put_back(bench));
        trial!("api-errors", requests::api_errors(bench, api), api.put_back(bench));
    };
    tokio::join!(queues, runs, asked);
    // These disturb all others.
    trial!("rejected-events", requests::rejected_events(bench), api.put_back(bench));
    trial!("authorizer-errors", requests::authorizer_errors(bench, authorizer), authorizer.put_back(bench));
    trial!("key-failing", outside::key_failing(bench, &deliver.function, api), deliver.put_back(bench));
    trial!("ill", ill::woken(bench, &pager), async { Ok(()) });
    Ok(())
}

/// What was tried, and what failed.
struct Log {
    started: Instant,
    failures: Mutex<Vec<String>>,
}

impl Log {
    fn tell(&self, what: &str, begun: Instant, result: Result<()>) {
        let (at, took) = (self.started.elapsed().as_secs(), begun.elapsed().as_secs());
        match result {
            Ok(()) if what == "putting back" => {}
            Ok(()) => eprintln!("{at} s: {what} in {took} s"),
            Err(failure) => {
                eprintln!("{at} s: {what} failed after {took} s: {failure:?}");
                if let Ok(mut failures) = self.failures.lock() {
                    failures.push(format!("{what}: {failure:?}"));
                }
            }
        }
    }
}
