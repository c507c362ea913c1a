//! Empty tables with the keys and indexes of a deployment's table.
//!
//! No deployed function uses them. In the deployment's own table, `redrive` sends each minute what is due, so a test
//! that writes such rows and reads them again needs its own table.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{BillingMode, GlobalSecondaryIndex};
use harness::failure::OrFailure;
use harness::{Deployment, Result};

/// The request that creates such a table with this name, at the address of `client`.
pub async fn request(deployment: &Deployment, client: &Client, name: &str) -> Result<CreateTableFluentBuilder> {
    let ours = deployment.dynamodb().describe_table().table_name(&deployment.outputs.table_name).send().await;
    let ours = ours.or_failure(|| "the deployment's table cannot be described")?.table;
    let ours = ours.or_failure(|| "the deployment has no table")?;
    let indexes = ours.global_secondary_indexes().iter().map(|index| {
        let copy = GlobalSecondaryIndex::builder()
            .set_index_name(index.index_name.clone())
            .set_key_schema(index.key_schema.clone())
            .set_projection(index.projection.clone());
        copy.build().or_failure(|| "an index without a name")
    });
    let indexes = indexes.collect::<Result<Vec<_>>>()?;
    let create = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let create = create.set_attribute_definitions(ours.attribute_definitions.clone());
    Ok(create.set_key_schema(ours.key_schema.clone()).set_global_secondary_indexes(Some(indexes)))
}
