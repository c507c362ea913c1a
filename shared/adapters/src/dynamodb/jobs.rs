//! Jobs: each has a row with everything, and another row while it is pending. Each minute only the latter are read.
//!
//! A row of the account contains the ids of the pending jobs that it started itself. The transactions that start and
//! end jobs change it, so it is always correct, and two simultaneous starts cannot both take the last place. The list
//! of the account's jobs consists of notes, one for each start, sorted by time.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValue, TransactWriteItem, Update};
use domain::delivery::{Job, JobKind, JobStatus, Lease, Recovered, Replayed};
use domain::value::{AccountId, JobId, Timestamp};
use ports::{FindJob, Held, JobPlace, Jobs, ListedJob, Order, PendingJob, PortError, PortResult, StartJob};
use serde::{Deserialize, Serialize};

use super::bulk::Fields;
use super::rows::{Unreadable, key_of, read, to_attribute, to_item};
use super::stretch::Stretch;
use super::{DynamoStore, Item, Reads, as_item, keys};
use crate::aws::{build_error, port_error};

#[derive(Serialize, Deserialize)]
struct JobRow {
    id: JobId,
    #[serde(flatten)]
    kind: JobKind,
    status: JobStatus,
    done: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recovered: Option<Recovered>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replayed: Option<Replayed>,
    created_at: Timestamp,
    updated_at: Timestamp,
    starts_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
}

/// The row that exists while a job is pending. Its key contains everything that must be known about the job.
#[derive(Serialize)]
struct PendingRow {
    id: JobId,
    /// The account of the job, so that accounts can take turns; missing from older rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountId>,
}

/// How long the note of a start is kept: longer than any job.
const NOTED: Duration = Duration::from_secs(400 * 86_400);

/// Shows by its key that a job was started.
#[derive(Serialize)]
struct StartedRow {
    expires_at: u64,
}

impl StartedRow {
    fn of(job: &Job) -> Self {
        Self { expires_at: job.created_at.plus(NOTED).unix_seconds() }
    }
}

#[derive(Deserialize)]
struct StartedKey {
    sk: String,
}

impl TryFrom<StartedKey> for JobPlace {
    type Error = &'static str;

    fn try_from(row: StartedKey) -> Result<Self, &'static str> {
        keys::started_job_place(&row.sk).ok_or("it is not of a started job")
    }
}

/// Every field of a row.
const WHOLE: Fields = Fields { expression: None, state: None, consistent: true };

/// The job of a pending row.
fn pending(item: &Item) -> Option<PendingJob> {
    let key = key_of(item);
    let Some((starts_at, id)) = keys::pending_job_of(&key.sk) else {
        Unreadable::new(&key, "it is not of a pending job").tell();
        return None;
    };
    let account = item.get("account").and_then(|account| account.as_s().ok()?.parse().ok());
    Some(PendingJob { starts_at, id, account })
}

impl From<&Job> for JobRow {
    fn from(job: &Job) -> Self {
        Self {
            id: job.id.clone(),
            kind: job.kind.clone(),
            status: job.status,
            done: job.done,
            recovered: job.recovered.clone(),
            replayed: job.replayed.clone(),
            created_at: job.created_at,
            updated_at: job.updated_at,
            starts_at: job.starts_at,
            error: job.error.clone(),
            expires_at: job.expires_at().map(Timestamp::unix_seconds),
        }
    }
}

impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            status: row.status,
            done: row.done,
            recovered: row.recovered,
            replayed: row.replayed,
            created_at: row.created_at,
            updated_at: row.updated_at,
            starts_at: row.starts_at,
            error: row.error,
        }
    }
}

/// The condition under which a lease is still valid.
const HELD: &str = "lease_holder = :holder";

fn holder(lease: &Lease) -> AttributeValue {
    AttributeValue::B(lease.holder.to_vec().into())
}

fn milliseconds(moment: Timestamp) -> AttributeValue {
    AttributeValue::N(moment.unix_ms().to_string())
}

#[async_trait]
impl FindJob for DynamoStore {
    async fn find_job(&self, id: &JobId) -> PortResult<Option<Job>> {
        self.get::<JobRow, _>(keys::job(id)).await
    }
}

