//! What a machine lacks that does not start a browser: memory, space, processes, or a browser that still runs. For a failure's text.

use std::fs;
use std::process::Command;

use crate::checkout;

const NUMBERS: [&str; 6] = [
    "/proc/loadavg",
    "/proc/sys/fs/file-nr",
    "/sys/fs/cgroup/pids.current",
    "/sys/fs/cgroup/pids.max",
    "/sys/fs/cgroup/memory.current",
    "/sys/fs/cgroup/memory.max",
];

/// As far as it can be told: lines that begin with what they are about.
pub(super) fn circumstances() -> String {
    let mut lines = Vec::new();
    for path in NUMBERS {
        lines.extend(fs::read_to_string(path).map(|text| format!("{path}: {}", text.trim())));
    }
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    lines.extend(memory.lines().filter(|line| line.starts_with("Mem")).map(str::to_owned));
    let root = checkout::root().display().to_string();
    lines.push(said("df", &["-h", &root, "/tmp", "/dev/shm"]));
    let processes = said("ps", &["-eo", "pid,ppid,stat,etimes,nlwp,wchan:20,args"]);
    let browsers = processes.lines().filter(|line| line.contains("chrom")).map(|line| line.chars().take(150).collect());
    lines.push(format!("processes: {}; those of browsers:", processes.lines().count()));
    lines.extend(browsers);
    lines.join("\n")
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |error| format!("{program}: {error}"),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}
