//! Runs the contract suites of the ports of the table and the vault on the real adapters, with the deployed key. Each
//! test has its own table, like the deployed one, because there `redrive` would send the rows that are due. The
//! in-memory fakes pass the same suites in the unit tests.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::sync::Arc;

use adapters::{AwsClients, DynamoStore, KmsVault, SystemEntropy};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::value::{AccountId, Timestamp};
use harness::Deployment;
use harness::unique::unique;
use ports::{Accounts, DestinationHealth, Destinations, FindDestination, UpdatedDestination, Waiting};
use testing::contract;
use tests::empty_table;

struct Real {
    aws: AwsClients,
    table: String,
    store: Arc<DynamoStore>,
    key: String,
    account: AccountId,
    other: AccountId,
}

async fn real() -> Real {
    let deployment = Deployment::from_env().expect("a deployment");
    let aws = AwsClients::from_config(deployment.sdk_config());
    let (client, table) = (deployment.dynamodb(), unique("contract"));
    let create = empty_table::request(&deployment, &client, &table).await.expect("a request");
    create.send().await.expect("a table");
    let store = Arc::new(DynamoStore::new(&aws, table.clone()));
    let account = |prefix| unique(prefix).parse().expect("an account");
    Real {
        aws,
        table,
        store,
        key: deployment.outputs.secrets_key_arn,
        account: account("mine"),
        other: account("theirs"),
    }
}

