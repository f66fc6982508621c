//! The machine that measures.

use std::fs;

#[cfg(target_os = "linux")]
use anyhow::Context;
use anyhow::Result;
#[cfg(target_os = "linux")]
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use serde_json::{Value, json};

pub fn describe() -> Value {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let kib = field(&text("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse::<f64>().unwrap_or_default();
    let release = text("/etc/os-release");
    let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown");
    json!({
        "processor": field(&text("/proc/cpuinfo"), "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory_gib": (kib / 1024.0 / 1024.0).round() as u64,
        "system": format!("{}, Linux {}, {}", system.trim_matches('"'), version(&text("/proc/sys/kernel/osrelease")), std::env::consts::ARCH),
    })
}

/// Pins this thread, and all threads and processes that it starts, to the first processor that it may use.
#[cfg(target_os = "linux")]
pub fn pin_to_one_processor() -> Result<()> {
    const THIS_THREAD: Pid = Pid::from_raw(0);
    let allowed = sched_getaffinity(THIS_THREAD)?;
    let first = (0..CpuSet::count()).find(|processor| allowed.is_set(*processor) == Ok(true)).context("no processor to run on")?;
    let mut only = CpuSet::new();
    only.set(first)?;
    sched_setaffinity(THIS_THREAD, &only).context("cannot pin the thread to one processor")
}

/// The benchmark runs only on Linux, but its package builds on other systems too.
#[cfg(not(target_os = "linux"))]
pub fn pin_to_one_processor() -> Result<()> {
    anyhow::bail!("pinning a thread to one processor needs Linux")
}

/// The version without the distribution's suffix.
fn version(release: &str) -> &str {
    release.trim().split('-').next().unwrap_or_default()
}
