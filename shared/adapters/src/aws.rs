//! The SDK clients, built once per cold start over one TLS stack, and the classification of their errors.
//!
//! The SDK's own loader of configurations is not used: it can also ask for credentials in files, at other services and of
//! other programs, none of which is so on Lambda, and all of it would be in each program.
//!
//! Invariant: a call that is not answered is repeated after 1.5 s and fails within 4.5 s, which is less than the time
//! limit of any function (tests: `a_call_that_is_never_answered_is_made_again_and_fails_in_time`).
//!
//! Invariant: an error is permanent only if the content of the request caused it (tests:
//! `only_what_is_refused_for_what_it_is_fails_for_good`).

use std::time::Duration;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, IdentityCache, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use ports::PortError;

/// The shared configuration of all AWS clients, from which a client is cheap to make.
#[derive(Debug)]
pub struct AwsClients {
    config: SdkConfig,
}

/// The time limit of one attempt of a call, from the look-up of the service's name to the end of its answer. Calls
/// usually take milliseconds; the longest ones, of 1 MiB, take a few hundred.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_500);
/// The time limit of a call with all its attempts. The function with the shortest time limit, `authorizer`, may run for
/// 5 s.
const OPERATION_TIMEOUT: Duration = Duration::from_millis(4_500);
/// The same for an emulator of AWS: on a busy machine it takes seconds for what AWS does in milliseconds, and repeated
/// calls would only make it slower.
const EMULATED_TIMEOUT: Duration = Duration::from_secs(10);

impl AwsClients {
    /// Region, credentials and endpoints come from the environment that Lambda sets. What is missing fails the calls.
    pub fn from_env() -> Self {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).http_client(http);
        config.set_region(variable("AWS_REGION").map(Region::new));
        if let (Some(id), Some(key)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            // They are valid for as long as the process lives.
            let credentials = Credentials::new(id, key, variable("AWS_SESSION_TOKEN"), None, "environment");
            config.set_credentials_provider(Some(SharedCredentialsProvider::new(credentials)));
        }
        // On AWS nobody sets `AWS_ENDPOINT_URL`.
        config.set_endpoint_url(variable("AWS_ENDPOINT_URL"));
        let config = config.service_config(Environment).build();
        match config.endpoint_url() {
            None => Self::from_config(config),
            Some(_) => Self::timed(config, EMULATED_TIMEOUT, EMULATED_TIMEOUT),
        }
    }

    /// The clients of this configuration, with our time-outs.
    pub fn from_config(config: SdkConfig) -> Self {
        Self::timed(config, ATTEMPT_TIMEOUT, OPERATION_TIMEOUT)
    }

    fn timed(config: SdkConfig, attempt: Duration, operation: Duration) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(operation).build();
        let config = config.into_builder().timeout_config(timeouts);
        // An attempt that stalls is over with its time. Credentials that never change need no cache.
        let config = config.stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        Self { config: config.identity_cache(IdentityCache::no_cache()).build() }
    }

    pub(super) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    pub(super) fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.config)
    }

    pub(super) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    pub(super) fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.config)
    }
}

/// Settings of one service, such as `AWS_ENDPOINT_URL_DYNAMODB`.
#[derive(Debug)]
struct Environment;

impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        variable(&name_of_one(&key))
    }
}

/// The name of a variable for one service, which every SDK of AWS makes like this.
fn name_of_one(key: &ServiceConfigKey<'_>) -> String {
    format!("{}_{}", key.env(), key.service_id().to_uppercase().replace(' ', "_"))
}

#[expect(clippy::disallowed_methods, reason = "the variables are the SDK's, and none of ours")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The errors by which a service refuses the content of a request, so that it would refuse it again. Everything else
/// can be fixed without changing the request: denied access, expired credentials, a table, queue or key that is missing
/// or disabled, throttling.
const REFUSED_FOR_GOOD: [&str; 19] = [
    // DynamoDB
    "ConditionalCheckFailedException",
    "IdempotentParameterMismatchException",
    "ItemCollectionSizeLimitExceededException",
    "SerializationException",
    "ValidationException",
    // SQS
    "BatchEntryIdsNotDistinct",
    "BatchRequestTooLong",
    "EmptyBatchRequest",
    "InvalidBatchEntryId",
    "InvalidMessageContents",
    "MessageNotInflight",
    "ReceiptHandleIsInvalid",
    "TooManyEntriesInBatchRequest",
    // SNS
    "InvalidParameter",
    "InvalidParameterException",
    // SQS and SNS
    "InvalidParameterValue",
    // KMS
    "IncorrectKeyException",
    "InvalidCiphertextException",
    "InvalidKeyUsageException",
];

