//! The runbook, `docs/alarms.md`, and the sections of other pages that it leads to: which commands they have, and which
//! of these a trial has run.
//!
//! A command is a line of a code block, or inline code that begins with the name of a program or of one of the page's
//! functions. Text that is not code is for people, and is not read here.

use std::collections::BTreeSet;
use std::sync::Mutex;

use harness::failure::OrFailure;
use harness::{Failure, Result, checkout};

/// What a command begins with.
const PROGRAMS: [&str; 8] = ["aws ", "echo ", "lines ", "metric ", "for ", "call ", "admin ", "KEY=$("];

/// The runbook.
pub struct Page {
    /// Definitions of functions that the commands use.
    pub functions: String,
    /// The command that lists the alarms that are on.
    pub which: String,
    pub sections: Vec<Section>,
}

/// One section, for one alarm or for two that are alike.
pub struct Section {
    pub title: String,
    /// The alarms' names, without the name of the stack.
    pub alarms: Vec<String>,
    commands: Vec<String>,
    run: Mutex<BTreeSet<String>>,
}

impl Page {
    pub fn read() -> Result<Self> {
        let text = page("alarms")?;
        let (head, rest) = text.split_once("\n## ").or_failure(|| "docs/alarms.md has no sections")?;
        let (functions, others): (Vec<_>, Vec<_>) = commands(head).into_iter().partition(|line| line.contains("() {"));
        let which = others
            .into_iter()
            .find(|line| line.contains("describe-alarms"))
            .or_failure(|| "the page does not say how to list alarms")?;
        let sections = rest.split("\n### ").skip(1).map(Section::parse).collect();
        Ok(Self { functions: functions.join("\n"), which, sections })
    }

    /// The section of this alarm.
    pub fn section(&self, alarm: &str) -> Result<&Section> {
        let found = self.sections.iter().find(|section| section.alarms.iter().any(|name| name == alarm));
        found.or_failure(|| format!("docs/alarms.md has no section for {alarm}"))
    }
}

impl Section {
    fn parse(text: &str) -> Self {
        let title = text.lines().next().unwrap_or_default();
        let alarms = title.split('`').skip(1).step_by(2).map(|name| name.trim_start_matches("…-").to_owned()).collect();
        // A section ends where the next group of sections begins.
        let text = text.split("\n## ").next().unwrap_or_default();
        Self { title: title.to_owned(), alarms, commands: commands(text), run: Mutex::default() }
    }

    /// A section of another page, by its heading.
    pub fn of(name: &str, heading: &str) -> Result<Self> {
        let text = page(name)?;
        let start = format!("\n{heading}\n");
        let (_, rest) = text.split_once(&start).or_failure(|| format!("docs/{name}.md has no {heading}"))?;
        Ok(Self::parse(&format!("{heading}\n{rest}")))
    }

    /// The one command that has this text in it. It counts as run.
    pub fn command(&self, part: &str) -> Result<String> {
        let mut found = self.commands.iter().filter(|command| command.contains(part));
        match (found.next(), found.next()) {
            (Some(command), None) => {
                if let Ok(mut run) = self.run.lock() {
                    run.insert(command.clone());
                }
                Ok(command.clone())
            }
            (None, _) => Err(Failure::new(format!("{}: no command has {part} in it", self.title))),
            (Some(_), Some(_)) => Err(Failure::new(format!("{}: several commands have {part} in them", self.title))),
        }
    }

    /// The commands that no trial has run.
    pub fn not_run(&self) -> Vec<String> {
        let run = self.run.lock().map(|run| run.clone()).unwrap_or_default();
        self.commands.iter().filter(|command| !run.contains(*command)).cloned().collect()
    }
}

fn page(name: &str) -> Result<String> {
    let path = checkout::root().join(format!("docs/{name}.md"));
    std::fs::read_to_string(&path).or_failure(|| format!("cannot read {}", path.display()))
}

/// The commands of a text, in their order. Those of a block for `sh` belong together, and are one.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fence: Option<(&str, String)> = None;
    for line in text.lines() {
        match &mut fence {
            Some((language, block)) if line == "```" => {
                found.extend((*language == "sh").then(|| std::mem::take(block)));
                fence = None;
            }
            Some((_, block)) => {
                found.extend(line.strip_prefix("$ ").map(str::to_owned));
                block.push_str(line);
                block.push('\n');
            }
            None if line.starts_with("```") => fence = Some((line.trim_start_matches('`'), String::new())),
            None => {
                let code = line.split('`').skip(1).step_by(2);
                found.extend(code.filter(|code| PROGRAMS.iter().any(|name| code.starts_with(name))).map(str::to_owned));
            }
        }
    }
    found
}

#[test]
fn commands_are_lines_of_blocks_and_inline_code_that_begins_with_a_program() {
    let text = "### `…-a` and `…-b`\n\n- use `lines X 'y'`, or `other`.\n\n```console\n$ aws one\n```\n\n```sh\ntwo\nthree\n```\n\n## Next\n`aws no`";
    let section = Section::parse(text.trim_start_matches("### "));
    assert_eq!(section.alarms, ["a", "b"]);
    assert_eq!(section.commands, ["lines X 'y'", "aws one", "two\nthree\n"]);
    assert_eq!(section.command("one").ok().as_deref(), Some("aws one"));
    assert_eq!(section.not_run().len(), 2);
}
