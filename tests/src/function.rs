//! What tests do with a deployed function: run it at once, change its environment, read its logs, and kill one of its
//! processes. A function is given by its name, such as `outputs.deliver_function_name`.
//!
//! A killed process gets no warning, as if its host had crashed. Processes can be found on Linux only.

use std::fs;
use std::time::Duration;

use harness::Deployment;
use harness::failure::{Failure, OrFailure, Result};
use harness::signed_http::endpoint;
use http::{Method, Request};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// The variable that tells DynamoDB's clients in a function, and no others, the address of their service.
pub const TABLE: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// Runs `redrive` as its schedule does, and waits until the run has ended.
pub async fn run_redrive(deployment: &Deployment) -> Result<()> {
    let function = &deployment.outputs.redrive_function_name;
    let path = format!("{}/2015-03-31/functions/{function}/invocations", endpoint(deployment.port));
    let request = Request::post(path).body(b"{}".to_vec()).or_failure(|| "no request for redrive")?;
    let response = deployment.http()?.send_signed("lambda", request).await?;
    if response.status().is_success() && !response.headers().contains_key("x-amz-function-error") {
        return Ok(());
    }
    let text = String::from_utf8_lossy(response.body());
    Err(Failure::new(format!("redrive answered {}: {text}", response.status())))
}

/// Sets one variable of a function's environment, or removes it, and keeps all others. Its processes are restarted.
///
/// A test that sets a variable must remove it again, however it ends.
pub async fn set_variable(deployment: &Deployment, function: &str, name: &str, value: Option<&str>) -> Result<()> {
    let mut current = configuration(deployment, Method::GET, function, Vec::new()).await?;
    let Value::Object(mut variables) = current["Environment"]["Variables"].take() else {
        return Err(Failure::new(format!("{function} has no environment: {current}")));
    };
    match value {
        Some(value) => variables.insert(name.to_owned(), json!(value)),
        None => variables.remove(name),
    };
    let change = json!({"Environment": {"Variables": variables}});
    configuration(deployment, Method::PUT, function, change.to_string().into_bytes()).await?;
    Ok(())
}

/// One variable of a function's environment; empty if it has none of that name.
pub async fn variable(deployment: &Deployment, function: &str, name: &str) -> Result<String> {
    let current = configuration(deployment, Method::GET, function, Vec::new()).await?;
    Ok(current["Environment"]["Variables"][name].as_str().unwrap_or_default().to_owned())
}

/// Sets how many instances of a function a queue may keep busy, and returns the previous number.
pub async fn set_concurrency(deployment: &Deployment, function: &str, most: u64) -> Result<u64> {
    let of_function = format!("event-source-mappings/?FunctionName={function}");
    let mapping = lambda(deployment, Method::GET, &of_function, Vec::new()).await?["EventSourceMappings"][0].take();
    let (id, before) = (mapping["UUID"].as_str(), mapping["ScalingConfig"]["MaximumConcurrency"].as_u64());
    let (Some(id), Some(before)) = (id, before) else {
        return Err(Failure::new(format!("{function} has no queue with a bound: {mapping}")));
    };
    let change = json!({"ScalingConfig": {"MaximumConcurrency": most}});
    lambda(deployment, Method::PUT, &format!("event-source-mappings/{id}"), change.to_string().into_bytes()).await?;
    Ok(before)
}

async fn configuration(deployment: &Deployment, method: Method, function: &str, body: Vec<u8>) -> Result<Value> {
    lambda(deployment, method, &format!("functions/{function}/configuration"), body).await
}

async fn lambda(deployment: &Deployment, method: Method, path: &str, body: Vec<u8>) -> Result<Value> {
    let uri = format!("{}/2015-03-31/{path}", endpoint(deployment.port));
    let request = Request::builder().method(method).uri(&uri).body(body).or_failure(|| "no request for Lambda")?;
    let response = deployment.http()?.send_signed("lambda", request).await?;
    let text = String::from_utf8_lossy(response.body());
    if response.status().is_success() {
        return serde_json::from_str(&text).or_failure(|| format!("{uri} answered no JSON: {text}"));
    }
    Err(Failure::new(format!("{uri} answered {}: {text}", response.status())))
}

/// The name of a function's role.
pub async fn role(deployment: &Deployment, function: &str) -> Result<String> {
    let current = configuration(deployment, Method::GET, function, Vec::new()).await?;
    let name = current["Role"].as_str().and_then(|arn| arn.rsplit('/').next());
    Ok(name.or_failure(|| format!("{function} has no role: {current}"))?.to_owned())
}

