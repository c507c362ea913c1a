//! The processes in which the local AWS runs a function, for tests that kill one in the middle of its work. Linux only.
//!
//! Killing one deliberately says nothing to the function: it is what a host that dies looks like.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::deployment::Deployment;
use crate::failure::{OrFailure, Result};

impl Deployment {
    /// The processes of a function, by its name, such as `outputs.deliver_function_name`.
    pub fn function_processes(&self, function: &str) -> Result<Vec<Pid>> {
        let of_function = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
        let of_deployment = format!("GATEWAY_PORT={}", self.port);
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").or_failure(|| "cannot list the processes")? {
            let entry = entry.or_failure(|| "cannot list the processes")?;
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
                continue;
            };
            // A process that ends meanwhile, or belongs to somebody else, has no readable environment.
            let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
            let has = |variable: &str| environment.split(|byte| *byte == 0).any(|part| part == variable.as_bytes());
            if has(&of_function) && has(&of_deployment) {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// Kills one process of a function, the `pick`th if there are as many; returns whether there was one.
    pub fn kill_one_process(&self, function: &str, pick: u64) -> Result<bool> {
        let processes = self.function_processes(function)?;
        let Some(last) = u64::try_from(processes.len()).ok().and_then(|count| count.checked_sub(1)) else {
            return Ok(false);
        };
        let pick = usize::try_from(pick % (last + 1)).or_failure(|| "too many processes")?;
        Ok(kill_process(processes[pick], Signal::KILL).is_ok())
    }
}