/// Classifies an SDK error: it is permanent if the service refuses the content of the request; everything else may work
/// next time.
pub(super) fn port_error<E>(doing: &'static str, error: SdkError<E, HttpResponse>) -> PortError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let refused = match &error {
        // SQS prefixes some codes with the name of the service, such as `AWS.SimpleQueueService.BatchRequestTooLong`.
        SdkError::ServiceError(service) => {
            let code = service.err().code().and_then(|code| code.rsplit(['.', '#']).next());
            code.is_some_and(|code| REFUSED_FOR_GOOD.contains(&code))
        }
        SdkError::ConstructionFailure(_) => true,
        _ => false,
    };
    if refused { PortError::permanent(doing, error) } else { PortError::transient(doing, error) }
}

/// A request that the SDK refuses to build, which is a bug in our code.
pub(super) fn build_error(error: aws_sdk_dynamodb::error::BuildError) -> PortError {
    PortError::permanent("building a request", error)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use aws_sdk_dynamodb::error::ErrorMetadata;
    use aws_sdk_dynamodb::operation::get_item::GetItemError;
    use tokio::time::Instant;

    use super::*;

    /// Clients of a service that accepts connections and never answers.
    fn clients(silent: &TcpListener) -> AwsClients {
        let credentials = Credentials::new("key", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(format!("http://{}", silent.local_addr().expect("an address")))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(Builder::new().build_http());
        AwsClients::from_config(config.build())
    }

    /// The clock is paused, and advances by itself while everything waits.
    #[track_caller]
    fn check<T: std::fmt::Debug, E>(started: Instant, result: Result<T, SdkError<E, HttpResponse>>)
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let took = started.elapsed();
        let error = port_error("calling", result.expect_err("nobody answers"));
        assert!(matches!(error, PortError::Transient { .. }), "{error:?}");
        assert!(took > ATTEMPT_TIMEOUT * 2, "made once only: {took:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }

    #[track_caller]
    fn check_code(code: &str, status: u16, permanent: bool) {
        let error = GetItemError::generic(ErrorMetadata::builder().code(code).build());
        let response = HttpResponse::new(status.try_into().expect("a status"), "".into());
        let error = port_error("calling", SdkError::service_error(error, response));
        assert_eq!(matches!(error, PortError::Permanent { .. }), permanent, "{code}");
    }

    #[test]
    fn only_what_is_refused_for_what_it_is_fails_for_good() {
        for code in [
            "ValidationException",
            "InvalidMessageContents",
            "AWS.SimpleQueueService.BatchRequestTooLong",
            "InvalidParameter",
            "InvalidCiphertextException",
        ] {
            check_code(code, 400, true);
        }
        for code in [
            "AccessDeniedException",
            "AccessDenied",
            "ExpiredTokenException",
            "ExpiredToken",
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "MissingAuthenticationTokenException",
            "ResourceNotFoundException",
            "AWS.SimpleQueueService.NonExistentQueue",
            "AuthorizationError",
            "KMSInvalidStateException",
            "DisabledException",
            "ThrottlingException",
            "ProvisionedThroughputExceededException",
            "KmsThrottled",
            "SomethingThatNobodyKnowsYet",
        ] {
            check_code(code, 400, false);
        }
        check_code("AccessDeniedException", 403, false);
        check_code("InternalServerError", 500, false);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_never_answered_is_made_again_and_fails_in_time() {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let clients = clients(&silent);
        let started = Instant::now();
        check(started, clients.dynamodb().list_tables().send().await);
        let started = Instant::now();
        check(started, clients.sqs().list_queues().send().await);
        let started = Instant::now();
        check(started, clients.kms().list_keys().send().await);
        let started = Instant::now();
        check(started, clients.sns().list_topics().send().await);
    }

    #[test]
    fn a_variable_for_one_service_has_that_services_name() {
        let key = || ServiceConfigKey::builder().env("AWS_ENDPOINT_URL").profile("endpoint_url");
        let name = |service| name_of_one(&key().service_id(service).build().expect("a key"));
        assert_eq!(
            [name("DynamoDB"), name("Secrets Manager")],
            ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SECRETS_MANAGER"]
        );
    }
}