#[async_trait]
impl StartJob for DynamoStore {
    async fn start_job(&self, job: &Job, most: u32) -> PortResult<Option<Job>> {
        let [_, pending] = self.new_job_parts(job)?;
        let put =
            Put::builder().table_name(&self.table).set_item(Some(to_item(keys::job(&job.id), &JobRow::from(job))?));
        let put = put.condition_expression("attribute_not_exists(pk) OR #status IN (:succeeded, :failed)");
        let put = put.expression_attribute_names("#status", "status");
        let put = put.expression_attribute_values(":succeeded", AttributeValue::S("succeeded".into()));
        let put = put.expression_attribute_values(":failed", AttributeValue::S("failed".into()));
        let put = TransactWriteItem::builder().put(put.build().map_err(build_error)?).build();
        let place = JobPlace { created_at: job.created_at, id: job.id.clone() };
        let started = to_item(keys::started_job(job.kind.account(), &place), &StartedRow::of(job))?;
        let started = self.overwrite_part(started)?;
        match *self.transact(vec![put, pending, self.note_pending_part(job, most)?, started]).await? {
            [] => return Ok(Some(job.clone())),
            [2] => return Ok(None),
            _ => {}
        }
        let there = self.find_job(&job.id).await?;
        let forgotten = || PortError::transient("starting a job", "the previous job has just been deleted");
        there.ok_or_else(forgotten).map(Some)
    }

    async fn list_jobs(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&JobPlace>,
        limit: usize,
    ) -> PortResult<Vec<ListedJob>> {
        let all = [keys::STARTED_JOBS.to_owned(), format!("{}~", keys::STARTED_JOBS)];
        let all = Stretch::of_rows(Reads::Consistently, keys::account_pk(account), all, order, limit);
        let rest = Stretch { only: &["sk"], ..all }.after_row(after.map(|place| keys::started_job(account, place)));
        let places: Vec<JobPlace> = self.query_stretch::<StartedKey, _>(rest).await?;
        // A job has one row, even if it was started several times.
        let rows = places.iter().map(|place| keys::job(&place.id)).map(|key| (key.pk.clone(), key));
        let rows = rows.collect::<BTreeMap<_, _>>().into_values().collect();
        let jobs: Vec<Job> = self.get_all::<JobRow, _>(rows, WHOLE).await?;
        let mut jobs: BTreeMap<_, _> = jobs.into_iter().map(|job| ((job.created_at, job.id.clone()), job)).collect();
        let listed = places.into_iter().map(|place| {
            let job = jobs.remove(&(place.created_at, place.id.clone()));
            ListedJob { place, job }
        });
        Ok(listed.collect())
    }
}

#[async_trait]
impl Jobs for DynamoStore {
    async fn pending_jobs_after(
        &self,
        now: Timestamp,
        after: Option<&PendingJob>,
        limit: usize,
    ) -> PortResult<Vec<PendingJob>> {
        let call = self.client.query().table_name(&self.table).set_limit(i32::try_from(limit).ok());
        let call = call.key_condition_expression("pk = :pk AND sk <= :now");
        let call = call.expression_attribute_values(":pk", AttributeValue::S(keys::pending_jobs_pk()));
        let call = call.expression_attribute_values(":now", AttributeValue::S(keys::startable_until(now)));
        let after = after.map(|job| as_item(keys::pending_job(job.starts_at, &job.id)));
        let call = call.set_exclusive_start_key(after);
        let page = call.send().await.map_err(|error| port_error("listing jobs", error))?;
        Ok(page.items.unwrap_or_default().iter().filter_map(pending).collect())
    }

    async fn take_job(&self, id: &JobId, lease: &Lease, now: Timestamp) -> PortResult<Option<Job>> {
        let call = self.client.update_item().table_name(&self.table).set_key(Some(as_item(keys::job(id))));
        let call = call.update_expression("SET #status = :running, lease_holder = :holder, lease_until = :until");
        let call = call.condition_expression(
            "#status IN (:queued, :running) AND (attribute_not_exists(lease_until) OR lease_until <= :now)",
        );
        let call = call.expression_attribute_names("#status", "status");
        let call = call.expression_attribute_values(":queued", AttributeValue::S("queued".into()));
        let call = call.expression_attribute_values(":running", AttributeValue::S("running".into()));
        let call = call.expression_attribute_values(":holder", holder(lease));
        let call = call.expression_attribute_values(":until", milliseconds(lease.until));
        let call = call.expression_attribute_values(":now", milliseconds(now)).return_values(ReturnValue::AllNew);
        match call.send().await {
            Ok(taken) => taken.attributes.map(read::<JobRow, _>).transpose(),
            Err(error) if matches!(error.as_service_error(), Some(ConditionalCheckFailedException(_))) => Ok(None),
            Err(error) => Err(port_error("taking a job", error)),
        }
    }

