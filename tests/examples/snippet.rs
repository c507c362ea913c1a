// Compiles the verification snippet in Rust, docs/verify/snippets/rust.rs, exactly as it is shown. What its readers
// have no use for, such as the exceptions from our own lints, is here.

#![expect(clippy::disallowed_methods, reason = "a program of somebody else, who has no config module")]

include!("../../docs/verify/snippets/rust.rs");
