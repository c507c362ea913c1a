//! A table whose queries read only the rows that they return, like DynamoDB's: dynoxide, with SQLite in memory.
//!
//! The local AWS sorts a whole partition for each query while all others wait, so a query takes longer the more rows
//! there are, even if they are not part of the answer. With some thousand rows and several functions that read them, it
//! answers nobody for minutes.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::local_aws::free_port;
use harness::run_directory::tail;
use harness::supervised::Supervised;
use harness::{Deployment, Failure, Result, checkout};

use crate::{empty_table, function};

const STARTING: Duration = Duration::from_secs(30);

/// Replaces a deployment's table for some functions. Dropping it ends the server.
#[derive(Debug)]
pub struct IndexedTable {
    deployment: Deployment,
    functions: Vec<String>,
    log: PathBuf,
    process: Supervised,
}

impl IndexedTable {
    /// For the functions that make pages and their statistics.
    pub async fn of_pages(deployment: &Deployment) -> Result<Self> {
        Self::replace(deployment, &[]).await
    }

    /// For all functions.
    pub async fn of_all(deployment: &Deployment) -> Result<Self> {
        let outputs = &deployment.outputs;
        Self::replace(deployment, &[&outputs.fanout_function_name, &outputs.deliver_function_name]).await
    }

    /// Creates an empty table with the keys and indexes of the deployment's own, and makes the functions of pages and `others`
    /// use it.
    async fn replace(deployment: &Deployment, others: &[&str]) -> Result<Self> {
        let outputs = &deployment.outputs;
        let of_pages = [
            outputs.api_function_name.as_str(),
            &outputs.authorizer_function_name,
            &outputs.portal_function_name,
            &outputs.redrive_function_name,
        ];
        let functions = of_pages.iter().chain(others).map(|&function| function.to_owned()).collect();
        let port = free_port()?.to_string();
        let log = checkout::run_directory(deployment.port).join("dynoxide.log");
        let output = std::fs::File::create(&log).or_failure(|| format!("cannot write {}", log.display()))?;
        let errors = output.try_clone().or_failure(|| "cannot share a log file")?;
        let process = Supervised::start(&checkout::tool("dynoxide", "dynoxide")?, |command| {
            command.env_clear().args(["serve", "--host", "127.0.0.1", "--port", &port]);
            command.stdin(Stdio::null()).stdout(output).stderr(errors);
        })?;
        let with_table = deployment.clone().with_table_at(format!("http://127.0.0.1:{port}"));
        let mut table = Self { deployment: with_table, functions, log, process };
        table.create(deployment).await?;
        for function in &table.functions {
            function::set_variable(deployment, function, function::TABLE, Some(&table.url())).await?;
        }
        Ok(table)
    }

    /// Makes those functions use the deployment's own table again.
    pub async fn put_back(&self) -> Result<()> {
        for function in &self.functions {
            function::set_variable(&self.deployment, function, function::TABLE, None).await?;
        }
        Ok(())
    }

    /// The address of the table.
    pub fn url(&self) -> String {
        self.deployment.table_url()
    }

    /// The deployment with this table instead of its own.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    async fn create(&mut self, like: &Deployment) -> Result<()> {
        let create = empty_table::request(like, &self.deployment.dynamodb(), &like.outputs.table_name).await?;
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
