//! The response to a setup, step by step.

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
#[schema(as = SetupStep, discriminator(property_name = "step", mapping(
    ("destination" = "#/components/schemas/DestinationStep"),
    ("subscription" = "#/components/schemas/SubscriptionStep"),
    ("test" = "#/components/schemas/TestStep")
)))]
#[serde(untagged)]
pub enum Step {
    Destination(Box<DestinationStep>),
    Subscription(Box<SubscriptionStep>),
    Test(Box<TestStep>),
}

/// The destination. If it was created, it has its `secret`, which is shown only this once.
#[derive(Serialize, ToSchema)]
pub struct DestinationStep {
    #[schema(inline)]
    pub step: DestinationName,
    pub status: DestinationStatus,
    #[serde(flatten)]
    pub destination: DestinationView,
}

/// Whether the destination existed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DestinationStatus {
    Created,
    Used,
}

/// The subscription that was created.
#[derive(Serialize, ToSchema)]
pub struct SubscriptionStep {
    #[schema(inline)]
    pub step: SubscriptionName,
    #[schema(inline)]
    pub status: Created,
    #[serde(flatten)]
    pub subscription: SubscriptionView,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DestinationName {
    Destination,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionName {
    Subscription,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Created {
    Created,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TestName {
    Test,
}

/// The test: its `result`, or the `reason` why it was not made.
#[derive(Serialize, ToSchema)]
pub struct TestStep {
    #[schema(inline)]
    step: TestName,
    status: TestStatus,
    /// Why no test was made; `null` if one was made.
    #[schema(required)]
    reason: Option<String>,
    /// The result of the test; `null` if none was made.
    #[schema(required)]
    result: Option<Box<TestView>>,
}

/// `passed`: the receiver accepted the sample, and with `prove` refused every forged request. `skipped`: no test was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SetupTestStatus)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    Passed,
    Failed,
    Skipped,
}

impl TestStep {
    pub fn not_made(status: TestStatus, reason: &str) -> Self {
        Self { step: TestName::Test, status, reason: Some(reason.to_owned()), result: None }
    }

    /// The step of a test that was made, or failed on our side. In both cases, what was set up stays, and can be tested
    /// again.
    pub fn made(test: Result<TestView, Problem>) -> Self {
        match test {
            Err(problem) => Self::not_made(TestStatus::Failed, problem.detail()),
            Ok(test) => {
                let status = if test.passed() { TestStatus::Passed } else { TestStatus::Failed };
                Self { step: TestName::Test, status, reason: None, result: Some(Box::new(test)) }
            }
        }
    }
}
