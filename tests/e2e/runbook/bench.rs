//! What all trials share: the deployment, the runbook, an operator at a shell, and the deployed alarms with their filters.

use std::collections::BTreeSet;
use std::sync::Mutex;

use harness::failure::OrFailure;
use harness::iam::Iam;
use harness::{Deployment, Failure, Result, checkout};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::operator::Operator;
use crate::page::{Page, Section};

/// The name of the deployed stack.
pub const STACK: &str = "synchub-webhooks";

pub struct Bench {
    pub deployment: Deployment,
    pub iam: Iam,
    pub page: Page,
    /// Sections of `docs/operations.md` that the runbook leads to.
    pub permissions: Section,
    pub told: Section,
    pub dead_letters: Section,
    pub rejected: Section,
    pub rows: Section,
    pub operator: Operator,
    pub alarms: Vec<Value>,
    pub filters: Vec<Value>,
    /// The alarms that were tried.
    pub tried: Mutex<BTreeSet<String>>,
}

impl Bench {
    pub async fn new() -> Result<Self> {
        let deployment = Deployment::from_env()?;
        let page = Page::read()?;
        let operator = Operator::new(&deployment, &page.functions)?;
        let list = async |command: &str, what: &str| -> Result<Vec<Value>> {
            let mut told: Value = serde_json::from_str(&operator.run(command).await?).or_failure(|| "no JSON")?;
            let Value::Array(found) = told[what].take() else { return Err(Failure::new(format!("no {what}: {told}"))) };
            Ok(found)
        };
        let mut alarms = list("aws cloudwatch describe-alarms --alarm-name-prefix \"$STACK-\"", "MetricAlarms").await?;
        for (name, mut settings) in alarms_of_the_template()? {
            if name.ends_with("-dead-letter") {
                settings["AlarmName"] = json!(format!("{STACK}-{name}"));
                alarms.push(settings);
            }
        }
        let filters = list("aws logs describe-metric-filters", "metricFilters").await?;
        Ok(Self {
            iam: deployment.iam()?,
            told: Section::of("operations", "## Being told")?,
            permissions: Section::of("operations", "## Missing permissions")?,
            dead_letters: Section::of("operations", "## Dead-letter queues")?,
            rejected: Section::of("operations", "## Rejected events")?,
            rows: Section::of("operations", "### Rows that cannot be read")?,
            tried: Mutex::default(),
            deployment,
            page,
            operator,
            alarms,
            filters,
        })
    }

    /// The section of this alarm. It counts as tried.
    pub fn section(&self, alarm: &str) -> Result<&Section> {
        if let Ok(mut tried) = self.tried.lock() {
            tried.insert(alarm.to_owned());
        }
        self.page.section(alarm)
    }
}

/// The resources of the template. Those of the local stack lack the alarms that use metric math.
pub fn resources() -> Result<Value> {
    let python = checkout::tool("sam", "python")?;
    let code = "import json, template_test; print(json.dumps(template_test.read_template()['Resources']))";
    let mut command = std::process::Command::new(python);
    let output = command.args(["-c", code]).current_dir(checkout::root().join("tools")).output();
    let output = output.or_failure(|| "cannot run Python")?;
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).or_failure(|| format!("cannot read the template: {complained}"))
}

/// The names of all alarms of the template, without that of the stack, each with its settings.
pub fn alarms_of_the_template() -> Result<Vec<(String, Value)>> {
    let resources = resources()?;
    let all = resources.as_object().into_iter().flatten();
    let alarms = all.filter(|(_, each)| each["Type"].as_str().is_some_and(|kind| kind.ends_with("Alarm")));
    let named = alarms.filter_map(|(_, alarm)| {
        let name = alarm["Properties"]["AlarmName"]["Fn::Sub"].as_str()?;
        Some((name.strip_prefix("${AWS::StackName}-")?.to_owned(), alarm["Properties"].clone()))
    });
    Ok(named.collect())
}

/// Milliseconds of Unix time.
pub fn now() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}
