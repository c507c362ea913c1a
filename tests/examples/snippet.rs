// The verification snippet in Rust, docs/verify/snippets/rust.rs, as a program: what is shown there is what is compiled here.
// Nothing of it is written here, and what its reader has no use for, such as the exceptions from our own lints, is not there.

#![expect(clippy::disallowed_methods, reason = "a program of somebody else, who has no config module")]

include!("../../docs/verify/snippets/rust.rs");
