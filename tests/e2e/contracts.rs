//! Runs the contract suites of the table's and the vault's ports on the real adapters, with the deployed table and key.
//! The in-memory fakes pass the same suites in the unit tests.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::sync::Arc;

use adapters::{AwsClients, DynamoStore, KmsVault, SystemEntropy};
use domain::value::AccountId;
use harness::Deployment;
use harness::unique::unique;
use testing::contract;

struct Real {
    aws: AwsClients,
    store: Arc<DynamoStore>,
    key: String,
    account: AccountId,
    other: AccountId,
}

fn real() -> Real {
    let deployment = Deployment::from_env().expect("a deployment");
    let aws = AwsClients::from_config(deployment.sdk_config());
    let store = Arc::new(DynamoStore::new(&aws, deployment.outputs.table_name.clone()));
    let account = |prefix| unique(prefix).parse().expect("an account");
    Real { aws, store, key: deployment.outputs.secrets_key_arn, account: account("mine"), other: account("theirs") }
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_accounts() {
    let real = real();
    contract::accounts(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_awaited_runs() {
    let real = real();
    contract::awaited_runs(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_an_accounts_deletion() {
    let real = real();
    contract::deletion_of_an_account(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_jobs() {
    let real = real();
    contract::jobs(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_jobs_that_accounts_start() {
    let real = real();
    contract::started_jobs(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_a_purge() {
    let real = real();
    contract::purge(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_api_keys() {
    let real = real();
    contract::api_keys(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_sessions() {
    let real = real();
    contract::sessions(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_destinations() {
    let real = real();
    contract::destinations(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_subscriptions() {
    let real = real();
    contract::subscriptions(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_transitions() {
    let real = real();
    contract::transitions(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_events() {
    let real = real();
    contract::events(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_events_that_owe_more() {
    let real = real();
    contract::owing_more(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_deliveries() {
    let real = real();
    contract::deliveries(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_the_list_of_events() {
    let real = real();
    contract::listed_events(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_the_list_of_deliveries() {
    let real = real();
    contract::listed_deliveries(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_rejected_events() {
    let real = real();
    contract::rejections(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_the_ledger_in_bulk() {
    let real = real();
    contract::owed_in_bulk(&*real.store, &real.account, &real.other).await;
    contract::standings(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_what_waits() {
    let real = real();
    contract::waiting(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_health() {
    let real = real();
    contract::health(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_the_audit() {
    let real = real();
    contract::audit(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_paces() {
    let real = real();
    contract::paces(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_roll_ups() {
    let real = real();
    contract::roll_ups(&*real.store, &real.account, &real.other).await;
    contract::results(&*real.store, &real.account, &real.other).await;
    contract::rolled_up_to(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_seen_scopes() {
    let real = real();
    contract::seen_scopes(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_vault_keeps_its_contract_in_every_container() {
    let real = real();
    let vault = || KmsVault::new(&real.aws, real.key.clone(), Arc::clone(&real.store), Arc::new(SystemEntropy));
    contract::vault(&vault(), &real.account, &real.other).await;
    // What one container sealed, another opens: the data key comes from the table.
    use domain::attempt::SigningSecret;
    use domain::value::DestinationId;
    use ports::Vault;
    let (destination, secret) = (DestinationId::from_entropy([3; 10]), SigningSecret::from_entropy([4; 32]));
    let sealed = vault().seal(&real.account, &destination, &secret).await.expect("sealed");
    let opened = vault().open(&real.account, &destination, &sealed).await.expect("opened");
    assert_eq!(opened.key(), secret.key());
}
