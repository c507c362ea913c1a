//! The page as assistive technology sees it: Chromium's own tree of roles and names; and what axe-core, which is not ours, finds wrong.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};
use thirtyfour::error::WebDriverResult;

use super::session::Browser;
use crate::checkout;
use crate::failure::{Failure, OrFailure, Result};

/// Roles that a person can tell apart; an outline shows these.
const TELLING: [&str; 18] = [
    "alert",
    "banner",
    "button",
    "checkbox",
    "columnheader",
    "combobox",
    "dialog",
    "group",
    "heading",
    "link",
    "main",
    "navigation",
    "radio",
    "searchbox",
    "spinbutton",
    "status",
    "switch",
    "textbox",
];

/// Something on the page, with the number that the DevTools protocol knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) number: i64,
    pub(super) role: String,
    pub(super) name: String,
}

/// What axe-core calls a violation.
#[derive(Deserialize)]
struct Violation {
    id: String,
    help: String,
    nodes: Vec<Violating>,
}

#[derive(Deserialize)]
struct Violating {
    html: String,
    #[serde(rename = "failureSummary", default)]
    summary: String,
}

impl Browser {
    /// Everything of a role, below a node or on the whole page, in the page's order.
    pub(super) async fn nodes(&self, below: Option<i64>, role: Option<&str>) -> WebDriverResult<Vec<Node>> {
        let mut query = match below {
            Some(number) => json!({ "backendNodeId": number }),
            None => {
                let document = self.devtools("DOM.getDocument", json!({"depth": 0})).await?;
                json!({ "backendNodeId": document["root"]["backendNodeId"] })
            }
        };
        if let Some(role) = role {
            query["role"] = json!(role);
        }
        let answer = self.devtools("Accessibility.queryAXTree", query).await?;
        Ok(answer["nodes"].as_array().into_iter().flatten().filter_map(node).collect())
    }

    /// What has the focus; none where that is the page itself.
    pub(super) async fn focused_node(&self) -> WebDriverResult<Option<Node>> {
        let focus = json!({"expression": "document.activeElement"});
        let focus = self.devtools("Runtime.evaluate", focus).await?;
        let object = json!({"objectId": focus["result"]["objectId"], "fetchRelatives": false});
        let answer = self.devtools("Accessibility.getPartialAXTree", object).await?;
        Ok(answer["nodes"].get(0).and_then(node))
    }

    /// What is on the page, a line each, for the message of a failure.
    pub(super) async fn outline(&self) -> WebDriverResult<String> {
        let nodes = self.nodes(None, None).await?;
        let telling = nodes.iter().filter(|node| TELLING.contains(&node.role.as_str()));
        Ok(telling.map(|node| format!("  {} {:?}", node.role, node.name)).collect::<Vec<_>>().join("\n"))
    }

    /// Fails if axe-core finds the page, as it is now, less accessible than it has to be.
    pub async fn check_accessibility(&self) -> Result<()> {
        let path = checkout::node_module("axe-core/axe.min.js")?;
        let axe = std::fs::read_to_string(&path).or_failure(|| format!("cannot read {}", path.display()))?;
        self.evaluate(&axe).await?;
        // Without `preload` it would fetch the stylesheets once more.
        let run =
            "axe.run({resultTypes: ['violations'], preload: false}).then((found) => JSON.stringify(found.violations))";
        let found = self.evaluate(run).await?;
        let found = found.as_str().or_failure(|| format!("axe-core answered {found}"))?;
        let violations: Vec<Violation> =
            serde_json::from_str(found).or_failure(|| format!("axe-core answered {found}"))?;
        if violations.is_empty() {
            return Ok(());
        }
        let place = self.path().await?;
        Err(Failure::new(format!("{place} is not accessible to everybody:\n{}", report(&violations)?)))
    }

    /// Fails if the page is wider than the screen, so that it has to be moved sideways to be read.
    pub async fn fits_the_screen(&self) -> Result<()> {
        let widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]";
        let widths = self.evaluate(widths).await?;
        if widths[0].as_u64() <= widths[1].as_u64() {
            return Ok(());
        }
        Err(Failure::new(format!("{} is {} pixels wide on a screen of {}", self.path().await?, widths[0], widths[1])))
    }

    /// The value of an expression, which the page's security policy does not apply to.
    async fn evaluate(&self, expression: &str) -> Result<Value> {
        let expression = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.devtools("Runtime.evaluate", expression).await.or_failure(|| "cannot ask the page")?;
        if answer["exceptionDetails"].is_object() {
            return Err(Failure::new(format!("the page answered {}", answer["exceptionDetails"])));
        }
        Ok(answer["result"]["value"].clone())
    }
}

fn node(value: &Value) -> Option<Node> {
    if value["ignored"] == true {
        return None;
    }
    let number = value["backendDOMNodeId"].as_i64()?;
    let text = |field: &str| value[field]["value"].as_str().unwrap_or_default().trim().to_owned();
    Some(Node { number, role: text("role"), name: text("name") })
}

fn report(violations: &[Violation]) -> Result<String> {
    let mut report = String::new();
    for violation in violations {
        writeln!(report, "{}: {}", violation.id, violation.help).or_failure(|| "cannot write a report")?;
        for node in &violation.nodes {
            let summary = node.summary.lines().skip(1).map(str::trim).collect::<Vec<_>>().join("; ");
            writeln!(report, "  {} ({summary})", node.html).or_failure(|| "cannot write a report")?;
        }
    }
    Ok(report)
}
