//! What a request did, where the status of its answer does not tell: a success may have changed nothing, and a problem may
//! come after some of what was asked for was done.
//!
//! Invariant: what is logged as changed was changed, and the other way round (tests:
//! `what_a_session_changes_is_logged_with_who_it_is`, `what_changes_nothing_is_not_logged_as_a_change`,
//! `what_was_changed_before_a_problem_is_logged`).

use axum::response::{IntoResponse, Response};

/// In the extensions of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Nothing,
    Something,
}

impl Done {
    /// What was done for this answer to a request that may change something.
    pub fn of(response: &Response) -> Self {
        let by_status = if response.status().is_success() { Done::Something } else { Done::Nothing };
        response.extensions().get().copied().unwrap_or(by_status)
    }
}

/// An answer to a request that had nothing to change: a dry run, something that is so already, something that was done
/// for an earlier request.
pub fn nothing(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.extensions_mut().insert(Done::Nothing);
    response
}

/// [`nothing`], if that is what was done.
pub fn nothing_if(nothing_done: bool, answer: impl IntoResponse) -> Response {
    if nothing_done { nothing(answer) } else { answer.into_response() }
}
