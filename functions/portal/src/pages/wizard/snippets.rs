//! How a receiver verifies a request, in eight languages: the programs of `docs/verify/snippets`, which the tests run or say that
//! they do not.

/// A program to paste.
pub struct Snippet {
    pub language: &'static str,
    pub code: &'static str,
}

macro_rules! snippets {
    ($($language:literal: $file:literal),* $(,)?) => {
        &[$(Snippet { language: $language, code: include_str!(concat!("../../../../../docs/verify/snippets/", $file)) }),*]
    };
}

pub const SNIPPETS: &[Snippet] = snippets! {
    "Python": "python.py",
    "Node": "node.mjs",
    "Rust": "rust.rs",
    "Go": "go.go",
    "Java": "java.java",
    "C#": "csharp.cs",
    "PHP": "php.php",
    "Ruby": "ruby.rb",
};
