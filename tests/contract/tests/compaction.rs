//! The compaction's SQL against the view whose rows it writes.

use contract::{
    athena::view,
    read_json,
    state_machine::{COMPACT_LOGS, state},
};

fn words(sql: &str) -> String {
    sql.lines().filter(|line| !line.trim_start().starts_with("--")).flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// The workflow knows which task counts, and so needs no join; every value of a row is made as the view makes it.
#[test]
fn the_compaction_makes_rows_as_the_view_does() {
    let lines =
        state(&read_json(COMPACT_LOGS), "PrepareLogGroup").fields["Assign"]["lines"].as_str().expect("an expression").replace('\\', "");
    let view = words(&view("logs"));
    let (values, source) = view.split_once(" FROM ( SELECT ").expect("the lines are numbered in a subquery");
    let (numbered, _) = source.split_once(" FROM log_lines ").expect("of log_lines");
    // The task is the one that the listing named, the partition columns are the partition's.
    let values = values
        .strip_prefix("SELECT manifest.task_id, ")
        .and_then(|values| values.split_once(", numbered.log_group"))
        .expect("the columns")
        .0;
    let numbered = numbered.strip_suffix(", log_group, year, month").expect("the partition columns");
    for part in [values, numbered] {
        assert!(lines.contains(part), "the compaction does not say {part}");
    }
}