/// Turns the schedule of `redrive` on or off.
pub async fn set_schedule(deployment: &Deployment, on: bool) -> Result<()> {
    // It has the name of its function.
    let uri = format!("{}/schedules/{}", endpoint(deployment.port), deployment.outputs.redrive_function_name);
    let ask = async |method, body| {
        let request = Request::builder().method(method).uri(&uri).body(body).or_failure(|| "no request")?;
        let response = deployment.http()?.send_signed("scheduler", request).await?;
        let text = String::from_utf8_lossy(response.body());
        serde_json::from_str::<Value>(&text).or_failure(|| format!("{uri} answered {}: {text}", response.status()))
    };
    let mut schedule = ask(Method::GET, Vec::new()).await?;
    schedule["State"] = json!(if on { "ENABLED" } else { "DISABLED" });
    let changed = ask(Method::PUT, schedule.to_string().into_bytes()).await?;
    changed["ScheduleArn"].as_str().map(drop).or_failure(|| format!("the schedule was not changed: {changed}"))
}

/// Every line that a function has logged so far, from CloudWatch Logs.
pub async fn logs(deployment: &Deployment, function: &str) -> Result<Vec<String>> {
    logs_since(deployment, function, 0).await
}

/// The lines that a function has logged since this time, in milliseconds of Unix time.
pub async fn logs_since(deployment: &Deployment, function: &str, since: i64) -> Result<Vec<String>> {
    let (mut lines, mut next) = (Vec::new(), Value::Null);
    loop {
        let mut query = json!({"logGroupName": format!("/aws/lambda/{function}"), "startTime": since});
        if !next.is_null() {
            query["nextToken"] = next;
        }
        let request = Request::post(endpoint(deployment.port))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "Logs_20140328.FilterLogEvents")
            .body(query.to_string().into_bytes());
        let request = request.or_failure(|| "no request for the logs")?;
        let response = deployment.http()?.send_signed("logs", request).await?;
        let mut answer: Value = serde_json::from_slice(response.body()).or_failure(|| "the logs are not JSON")?;
        let Value::Array(events) = answer["events"].take() else {
            return Err(Failure::new(format!("the logs of {function}: {answer}")));
        };
        lines.extend(events.into_iter().filter_map(|event| event["message"].as_str().map(str::to_owned)));
        next = answer["nextToken"].take();
        if next.is_null() {
            return Ok(lines);
        }
    }
}

/// The processes in which the local AWS runs a function.
pub fn processes(deployment: &Deployment, function: &str) -> Result<Vec<Pid>> {
    let of_function = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    with_environment(&[of_function, of_local_aws(deployment)])
}

/// The processor time that the local AWS and the processes in which it runs functions now have used.
pub fn processor_time(deployment: &Deployment) -> Result<Duration> {
    let ticks = with_environment(&[of_local_aws(deployment)])?.into_iter().map(|process| {
        // A process that has ended in the meantime has none. After the program's name in parentheses come ten fields,
        // and then the ticks in its own code and in the kernel's.
        let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
        fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>()
    });
    Ok(Duration::from_millis(ticks.sum::<u64>() * 1_000 / rustix::param::clock_ticks_per_second()))
}

fn of_local_aws(deployment: &Deployment) -> String {
    format!("GATEWAY_PORT={}", deployment.port)
}

/// The processes whose environment has all of these variables.
fn with_environment(variables: &[String]) -> Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").or_failure(|| "cannot list the processes")? {
        let entry = entry.or_failure(|| "cannot list the processes")?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        // The environment cannot be read if the process has just ended or belongs to another user.
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        let has = |variable: &String| environment.split(|byte| *byte == 0).any(|part| part == variable.as_bytes());
        if variables.iter().all(has) {
            found.push(id);
        }
    }
    Ok(found)
}

/// The most memory that any process of a function has used, in bytes.
pub fn peak_memory(deployment: &Deployment, function: &str) -> Result<u64> {
    let mut most = 0;
    for process in processes(deployment, function)? {
        // A process that has ended in the meantime has no status.
        let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
        most = most.max(kib.unwrap_or_default() * 1_024);
    }
    Ok(most)
}

/// Kills one process of a function: the one numbered `pick` modulo their count. Returns whether there was one.
pub fn kill_one_process(deployment: &Deployment, function: &str, pick: u64) -> Result<bool> {
    let processes = processes(deployment, function)?;
    let Some(last) = u64::try_from(processes.len()).ok().and_then(|count| count.checked_sub(1)) else {
        return Ok(false);
    };
    let pick = usize::try_from(pick % (last + 1)).or_failure(|| "too many processes")?;
    Ok(kill_process(processes[pick], Signal::KILL).is_ok())
}