fn vault(real: &Real) -> KmsVault {
    KmsVault::new(&real.aws, real.key.clone(), Arc::clone(&real.store), Arc::new(SystemEntropy))
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_accounts() {
    let real = real().await;
    contract::accounts(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_awaited_runs() {
    let real = real().await;
    contract::awaited_runs(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_an_accounts_deletion() {
    let real = real().await;
    contract::deletion_of_an_account(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_jobs() {
    let real = real().await;
    contract::jobs(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_jobs_that_accounts_start() {
    let real = real().await;
    contract::started_jobs(&*real.store, &real.account).await;
    contract::limited_jobs(&*real.store, &real.other).await;
    contract::replays(&*real.store, &real.account).await;
    contract::listed_jobs(&*real.store, &unique("listed").parse().expect("an account"), &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_a_purge() {
    let real = real().await;
    contract::purge(&*real.store, &vault(&real), &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_api_keys() {
    let real = real().await;
    contract::api_keys(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_sessions() {
    let real = real().await;
    contract::sessions(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_destinations() {
    let real = real().await;
    contract::destinations(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_subscriptions() {
    let real = real().await;
    contract::subscriptions(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_transitions() {
    let real = real().await;
    contract::transitions(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_events() {
    let real = real().await;
    contract::events(&*real.store, &real.account, &real.other).await;
    contract::events_at_once(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_wide_events() {
    let real = real().await;
    contract::wide_events(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_events_that_owe_more() {
    let real = real().await;
    contract::owing_more(&*real.store, &real.account).await;
    contract::holding(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contracts_of_events_that_are_stored_compact() {
    let of_its_own = async || {
        let real = real().await;
        let store = DynamoStore::new(&real.aws, real.table.clone()).with_compact_events(true);
        (store, real.account, real.other)
    };
    let (store, account, other) = of_its_own().await;
    contract::events(&store, &account, &other).await;
    contract::events_at_once(&store, &account).await;
    let (store, account, other) = of_its_own().await;
    contract::wide_events(&store, &account, &other).await;
    contract::owing_more(&store, &account).await;
    let (store, account, other) = of_its_own().await;
    contract::listed_events(&store, &account, &other).await;
    contract::owed_in_bulk(&store, &account, &other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_deliveries() {
    let real = real().await;
    contract::deliveries(&*real.store, &real.account, &real.other).await;
    contract::deliveries_at_once(&*real.store, &real.account).await;
    contract::deliveries_in_bulk(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_the_list_of_events() {
    let real = real().await;
    contract::listed_events(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_the_list_of_deliveries() {
    let real = real().await;
    contract::listed_deliveries(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_test_places() {
    let real = real().await;
    contract::test_places(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_kept_answers_and_shows_none() {
    let real = real().await;
    contract::kept_answers(&vault(&real), &real.account, &real.other).await;
    let client = Deployment::from_env().expect("a deployment").dynamodb();
    let rows = client.scan().table_name(&real.table).send().await.expect("rows").items.unwrap_or_default();
    let kept = rows.iter().filter_map(|row| row.get("sealed")?.as_b().ok()).collect::<Vec<_>>();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|kept| !kept.as_ref().windows(4).any(|part| part == b"once")), "{kept:?}");
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_unregistered_accounts() {
    let real = real().await;
    contract::unregistered_accounts(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_rejected_events() {
    let real = real().await;
    contract::rejections(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_the_ledger_in_bulk() {
    let real = real().await;
    contract::owed_in_bulk(&*real.store, &real.account, &real.other).await;
    contract::standings(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_what_waits() {
    let real = real().await;
    contract::waiting(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_health() {
    let real = real().await;
    contract::health(&*real.store, &real.account).await;
}

/// Older releases stored the health of a destination in its row, with its entry in the index of what waits.
#[tokio::test]
async fn a_health_of_an_earlier_release_is_read_and_moves_with_its_first_change() {
    let (real, client) = (real().await, Deployment::from_env().expect("a deployment").dynamodb());
    let table = &real.table;
    real.store.create_account(&real.account, Timestamp::from_unix_ms(1)).await.expect("created");
    for resumes in [false, true] {
        let created = testing::destination(&real.account, u8::from(resumes), "https://example.com/");
        real.store.create_destination(&created, 9).await.expect("created");
        let row = || {
            let text = |text: String| AttributeValue::S(text);
            [("pk", text(format!("A#{}", real.account))), ("sk", text(format!("DST#{}", created.id)))]
        };
        let key = || Some(row().map(|(name, value)| (name.to_owned(), value)).into());
        let look_at = Timestamp::from_unix_ms(5_000);
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let number = |number: u64| AttributeValue::N(number.to_string());
        let (since, next_probe_at) = ("1970-01-01T00:00:01Z", "1970-01-01T00:00:05Z");
        let map = [
            ("state", text("failing")),
            ("since", text(since)),
            ("probes", number(2)),
            ("next_probe_at", text(next_probe_at)),
            ("failures", number(5)),
            ("version", number(7)),
        ];
        let map = AttributeValue::M(map.map(|(name, value)| (name.to_owned(), value)).into());
        let failing = serde_json::json!({
            "state": "failing", "since": since, "probes": 2, "next_probe_at": next_probe_at, "failures": 5, "version": 7
        });
        let failing: domain::destination::Health = serde_json::from_value(failing).expect("a health");
        let call = client.update_item().table_name(table).set_key(key());
        let call = call.update_expression("SET health = :health, gsi2pk = :pk, gsi2sk = :sk");
        let call = call.expression_attribute_values(":health", map);
        let call = call.expression_attribute_values(":pk", AttributeValue::S("WATCH".into()));
        let call = call.expression_attribute_values(":sk", AttributeValue::S("000000000005000".into()));
        call.send().await.expect("written");

        let watched = async || {
            let all = real.store.watched_destinations(look_at, None, 10_000).await.expect("a list");
            all.iter().filter(|one| (&one.account, &one.id) == (&real.account, &created.id)).count()
        };
        let find = async || real.store.find_destination(&real.account, &created.id).await.expect("an answer");
        let known = created.with_health(failing);
        assert_eq!((find().await.as_ref(), watched().await), (Some(&known), 1));
        let paused = known.paused(look_at).expect("a change");
        let answer = real.store.update_destination(&known, &paused).await.expect("an answer");
        assert_eq!((answer, find().await.as_ref()), (UpdatedDestination::Updated, Some(&paused)));
        let stale = known.with_health(known.health.confirmed());
        assert!(!real.store.update_health(&stale, &stale.health.confirmed()).await.expect("an answer"));

        let after = if resumes {
            let resumed = paused.resumed(look_at).expect("a change");
            let answer = real.store.update_destination(&paused, &resumed).await.expect("an answer");
            assert_eq!(answer, UpdatedDestination::Updated);
            resumed
        } else {
            assert!(real.store.update_health(&paused, &paused.health.confirmed()).await.expect("an answer"));
            paused.with_health(paused.health.confirmed())
        };
        assert!(!real.store.update_health(&paused, &paused.health.confirmed()).await.expect("an answer"));
        assert_eq!((find().await.as_ref(), watched().await), (Some(&after), usize::from(resumes)));
        let stored = client.get_item().table_name(table).set_key(key()).consistent_read(true).send().await;
        let stored = stored.expect("an answer").item.expect("the row");
        assert!(["health", "gsi2pk", "gsi2sk"].iter().all(|name| !stored.contains_key(*name)), "{stored:?}");
    }
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_the_audit() {
    let real = real().await;
    contract::audit(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_paces() {
    let real = real().await;
    contract::paces(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_budgets() {
    let real = real().await;
    contract::budgets(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_roll_ups() {
    let real = real().await;
    contract::roll_ups(&*real.store, &real.account, &real.other).await;
    contract::results(&*real.store, &real.account, &real.other).await;
    contract::rolled_up_to(&*real.store, &real.account).await;
}

#[tokio::test]
async fn the_table_keeps_the_contract_of_seen_scopes() {
    let real = real().await;
    contract::seen_scopes(&*real.store, &real.account, &real.other).await;
}

#[tokio::test]
async fn the_vault_keeps_its_contract_in_every_container() {
    let real = real().await;
    let vault = || vault(&real);
    contract::vault(&vault(), &real.account, &real.other).await;
    // One container can open what another one sealed: the data key comes from the table.
    use domain::attempt::SigningSecret;
    use domain::value::DestinationId;
    use ports::Vault;
    let (destination, secret) = (DestinationId::from_entropy([3; 10]), SigningSecret::from_entropy([4; 32]));
    let sealed = vault().seal(&real.account, &destination, &secret).await.expect("sealed");
    let opened = vault().open(&real.account, &destination, &sealed).await.expect("opened");
    assert_eq!(opened.key(), secret.key());
}
