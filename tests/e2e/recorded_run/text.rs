//! JSON as text that can be compared line by line.

use serde_json::Value;

/// A value that fits in a line of this many bytes is written in one line.
const WIDTH: usize = 150;

/// With the members of all objects sorted by name, because their order has no meaning.
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(members.into_iter().collect())
        }
        other => other,
    }
}

pub fn pretty(value: Value) -> String {
    laid_out(&sorted(value).to_string())
}

/// The same text with white space added; nothing else changes, not even the order of members.
pub fn laid_out(json: &str) -> String {
    let mut parser = Parser { rest: json };
    let mut text = String::new();
    parser.node().write(0, &mut text);
    text + "\n"
}

/// A value as it is written, with its name in front if it is a member.
enum Node {
    Leaf(String),
    Branch { open: String, items: Vec<Node>, close: char },
}

impl Node {
    fn named(self, name: &str) -> Self {
        match self {
            Self::Leaf(text) => Self::Leaf(format!("{name}: {text}")),
            Self::Branch { open, items, close } => Self::Branch { open: format!("{name}: {open}"), items, close },
        }
    }

    fn in_one_line(&self) -> String {
        match self {
            Self::Leaf(text) => text.clone(),
            Self::Branch { open, items, close } => {
                let items: Vec<_> = items.iter().map(Self::in_one_line).collect();
                format!("{open}{}{close}", items.join(", "))
            }
        }
    }

    fn write(&self, indent: usize, text: &mut String) {
        let line = self.in_one_line();
        match self {
            Self::Branch { open, items, close } if indent + line.len() > WIDTH => {
                text.push_str(open);
                for (n, item) in items.iter().enumerate() {
                    text.push_str(if n == 0 { "\n" } else { ",\n" });
                    text.push_str(&" ".repeat(indent + 2));
                    item.write(indent + 2, text);
                }
                text.push('\n');
                text.push_str(&" ".repeat(indent));
                text.push(*close);
            }
            _ => text.push_str(&line),
        }
    }
}

/// Parses text that is known to be JSON.
struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn node(&mut self) -> Node {
        let (open, close) = match self.next() {
            "{" => ("{", '}'),
            "[" => ("[", ']'),
            leaf => return Node::Leaf(leaf.to_owned()),
        };
        let mut items = Vec::new();
        while !self.skips(close) {
            if close == '}' {
                let name = self.next();
                self.skips(':');
                items.push(self.node().named(name));
            } else {
                items.push(self.node());
            }
            self.skips(',');
        }
        Node::Branch { open: open.to_owned(), items, close }
    }

    fn skips(&mut self, mark: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// A mark, a string, a number or a word.
    fn next(&mut self) -> &'a str {
        let rest = self.rest.trim_start();
        let mut escaped = false;
        let end = match rest.as_bytes().first() {
            Some(b'"') => rest.bytes().skip(1).position(|byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            }),
            Some(b'{' | b'[') => Some(0),
            _ => rest.find([',', '}', ']', ' ', '\n']).map(|end| end - 1),
        };
        let quoted = usize::from(rest.starts_with('"'));
        let (token, rest) = rest.split_at(end.map_or(rest.len(), |end| end + 1 + quoted));
        self.rest = rest;
        token
    }
}
