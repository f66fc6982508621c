//! Peak memory of processes, as Linux counts it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

const MIB: f64 = 1024.0;

const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// The most resident memory that the process has had (`VmHWM`), in MiB.
pub fn peak_rss_mib(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}: peak memory is measured on Linux only"))?;
    let kib = field(&status, "VmHWM:").and_then(|value| value.trim_end_matches(" kB").parse::<f64>().ok());
    kib.map(|kib| kib / MIB).with_context(|| format!("{path} tells no VmHWM"))
}

/// The same of a process that somebody else waits for, looked at until it has ended.
pub fn peak_until_exit(pid: u32) -> Result<f64> {
    let mut peak = Err(anyhow!("process {pid} ended before its memory was looked at"));
    // A process that has ended has no VmHWM any more.
    while let Ok(mib) = peak_rss_mib(pid) {
        peak = Ok(mib);
        std::thread::sleep(BETWEEN_LOOKS);
    }
    peak
}

/// Lets the peak of this process begin anew.
pub fn reset_own_peak() -> Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("the peak of this process's memory cannot be reset")
}

/// A process of a group, by the name of its executable.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    pub name: String,
    pub peak_mib: f64,
}

/// The processes that a group has now.
pub fn group_peaks(group: u32) -> Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may end while it is looked at.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // `pid (name) state parent group ...`, where the name may hold anything.
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        if rest.split(' ').nth(2) != Some(group.to_string().as_str()) {
            continue;
        }
        let (Ok(name), Ok(peak_mib)) = (fs::read_to_string(format!("/proc/{pid}/comm")), peak_rss_mib(pid)) else { continue };
        found.push(Process { name: name.trim().to_owned(), peak_mib });
    }
    Ok(found)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}
