//! A table whose queries read no more rows than they return, like DynamoDB's: dynoxide, with SQLite in memory.
//!
//! The local AWS sorts a whole partition for each query, so its times grow with rows that are not part of the answer.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use adapters::{AwsClients, DynamoStore};
use aws_config::SdkConfig;
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::local_aws::free_port;
use harness::run_directory::tail;
use harness::supervised::Supervised;
use harness::{Deployment, Failure, Result, checkout};
use tests::{empty_table, function};

const ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";
const STARTING: Duration = Duration::from_secs(30);

/// Replaces a deployment's table for some functions. Dropping it ends the server.
pub(crate) struct IndexedTable<'d> {
    deployment: &'d Deployment,
    functions: Vec<&'d str>,
    url: String,
    log: PathBuf,
    process: Supervised,
}

impl<'d> IndexedTable<'d> {
    /// For the functions that make pages and their statistics.
    pub(crate) async fn of_pages(deployment: &'d Deployment) -> Result<Self> {
        Self::replace(deployment, &[]).await
    }

    /// For all functions.
    pub(crate) async fn of_all(deployment: &'d Deployment) -> Result<Self> {
        let outputs = &deployment.outputs;
        Self::replace(deployment, &[&outputs.fanout_function_name, &outputs.deliver_function_name]).await
    }

    /// Creates an empty table with the keys and indexes of the deployment's own, and makes the functions of pages and `others`
    /// use it.
    async fn replace(deployment: &'d Deployment, others: &[&'d str]) -> Result<Self> {
        let outputs = &deployment.outputs;
        let of_pages = [
            outputs.api_function_name.as_str(),
            &outputs.authorizer_function_name,
            &outputs.portal_function_name,
            &outputs.redrive_function_name,
        ];
        let functions = of_pages.iter().chain(others).copied().collect();
        let port = free_port()?.to_string();
        let log = checkout::run_directory(deployment.port).join("dynoxide.log");
        let output = std::fs::File::create(&log).or_failure(|| format!("cannot write {}", log.display()))?;
        let errors = output.try_clone().or_failure(|| "cannot share a log file")?;
        let process = Supervised::start(&checkout::built_tool("dynoxide")?, |command| {
            command.env_clear().args(["serve", "--host", "127.0.0.1", "--port", &port]);
            command.stdin(Stdio::null()).stdout(output).stderr(errors);
        })?;
        let mut table = Self { deployment, functions, url: format!("http://127.0.0.1:{port}"), log, process };
        table.create().await?;
        for function in &table.functions {
            function::set_variable(deployment, function, ENDPOINT, Some(&table.url)).await?;
        }
        Ok(table)
    }

    /// Makes those functions use the deployment's own table again.
    pub(crate) async fn put_back(self) -> Result<()> {
        for function in &self.functions {
            function::set_variable(self.deployment, function, ENDPOINT, None).await?;
        }
        Ok(())
    }

    pub(crate) fn store(&self) -> DynamoStore {
        DynamoStore::new(&AwsClients::from_config(self.config()), self.deployment.outputs.table_name.clone())
    }

    fn config(&self) -> SdkConfig {
        self.deployment.sdk_config().into_builder().endpoint_url(&self.url).build()
    }

    async fn create(&mut self) -> Result<()> {
        let name = &self.deployment.outputs.table_name;
        let client = aws_sdk_dynamodb::Client::new(&self.config());
        let create = empty_table::request(self.deployment, &client, name).await?;
        eventually("a table to be created", STARTING, async || {
            if let Some(status) = self.process.ended()? {
                return Err(Failure::new(format!("dynoxide ended at once ({status}):\n{}", tail(&self.log))));
            }
            // Until it listens, connections are refused.
            Ok(create.clone().send().await.ok().map(drop))
        })
        .await
    }
}
