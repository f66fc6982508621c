//! The figures in the documents against `docs/performance.json`, which `cargo bench-all` writes.

use std::collections::BTreeMap;

use contract::{
    documents::markdown_files,
    expect_file,
    performance::{BLOCKS, FILE, blocks, fill, is_taken_by, lookup, written_figures},
    read, read_json,
};
use serde_json::Value;

const DOCUMENT: &str = "docs/performance.md";

#[test]
fn every_figure_in_the_documents_is_the_measured_one() {
    let results = read_json(FILE);
    let files = markdown_files();
    let taking: Vec<&String> = files.iter().filter(|file| is_taken_by(&read(file))).collect();
    assert!(taking.iter().any(|file| *file == DOCUMENT), "{DOCUMENT} takes no figure");
    for file in taking {
        expect_file(file, &fill(&read(file), &results));
    }
}

#[test]
fn every_block_stands_in_a_document() {
    let texts: Vec<String> = markdown_files().iter().map(|file| read(file)).collect();
    let written: Vec<&str> = texts.iter().flat_map(|text| blocks(text)).collect();
    for block in BLOCKS {
        assert!(written.contains(&block), "no document has the block {block}");
    }
}

/// Times and sizes that are not measured: limits and charges of AWS, the numbers of this project's own files, and downloads.
const NOT_MEASURED: [&str; 27] = [
    // AWS: what Athena charges at least and the workgroup's limit, what storage classes and lifecycle know, payloads, alarms' periods.
    "10 MB",
    "100 GiB",
    "40 KiB",
    "128 KiB",
    "256 KiB",
    "5 minutes",
    // The functions' memory and the bar of their zips, the plan's limit, what a log group's own logs are reckoned with.
    "128 MB",
    "3 MB",
    "248 KiB",
    "0.15 MB",
    // The workflow's waits and retries, with what they come to, and the examples and workloads of tasks.
    "2 s",
    "3 s",
    "5 s",
    "10 s",
    "20 s",
    "45 s",
    "60 s",
    "300 s",
    "2.5 minutes",
    // The stand-in: its files, bodies and longest messages.
    "16 KiB",
    "8 MiB",
    "256 MiB",
    "1 MB",
    // Downloads of tests/hive-serde.
    "34 MB",
    "53 MB",
    "318 MB",
    "352 MB",
];

/// A figure of speed or size that is not taken from the results would grow old unseen.
#[test]
fn no_figure_is_written_by_hand() {
    let written: BTreeMap<String, String> = markdown_files()
        .into_iter()
        .flat_map(|file| written_figures(&read(&file)).into_iter().map(move |figure| (figure, file.clone())))
        .collect();
    let by_hand: Vec<_> = written.iter().filter(|(figure, _)| !NOT_MEASURED.contains(&figure.as_str())).collect();
    assert!(by_hand.is_empty(), "take these from {FILE}, or say why they are not measured: {by_hand:?}");
    let gone: Vec<_> = NOT_MEASURED.iter().filter(|figure| !written.contains_key(**figure)).collect();
    assert!(gone.is_empty(), "no document has these any more: {gone:?}");
}

/// The paths that others may read.
fn keys() -> Vec<String> {
    let ratios =
        ["start_vs_python", "start_vs_node", "warm_vs_python", "warm_vs_node", "rss_mib", "rss_vs_python", "rss_vs_node", "zip_mb"];
    let groups: [(&str, &[&str], &[&str]); 4] = [
        ("function_start", &["create", "check"], &ratios),
        ("polling", &["median_10s", "median_45s", "median_600s"], &["efficiency", "polls_per_task"]),
        ("scale", &["n100", "n500", "n2000"], &["seconds_per_entry", "parent_events", "largest_payload_bytes"]),
        ("stand_in", &["n10k", "n100k", "n1m"], &["events_per_second", "peak_rss_mib"]),
    ];
    let mut keys = vec!["cost.per_group_transitions".to_owned(), "cost.per_group_history_events".to_owned()];
    for (part, subjects, figures) in groups {
        keys.extend(subjects.iter().flat_map(|subject| figures.iter().map(move |figure| format!("{part}.{subject}.{figure}"))));
    }
    keys
}

#[test]
fn the_results_have_every_key_that_others_may_read() {
    let results = read_json(FILE);
    for key in keys() {
        assert!(lookup(&results, &key).is_some_and(Value::is_number), "{FILE} has no number {key}");
    }
}

/// The prices that the dollars were computed with are those of the price list in docs/deploy.md.
#[test]
fn dollars_and_price_list_have_the_same_prices() {
    let results = read_json(FILE);
    let document = read("docs/deploy.md");
    for (key, words) in [
        ("per_1000_transitions", " per 1,000 state transitions"),
        ("per_million_requests", "0 per million requests"),
        ("per_gb_second", " per GB-second"),
        ("per_1000_put_or_list", " per 1,000 PUT or LIST requests"),
        ("per_gb_ingested", " per GB ingested"),
        ("per_gb_month", " per GB-month; 0.0047"),
    ] {
        let price = lookup(&results, &format!("cost.prices.{key}")).and_then(Value::as_f64).expect("a price");
        let written = format!(" {price}{words}");
        assert!(document.contains(&written), "docs/deploy.md does not say:{written}");
    }
}

#[test]
fn a_thousand_log_groups_cost_less_than_a_dollar_as_the_readme_says() {
    assert!(read("README.md").contains("below one US dollar a month for 1,000"), "the README says what 1,000 log groups cost");
    let total = lookup(&read_json(FILE), "cost.dollars.1000.total").and_then(Value::as_f64).expect("a sum");
    assert!(total < 1.0, "{total}");
}
