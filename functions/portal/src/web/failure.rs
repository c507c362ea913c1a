//! The reasons why a page cannot be shown, and the message that tells the visitor.

use api::Spent;
use axum::Extension;
use axum::response::{IntoResponse, Response};
use domain::access::Permission;
use domain::value::AccountId;
use http::{HeaderValue, StatusCode, header};
use ports::PortError;
use runtime::telemetry::ErrorChain;
use tracing::error;

use crate::markup::message::message;
use crate::web::problem::Problem;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody is signed in, or the session has ended.
    #[error("there is no session")]
    NoSession,
    /// The role of the session does not allow this.
    #[error("the role of the session does not allow this")]
    NotAllowed(Permission),
    /// The form is from a page of another account. The session is now of the account given here.
    #[error("the form belongs to another account than {0}")]
    OtherAccount(AccountId),
    #[error("the form names no account")]
    NoSender,
    /// The account has spent its budget.
    #[error("the account has spent its budget")]
    Spent(Spent),
    #[error("{}", .0.detail)]
    Problem(Problem),
    #[error("the path for the API is invalid")]
    NoSuchPath(#[source] http::Error),
    #[error("the API's answer was incomplete")]
    Cut(#[source] axum::Error),
    #[error("the API's answer has an unknown form")]
    Unreadable(#[source] serde_json::Error),
    #[error("a page could not be rendered")]
    Unrendered(#[from] askama::Error),
    #[error("the session could not be looked up")]
    Port(#[from] PortError),
}

impl Failure {
    /// Returns the API's problem if that is the reason, and `Err` with the failure itself otherwise.
    pub fn problem(self) -> Result<Problem, Failure> {
        match self {
            Failure::Problem(problem) => Ok(problem),
            other => Err(other),
        }
    }
}

/// Marks a response to a visitor who is not signed in. The middleware in `around` puts a page in its place.
#[derive(Debug, Clone, Copy)]
pub struct NobodySignedIn;

fn not_allowed(needed: Permission) -> (StatusCode, &'static str, String) {
    let who = if needed == Permission::RotateSecrets { "an admin" } else { "an editor or an admin" };
    let detail = format!(
        "Only {who} may do this, and your link is for another role. Ask for a link with that role where you got yours."
    );
    (StatusCode::FORBIDDEN, "You may not do this", detail)
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, title, detail) = match &self {
            Failure::NoSession => return (StatusCode::UNAUTHORIZED, Extension(NobodySignedIn)).into_response(),
            Failure::NotAllowed(needed) => not_allowed(*needed),
            // The API's own detail is about keys, which visitors do not have. What needs an admin was refused before.
            Failure::Problem(problem) if problem.code == "forbidden" => not_allowed(Permission::Configure),
            Failure::OtherAccount(account) => (
                StatusCode::CONFLICT,
                "This page belongs to another account",
                format!(
                    "Since you opened it, this browser was signed in to the account “{account}”. Nothing was done. Continue with \
                     “{account}”, or get a new link for the other account."
                ),
            ),
            Failure::NoSender => (
                StatusCode::CONFLICT,
                "This page is out of date",
                "This site was updated after you opened it. Nothing was done: open the page again, and repeat what you did."
                    .to_owned(),
            ),
            Failure::Spent(Spent { seconds }) => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                format!(
                    "This account has sent more requests than it may, on these pages or from its programs. Nothing was done. \
                     Try again in {seconds} s, and close the pages that you do not need."
                ),
            ),
            Failure::Problem(problem) => (
                problem.status(),
                match problem.status {
                    404 => "There is nothing here",
                    409 | 412 => "This could not be done",
                    400 | 422 => "This request is not valid",
                    429 => "Too many requests",
                    _ => "Something went wrong",
                },
                problem.detail.clone(),
            ),
            other => {
                error!(error = %ErrorChain(other), "a page could not be shown");
                let detail = "There was an error on our side. Try again in a minute; nothing was lost.".to_owned();
                (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", detail)
            }
        };
        let mut response = message(status, title, &detail, Some(("/", "Go to the start page")));
        if let Failure::Spent(Spent { seconds }) = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
