//! What the figures were measured on.

use std::fs;

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

/// What comes after the number is a distribution's or a provider's own name for its build.
fn version(release: &str) -> &str {
    release.trim().split('-').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_is_told_by_its_number() {
        assert_eq!(super::version("6.1.0-28-amd64\n"), "6.1.0");
        assert_eq!(super::version("6.18.44\n"), "6.18.44");
    }
}
