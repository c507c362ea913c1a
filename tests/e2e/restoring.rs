//! Runs the commands of `docs/restoring.md`: the table is damaged and restored, the key is given back, and what a
//! deleted stack has left is taken over. Each test has a local AWS of its own, because the commands change the stack.
//!
//! The local AWS restores the present rows, whatever moment it is asked for. So when the restored table is there, its
//! rows are replaced by those that the test kept at that moment.

#![expect(clippy::disallowed_methods, reason = "the moment of a restore is now")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use harness::api_client::{Customer, NewSubscription};
use harness::checkout::{self, Build};
use harness::deploy;
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::ledger::Item;
use harness::local_aws::LocalAws;
use harness::producer::fresh_sample;
use harness::receiver::{Answer, Receiver};
use harness::unique::unique;
use harness::{Deployment, Failure, Result};
use serde_json::{Value, json};
use tests::shell::{PAUSE, Shell};
use tests::{closed_ledger, function};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

const SOON: Duration = Duration::from_secs(120);
/// For the audit, the probe and the longest wait of a delivery.
const LIMIT: Duration = Duration::from_secs(400);
/// How many events happen before the moment, after it, and while everything is stopped.
const EVENTS: [(&str, usize); 3] = [("before", 3), ("after", 2), ("meanwhile", 2)];
const DESTINATIONS: [&str; 2] = ["/well", "/later"];

struct World {
    receiver: Receiver,
    customer: Customer,
}

impl World {
    /// A destination that takes everything, and one that refuses what comes first and is tried again after two minutes.
    async fn set_up(deployment: &Deployment) -> Result<Self> {
        let customer = deployment.operator()?.register(&unique("restored")).await?;
        let receiver = Receiver::start().await?;
        receiver.answer("/later", (0..3).map(|_| Answer::status(503)).chain([Answer::status(200)]));
        for path in DESTINATIONS {
            let settings = json!({"name": path, "url": receiver.url(path), "retry_policy": [130, 130]});
            let created = customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
            let text = |field: &str| created[field].as_str().unwrap_or_default().to_owned();
            receiver.expect_secret(path, &text("secret"));
            customer.subscribe(&NewSubscription::to_everything(&text("id"))).await?;
        }
        Ok(Self { receiver, customer })
    }

    async fn push(&self, deployment: &Deployment, when: &str) -> Result<()> {
        let sample = fresh_sample("demo-sync-run-succeeded", self.customer.account())?;
        let events: Vec<Value> = ids(when).map(|id| json!({"id": id})).collect();
        let events: Vec<Value> = events.iter().map(|id| merged(&sample, id)).collect();
        deployment.producer().push_all(&events).await
    }

    async fn await_ledger(&self, deployment: &Deployment, expected: &Value) -> Result<()> {
        let mut last = Value::Null;
        let closed = eventually("the ledger", LIMIT, async || {
            let _ = function::run_redrive(deployment).await;
            sleep(Duration::from_secs(2)).await;
            last = closed_ledger::read(&self.customer).await?;
            let is = |(name, value): (&String, &Value)| last[name] == *value;
            Ok(expected.as_object().is_some_and(|expected| expected.iter().all(is)).then_some(()))
        });
        closed.await.or_failure(|| format!("the ledger is {last} instead of {expected}"))
    }

    /// Every event arrived at both destinations, and every request had a valid signature.
    fn assert_arrived(&self) {
        let all: BTreeSet<String> = EVENTS.iter().flat_map(|(when, _)| ids(when)).collect();
        for path in DESTINATIONS {
            let requests = self.receiver.requests_below(path);
            assert!(requests.iter().all(|request| request.verified.is_ok()), "a signature is not valid");
            let accepted = requests.iter().filter(|request| request.answered == Some(200));
            assert_eq!(accepted.map(|request| request.event_id()).collect::<BTreeSet<_>>(), all, "at {path}");
        }
    }
}

fn ids(when: &str) -> impl Iterator<Item = String> {
    let count = EVENTS.iter().find(|(name, _)| *name == when).map_or(0, |(_, count)| *count);
    (0..count).map(move |n| format!("{when}-{n}"))
}

fn merged(sample: &Value, with: &Value) -> Value {
    let mut event = sample.clone();
    event["id"] = with["id"].clone();
    event
}