    async fn record_progress(&self, job: &Job, lease: &Lease) -> PortResult<Held> {
        let call = self.client.update_item().table_name(&self.table).set_key(Some(as_item(keys::job(&job.id))));
        let recovered = job.recovered.as_ref().map(to_attribute).transpose()?.map(|it| (", recovered = :far", it));
        let replayed = job.replayed.as_ref().map(to_attribute).transpose()?.map(|it| (", replayed = :far", it));
        let (far, value) = recovered.or(replayed).unzip();
        let call = call.update_expression(format!(
            "SET done = :done, updated_at = :at, lease_until = :until{}",
            far.unwrap_or_default()
        ));
        let call = match value {
            None => call,
            Some(value) => call.expression_attribute_values(":far", value),
        };
        let call = call.condition_expression(HELD).expression_attribute_values(":holder", holder(lease));
        let call = call.expression_attribute_values(":done", AttributeValue::N(job.done.to_string()));
        let call = call.expression_attribute_values(":at", AttributeValue::S(job.updated_at.to_string()));
        let call = call.expression_attribute_values(":until", milliseconds(lease.until));
        match call.send().await {
            Ok(_) => Ok(Held::Held),
            Err(error) if matches!(error.as_service_error(), Some(ConditionalCheckFailedException(_))) => {
                Ok(Held::Lost)
            }
            Err(error) => Err(port_error("recording a job's progress", error)),
        }
    }

    async fn end_job(&self, job: &Job, lease: &Lease) -> PortResult<Held> {
        let ended = self.ended_job_parts(job, lease)?;
        let mut refused = self.transact([ended.clone(), vec![self.forget_pending_part(job)?]].concat()).await?;
        if refused == [ended.len()] {
            // The account was deleted in the meantime, or the job was started before accounts had such a row.
            refused = self.transact(ended).await?;
        }
        Ok(if refused.is_empty() { Held::Held } else { Held::Lost })
    }
}

impl DynamoStore {
    /// Stores a new job as pending.
    pub(super) fn new_job_parts(&self, job: &Job) -> PortResult<[TransactWriteItem; 2]> {
        let account = Some(job.kind.account().clone());
        let pending = PendingRow { id: job.id.clone(), account };
        Ok([
            self.put_part(to_item(keys::job(&job.id), &JobRow::from(job))?)?,
            self.put_part(to_item(keys::pending_job(job.starts_at, &job.id), &pending)?)?,
        ])
    }

    /// Adds the job to the account's pending ones, unless these are `most` already.
    fn note_pending_part(&self, job: &Job, most: u32) -> PortResult<TransactWriteItem> {
        let update = self.pending_update(job).update_expression("ADD pending_jobs :job");
        let update = update.condition_expression("attribute_not_exists(pending_jobs) OR size(pending_jobs) < :most");
        let update = update.expression_attribute_values(":most", AttributeValue::N(most.to_string()));
        Ok(TransactWriteItem::builder().update(update.build().map_err(build_error)?).build())
    }

    /// Removes the job from the account's pending ones, if the account has such a row.
    fn forget_pending_part(&self, job: &Job) -> PortResult<TransactWriteItem> {
        let update = self.pending_update(job).update_expression("DELETE pending_jobs :job");
        let update = update.condition_expression("attribute_exists(pk)").build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    fn pending_update(&self, job: &Job) -> UpdateBuilder {
        let key = as_item(keys::jobs_of_account(job.kind.account()));
        let update = Update::builder().table_name(&self.table).set_key(Some(key));
        update.expression_attribute_values(":job", AttributeValue::Ss(vec![job.id.to_string()]))
    }

    /// Stores a job that has ended: its row is written without a lease, and the job is no longer pending.
    pub(super) fn ended_job_parts(&self, job: &Job, lease: &Lease) -> PortResult<Vec<TransactWriteItem>> {
        let item = to_item(keys::job(&job.id), &JobRow::from(job))?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).condition_expression(HELD);
        let put = put.expression_attribute_values(":holder", holder(lease)).build().map_err(build_error)?;
        Ok(vec![
            TransactWriteItem::builder().put(put).build(),
            self.delete_part(keys::pending_job(job.starts_at, &job.id), false)?,
        ])
    }
}
