//! The peak memory of processes, from Linux's /proc.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

const KIB_PER_MIB: f64 = 1024.0;
const SAMPLE_INTERVAL: Duration = Duration::from_millis(2);

/// The peak resident memory of a process (`VmHWM`) in MiB.
pub fn peak_rss_mib(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}: peak memory is measured on Linux only"))?;
    let kib = field(&status, "VmHWM:").and_then(|value| value.trim_end_matches(" kB").parse::<f64>().ok());
    kib.map(|kib| kib / KIB_PER_MIB).with_context(|| format!("{path} has no VmHWM"))
}

/// Samples the peak of a process until it ends. The caller's other thread must wait for the process.
pub fn peak_until_exit(pid: u32) -> Result<f64> {
    let mut peak = Err(anyhow!("process {pid} ended before the first sample of its memory"));
    // A process that has ended has no VmHWM.
    while let Ok(mib) = peak_rss_mib(pid) {
        peak = Ok(mib);
        std::thread::sleep(SAMPLE_INTERVAL);
    }
    peak
}

/// Resets the peak of this process to its present memory.
pub fn reset_peak_of_this_process() -> Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("the peak of this process's memory cannot be reset")
}

#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// The name of the executable.
    pub name: String,
    pub peak_mib: f64,
}

/// The processes of a process group.
pub fn group_peaks(group: u32) -> Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process can end at any time.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // `pid (name) state parent group ...`; the name can contain any character.
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        if rest.split(' ').nth(2) != Some(group.to_string().as_str()) {
            continue;
        }
        let (Ok(name), Ok(peak_mib)) = (fs::read_to_string(format!("/proc/{pid}/comm")), peak_rss_mib(pid)) else { continue };
        processes.push(Process { name: name.trim().to_owned(), peak_mib });
    }
    Ok(processes)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}