#[tokio::test]
async fn a_table_is_restored_by_the_documented_commands_and_everything_owed_arrives() -> Result<()> {
    let aws = LocalAws::start().await?;
    let deployment = deploy::deploy(&aws, Build::Optimized, &[]).await?;
    let world = World::set_up(&deployment).await?;
    world.push(&deployment, "before").await?;
    world.await_ledger(&deployment, &json!({"delivered": 3, "retrying": 3, "pending": 0})).await?;
    let moment = OffsetDateTime::now_utc().format(&Rfc3339).or_failure(|| "no time")?;
    let kept = rows_at_the_moment(&deployment).await?;
    world.push(&deployment, "after").await?;
    world.receiver.await_count("/well", 5, SOON).await?;
    damage(&deployment).await?;

    // The shell waits where the test has something to do.
    let blocks = blocks("## The table, from an earlier moment", 5)?;
    let [stop, restore, set, switch, start] = blocks.as_slice() else { return Err(Failure::new("not five steps")) };
    let moment = format!("MOMENT={moment}");
    let script = [stop.as_str(), &moment, restore, PAUSE, set, switch, PAUSE, start].join("\n");
    let shell = Shell::start(&aws, &deployment, &script)?;
    let (restored, shell) = shell.paused(0).await?;
    let answer = world.customer.get("/v1/destinations").await;
    assert!(answer.is_err() || answer.is_ok_and(|reply| reply.status >= 429), "the API goes on");
    replace_rows(&deployment, &restored, &kept).await?;
    world.push(&deployment, "meanwhile").await?;
    let (_, shell) = shell.going_on(0)?.paused(1).await?;
    // This corrects differences of the local AWS that the change of the stack has brought back.
    let deployment = deploy::changed(&aws).await?;
    assert_eq!(deployment.outputs.table_name, restored);
    shell.going_on(1)?.ended().await?;

    world.push(&deployment, "after").await?;
    let all: usize = EVENTS.iter().map(|(_, count)| count).sum();
    let expected =
        json!({"accepted": all, "owed": 2 * all, "delivered": 2 * all, "pending": 0, "retrying": 0, "closes": true});
    world.await_ledger(&deployment, &expected).await?;
    world.assert_arrived();
    assert_is_protected(&deployment).await?;
    the_key_is_given_back(&aws, &deployment).await?;
    the_stack_policy_is_set(&aws, &deployment).await
}

/// All rows but one: the outcome of a delivery that was made before the moment came after it.
async fn rows_at_the_moment(deployment: &Deployment) -> Result<Vec<Item>> {
    let mut rows = deployment.rows().await?;
    let delivered =
        rows.iter().position(|row| text(row, "state") == "delivered").or_failure(|| "nothing is delivered")?;
    rows.remove(delivered);
    Ok(rows)
}

fn text<'r>(row: &'r Item, name: &str) -> &'r str {
    row.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

/// Somebody deletes destinations, events and deliveries.
async fn damage(deployment: &Deployment) -> Result<()> {
    for row in deployment.rows().await? {
        let lost = ["E#", "D#"].iter().any(|prefix| text(&row, "pk").starts_with(prefix))
            || text(&row, "sk").starts_with("DST#");
        if lost {
            delete(deployment, &deployment.outputs.table_name, &row).await?;
        }
    }
    Ok(())
}

async fn delete(deployment: &Deployment, table: &str, row: &Item) -> Result<()> {
    let mut call = deployment.dynamodb().delete_item().table_name(table);
    for name in ["pk", "sk"] {
        call = call.key(name, AttributeValue::S(text(row, name).to_owned()));
    }
    call.send().await.or_failure(|| "cannot delete a row").map(drop)
}

async fn replace_rows(deployment: &Deployment, table: &str, rows: &[Item]) -> Result<()> {
    // A restore copies the rows, so those of the old table are the ones to remove.
    for row in deployment.rows().await? {
        delete(deployment, table, &row).await?;
    }
    for row in rows {
        let call = deployment.dynamodb().put_item().table_name(table).set_item(Some(row.clone()));
        call.send().await.or_failure(|| "cannot write a row")?;
    }
    Ok(())
}

