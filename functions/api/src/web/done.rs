//! What a request changed, if its status alone does not show it: a successful request may have changed nothing, and a
//! request may fail after a part of its changes was made.
//!
//! Invariant: a change is logged exactly if it was made (tests:
//! `what_a_session_changes_is_logged_with_who_it_is`, `what_changes_nothing_is_not_logged_as_a_change`,
//! `what_was_changed_before_a_problem_is_logged`).

use axum::response::{IntoResponse, Response};

/// Stored in the extensions of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Nothing,
    Something,
}

impl Done {
    /// What the request changed, according to its response.
    pub fn of(response: &Response) -> Self {
        let by_status = if response.status().is_success() { Done::Something } else { Done::Nothing };
        response.extensions().get().copied().unwrap_or(by_status)
    }
}

/// The response to a request that changed nothing: a dry run, or a change that had been made before, such as by an
/// earlier request.
pub fn nothing(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.extensions_mut().insert(Done::Nothing);
    response
}

/// Applies [`nothing`] if the request changed nothing.
pub fn nothing_if(nothing_done: bool, answer: impl IntoResponse) -> Response {
    if nothing_done { nothing(answer) } else { answer.into_response() }
}
