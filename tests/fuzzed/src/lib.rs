//! What must hold for any input of every parser that meets the outside. Each [`Target`] takes bytes and panics if a property
//! does not hold: what was read is written and read again as the same, bounds hold, and two ways to the same answer agree.
//!
//! The programs in `fuzz/` call these functions with inputs that libFuzzer invents (`make fuzz`), and the tests here call them
//! with the inputs kept in `fuzz/corpus` and with some thousand that are near those. `docs/development.md` says how to use both.

#![expect(clippy::expect_used, clippy::panic, reason = "a property that does not hold ends the run")]

mod answer;
mod condition;
mod credentials;
mod cursor;
mod document;
mod event;
mod input;
mod json;
mod message;
mod page;
mod request;
mod settings;
mod url;
mod values;
mod world;

/// The parsers of one kind of input.
pub struct Target {
    /// The name of its program and of its inputs: `fuzz/fuzz_targets/<name>.rs`, `fuzz/corpus/<name>/`.
    pub name: &'static str,
    /// Panics if a property does not hold for this input.
    pub check: fn(&[u8]),
}

/// Every target, sorted by name.
pub const TARGETS: [Target; 13] = [
    Target { name: "answer", check: answer::check },
    Target { name: "condition", check: condition::check },
    Target { name: "credentials", check: credentials::check },
    Target { name: "cursor", check: cursor::check },
    Target { name: "document", check: document::check },
    Target { name: "event", check: event::check },
    Target { name: "json", check: json::check },
    Target { name: "message", check: message::check },
    Target { name: "page", check: page::check },
    Target { name: "request", check: request::check },
    Target { name: "settings", check: settings::check },
    Target { name: "url", check: url::check },
    Target { name: "values", check: values::check },
];

/// Checks one input of the target of this name.
pub fn check(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    (target.check)(input);
}