/// The restored table has the settings that a restore leaves out.
async fn assert_is_protected(deployment: &Deployment) -> Result<()> {
    let (dynamodb, table) = (deployment.dynamodb(), &deployment.outputs.table_name);
    let expiry = dynamodb.describe_time_to_live().table_name(table).send().await.or_failure(|| "no expiry")?;
    let expiry = expiry.time_to_live_description.and_then(|expiry| expiry.attribute_name);
    assert_eq!(expiry.as_deref(), Some("expires_at"));
    let backups = dynamodb.describe_continuous_backups().table_name(table).send().await.or_failure(|| "no backups")?;
    assert!(format!("{backups:?}").contains("Enabled"), "{backups:?}");
    let described = dynamodb.describe_table().table_name(table).send().await.or_failure(|| "no table")?;
    assert_eq!(described.table.and_then(|table| table.deletion_protection_enabled), Some(true));
    Ok(())
}

async fn the_key_is_given_back(aws: &LocalAws, deployment: &Deployment) -> Result<()> {
    let lose = "aws kms schedule-key-deletion --key-id \"$(output SecretsKeyArn)\" --pending-window-in-days 30";
    let state = "aws kms describe-key --key-id \"$(output SecretsKeyArn)\" --query KeyMetadata.KeyState --output text";
    let lost = format!("{state} | grep -x PendingDeletion");
    let found = format!("{state} | grep -x Enabled");
    let blocks = blocks("## The key", 1)?;
    let script = [lose, &lost, &blocks[0], &found].join("\n");
    Shell::start(aws, deployment, &script)?.ended().await
}

/// The local AWS keeps the policy, but does not enforce it.
async fn the_stack_policy_is_set(aws: &LocalAws, deployment: &Deployment) -> Result<()> {
    let page = read(&checkout::root().join("docs/deploying.md"))?;
    let set = page.lines().find_map(|line| line.strip_prefix("$ ").filter(|line| line.contains("set-stack-policy")));
    let set = set.or_failure(|| "the page sets no stack policy")?.replace("synchub-webhooks", "\"$STACK\"");
    let get = "aws cloudformation get-stack-policy --stack-name \"$STACK\" --query StackPolicyBody --output text | grep Update:Replace";
    Shell::start(aws, deployment, &format!("{set}\n{get}"))?.ended().await
}

#[tokio::test]
async fn what_a_deleted_stack_has_left_is_taken_over_by_the_documented_commands() -> Result<()> {
    let aws = LocalAws::start().await?;
    let before = deploy::deploy(&aws, Build::Optimized, &[]).await?;
    let world = World::set_up(&before).await?;
    world.push(&before, "before").await?;
    world.receiver.await_count("/well", 3, SOON).await?;
    let names = "TABLE=$(output TableName) SECRETS_KEY=$(output SecretsKeyArn) QUEUE=$(output EventsQueueUrl)";
    let delete = "aws cloudformation delete-stack --stack-name \"$STACK\"\n\
                  aws cloudformation wait stack-delete-complete --stack-name \"$STACK\"";
    let blocks = blocks("## A deleted stack", 1)?;
    Shell::start(&aws, &before, &[names, delete, &blocks[0]].join("\n"))?.ended().await?;
    let after = deploy::deploy(&aws, Build::Optimized, &[]).await?;
    assert_eq!(after.outputs.table_name, before.outputs.table_name);
    assert_eq!(after.outputs.secrets_key_arn, before.outputs.secrets_key_arn);
    // The API has another address, and knows the keys of before.
    let customer = after.operator()?.stranger().with_key(world.customer.key());
    assert_eq!(customer.list("/v1/destinations").await?.len(), DESTINATIONS.len());
    world.push(&after, "after").await?;
    let requests = world.receiver.await_count("/well", 5, SOON).await?;
    assert!(requests.iter().all(|request| request.verified.is_ok()), "a secret was lost");
    Ok(())
}

/// The commands of a section of the page, which has `count` blocks of them.
fn blocks(section: &str, count: usize) -> Result<Vec<String>> {
    let page = read(&checkout::root().join("docs/restoring.md"))?;
    let after = page.split_once(&format!("\n{section}\n")).or_failure(|| format!("no section {section}"))?.1;
    let section_text = after.split("\n## ").next().unwrap_or_default();
    let blocks = section_text.split("\n```sh\n").skip(1);
    let blocks: Vec<_> = blocks.filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned())).collect();
    if blocks.len() != count {
        return Err(Failure::new(format!("{section} has {} blocks of commands instead of {count}", blocks.len())));
    }
    Ok(blocks)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).or_failure(|| format!("cannot read {}", path.display()))
}
