//! What processes there are, and waiting for conditions.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The processes of a process group that still run. One that has ended and that nobody has waited for does not count.
pub fn running_in_group(group: u32) -> Vec<u32> {
    processes().into_iter().filter(|process| process.group == group && !process.ended).map(|process| process.id).collect()
}

/// The process groups that a process leads its children in.
pub fn groups_of_children(parent: u32) -> Vec<u32> {
    processes().into_iter().filter(|process| process.parent == parent && process.group == process.id).map(|process| process.id).collect()
}

/// The variables of a process's environment, where the system shows them: Linux does.
pub fn environment(process: u32) -> Option<Vec<String>> {
    let environment = fs::read(format!("/proc/{process}/environ")).ok()?;
    Some(String::from_utf8(environment).unwrap().split_terminator('\0').map(str::to_owned).collect())
}

struct Process {
    id: u32,
    parent: u32,
    group: u32,
    ended: bool,
}

fn processes() -> Vec<Process> {
    // A small machine has no `ps`, and not every machine has /proc.
    let lines = if Path::new("/proc/self/stat").exists() { from_proc() } else { from_ps() };
    lines.iter().filter_map(|line| parse(line)).collect()
}

/// `<id> <state> <parent> <group>`, in the order of /proc. `None` of a process that ended while its line was made: its group is -1.
fn parse(line: &str) -> Option<Process> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let number = |index: usize| fields[index].parse::<i32>().unwrap_or_else(|error| panic!("{error} in {line}"));
    let [id, parent, group] = [0, 2, 3].map(|index| u32::try_from(number(index)).ok());
    Some(Process { id: id?, ended: fields[1].starts_with('Z'), parent: parent?, group: group? })
}

fn from_proc() -> Vec<String> {
    fs::read_dir("/proc")
        .unwrap()
        // One that ends meanwhile has no file to read any more.
        .filter_map(|entry| fs::read_to_string(entry.unwrap().path().join("stat")).ok())
        .filter_map(|stat| {
            // `<id> (<name, with anything in it>) <state> <parent> <group> ...`
            let id = stat.split(' ').next()?;
            let (_, rest) = stat.rsplit_once(") ")?;
            Some(format!("{id} {rest}"))
        })
        // /proc/stat itself.
        .filter(|line| line.split(' ').next().is_some_and(|id| id.parse::<u32>().is_ok()))
        .collect()
}

fn from_ps() -> Vec<String> {
    let output = Command::new("ps").args(["-A", "-o", "pid=,state=,ppid=,pgid="]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Polls until the condition holds.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
