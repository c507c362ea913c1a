//! Answers each line `{"pattern": …, "data": …}` of standard input with a line `true`, `false` or `{"refused": "…"}`.
//!
//! `tools/pattern_agreement.py` compares the answers with those of another implementation of EventBridge patterns.

#![expect(clippy::print_stdout, reason = "a command line tool")]

use std::error::Error;

use domain::routing::Pattern;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Question {
    pattern: Value,
    data: Value,
}

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lines() {
        let question: Question = serde_json::from_str(&line?)?;
        let answer = match Pattern::parse(&question.pattern) {
            Ok(pattern) => Value::Bool(pattern.matches(&question.data)),
            Err(error) => json!({"refused": error.to_string()}),
        };
        println!("{answer}");
    }
    Ok(())
}
