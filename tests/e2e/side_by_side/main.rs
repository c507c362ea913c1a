//! What takes minutes and disturbs nobody: one waits for the end of what was let in, the other asks one request after the other, each
//! in accounts of its own. As one program they run side by side, in `make test` on a deployment beside the other tests'.

#![expect(clippy::disallowed_methods, reason = "Python needs a PATH")]

mod account_deletion;
mod api_properties;
