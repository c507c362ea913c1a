//! The page as assistive technology sees it: Chromium's own tree of roles and names. It is also checked with the
//! independent library axe-core.

use std::collections::HashMap;
use std::fmt::Write as _;

use harness::checkout;
use harness::failure::{Failure, OrFailure, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use thirtyfour::error::WebDriverResult;

use super::session::Browser;

/// The roles that an outline shows: those that matter to a person.
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

/// Something on the page, with its number in the DevTools protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) number: i64,
    pub(super) role: String,
    pub(super) name: String,
}

/// A violation that axe-core reports.
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
    /// All nodes with a role, below a node or on the whole page, in the page's order.
    ///
    /// This asks for the whole tree, because `queryAXTree` sometimes hung, together with all later commands, if another
    /// page was loaded in the meantime.
    pub(super) async fn nodes(&self, below: Option<i64>, role: Option<&str>) -> WebDriverResult<Vec<Node>> {
        let answer = self.devtools("Accessibility.getFullAXTree", json!({})).await?;
        Ok(nodes_of(&answer, below, role))
    }

    /// The element with the focus; `None` if it is the page itself.
    pub(super) async fn focused_node(&self) -> WebDriverResult<Option<Node>> {
        let focus = json!({"expression": "document.activeElement"});
        let focus = self.devtools("Runtime.evaluate", focus).await?;
        let object = json!({"objectId": focus["result"]["objectId"], "fetchRelatives": false});
        let answer = self.devtools("Accessibility.getPartialAXTree", object).await?;
        Ok(answer["nodes"].get(0).and_then(node))
    }

    /// What is on the page, one line each, for the message of a failure.
    pub(super) async fn outline(&self) -> WebDriverResult<String> {
        let nodes = self.nodes(None, None).await?;
        let telling = nodes.iter().filter(|node| TELLING.contains(&node.role.as_str()));
        Ok(telling.map(|node| format!("  {} {:?}", node.role, node.name)).collect::<Vec<_>>().join("\n"))
    }

    /// Fails if axe-core finds accessibility problems in the page as it is now. The browser must run scripts.
    pub async fn check_accessibility(&self) -> Result<()> {
        let path = checkout::node_module("axe-core/axe.min.js")?;
        let axe = std::fs::read_to_string(&path).or_failure(|| format!("cannot read {}", path.display()))?;
        self.evaluate(&axe).await?;
        // With `preload` it would fetch the stylesheets again.
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

    /// Fails if the page is wider than the screen, so that reading it needs horizontal scrolling.
    pub async fn fits_the_screen(&self) -> Result<()> {
        let widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]";
        let widths = self.evaluate(widths).await?;
        if widths[0].as_u64() <= widths[1].as_u64() {
            return Ok(());
        }
        Err(Failure::new(format!("{} is {} pixels wide on a screen of {}", self.path().await?, widths[0], widths[1])))
    }

    /// Fails if the content of the element with this selector is wider than the element, so that a part is out of
    /// sight.
    pub async fn shows_all_of(&self, selector: &str) -> Result<()> {
        let of = format!("document.querySelector({})", json!(selector));
        let widths = self.evaluate(&format!("[{of}.scrollWidth, {of}.clientWidth]")).await?;
        if widths[0].as_u64() <= widths[1].as_u64() {
            return Ok(());
        }
        Err(Failure::new(format!(
            "{selector} shows {} of its {} pixels on {}",
            widths[1],
            widths[0],
            self.path().await?
        )))
    }

    /// The width of the screen, in CSS pixels.
    pub(super) async fn width(&self) -> Result<f64> {
        let width = self.evaluate("document.documentElement.clientWidth").await?;
        width.as_f64().or_failure(|| format!("the screen is {width} wide"))
    }

    /// The value of a JavaScript expression. The page's security policy does not apply to it.
    pub async fn evaluate(&self, expression: &str) -> Result<Value> {
        let expression = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.devtools("Runtime.evaluate", expression).await.or_failure(|| "cannot ask the page")?;
        if answer["exceptionDetails"].is_object() {
            return Err(Failure::new(format!("the page answered {}", answer["exceptionDetails"])));
        }
        Ok(answer["result"]["value"].clone())
    }
}

/// The nodes of a tree, from the node with the number `below` downwards, including it, or from its root.
fn nodes_of(tree: &Value, below: Option<i64>, role: Option<&str>) -> Vec<Node> {
    let all = tree["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let by_id: HashMap<&str, &Value> = all.iter().filter_map(|node| Some((node["nodeId"].as_str()?, node))).collect();
    let begin = |node: &&Value| match below {
        Some(number) => node["backendDOMNodeId"].as_i64() == Some(number),
        None => node["parentId"].is_null(),
    };
    let (mut found, mut next) = (Vec::new(), Vec::from_iter(all.iter().find(begin)));
    while let Some(value) = next.pop() {
        found.extend(node(value).filter(|node| role.is_none_or(|role| role == node.role)));
        let children = value["childIds"].as_array().into_iter().flatten().rev();
        next.extend(children.filter_map(|id| by_id.get(id.as_str()?).copied()));
    }
    found
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_in_the_pages_order_from_any_node_on() {
        let one = |id: &str, number: i64, role: &str, parent: Option<&str>, children: &[&str]| {
            json!({"nodeId": id, "backendDOMNodeId": number, "role": {"value": role}, "name": {"value": id}, "parentId": parent,
                "childIds": children, "ignored": role == "none"})
        };
        // Chromium lists them level by level.
        let tree = json!({"nodes": [
            one("root", 1, "RootWebArea", None, &["a", "d"]), one("a", 2, "none", Some("root"), &["b", "c"]),
            one("d", 5, "button", Some("root"), &[]), one("b", 3, "button", Some("a"), &[]), one("c", 4, "link", Some("a"), &[]),
        ]});
        let names = |below, role| nodes_of(&tree, below, role).into_iter().map(|node| node.name).collect::<Vec<_>>();
        assert_eq!(names(None, None), ["root", "b", "c", "d"]);
        assert_eq!(names(None, Some("button")), ["b", "d"]);
        assert_eq!(names(Some(2), None), ["b", "c"]);
        assert!(names(Some(9), None).is_empty());
    }
}
