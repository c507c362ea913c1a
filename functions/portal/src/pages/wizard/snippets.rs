//! Programs that verify a request, in eight languages. They are the files of `docs/verify/snippets`. The tests run
//! them, or say which they do not run.

/// A program that can be copied.
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
