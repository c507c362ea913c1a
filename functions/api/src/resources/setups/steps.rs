//! The answer to a setup, step by step.

use serde::Serialize;
use utoipa::ToSchema;

use crate::resources::destinations::DestinationView;
use crate::resources::destinations::test_answer::TestView;
use crate::resources::subscriptions::SubscriptionView;
use crate::web::problem::Problem;

/// What was done: the steps `destination`, `subscription` and `test`, in this order.
#[derive(Serialize, ToSchema)]
#[schema(as = Setup)]
pub struct SetupView {
    #[schema(min_items = 3, max_items = 3)]
    pub steps: [Step; 3],
}

/// A step, by its name `step`.
#[derive(Serialize, ToSchema)]
#[schema(as = SetupStep)]
#[serde(untagged)]
pub enum Step {
    Destination(Box<DestinationStep>),
    Subscription(Box<SubscriptionStep>),
    Test(Box<TestStep>),
}

/// The destination: with its `secret`, shown this once, when it was created.
#[derive(Serialize, ToSchema)]
pub struct DestinationStep {
    #[schema(pattern = "^destination$")]
    pub step: &'static str,
    pub status: DestinationStatus,
    #[serde(flatten)]
    pub destination: DestinationView,
}

/// Whether the destination was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DestinationStatus {
    Created,
    Used,
}

/// The subscription that was created.
#[derive(Serialize, ToSchema)]
pub struct SubscriptionStep {
    #[schema(pattern = "^subscription$")]
    pub step: &'static str,
    #[schema(pattern = "^created$")]
    pub status: &'static str,
    #[serde(flatten)]
    pub subscription: SubscriptionView,
}

/// The test: `detail`, or the `reason` why it was not made, says what came of it, for people.
#[derive(Serialize, ToSchema)]
pub struct TestStep {
    #[schema(pattern = "^test$")]
    pub step: &'static str,
    status: TestStatus,
    #[serde(flatten)]
    #[schema(value_type = TestResult)]
    result: TestResult,
}

/// `passed`: the receiver accepted the sample, and with `prove` refused what it must. `skipped`: no test was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SetupTestStatus)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    Passed,
    Failed,
    Skipped,
}

/// All of a test that was made; of another one, why it was not.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum TestResult {
    Made(Box<TestView>),
    NotMade(NotMade),
}

/// Why no test was made.
#[derive(Serialize, ToSchema)]
#[schema(as = TestNotMade)]
struct NotMade {
    reason: String,
}

impl TestStep {
    pub fn not_made(status: TestStatus, reason: &str) -> Self {
        Self { step: "test", status, result: TestResult::NotMade(NotMade { reason: reason.to_owned() }) }
    }

    /// The step of a test that was made, or failed on our side. What was set up stays in either case, and can be tested
    /// again.
    pub fn made(test: Result<TestView, Problem>) -> Self {
        match test {
            Err(problem) => Self::not_made(TestStatus::Failed, problem.detail()),
            Ok(test) => {
                let status = if test.passed() { TestStatus::Passed } else { TestStatus::Failed };
                Self { step: "test", status, result: TestResult::Made(Box::new(test)) }
            }
        }
    }
}
