//! The figures in the documents against `docs/performance.json`, which `cargo bench-all` writes.

mod taken;

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    documents::markdown_files,
    expect_file,
    performance::{BLOCKS, FILE, blocks, fill, is_taken_by, lookup, paths, written_figures},
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

#[test]
fn every_document_takes_the_figures_that_it_is_known_for() {
    let mut taken = BTreeMap::new();
    for file in markdown_files() {
        let paths: BTreeSet<String> = paths(&read(&file)).into_iter().map(str::to_owned).collect();
        if !paths.is_empty() {
            taken.insert(file, paths);
        }
    }
    let known = taken::TAKEN.map(|(file, paths)| (file.to_owned(), paths.iter().map(|path| (*path).to_owned()).collect()));
    assert_eq!(
        taken,
        BTreeMap::from(known),
        "put the new ones into taken.rs; what is gone from a document is written by hand, or not at all"
    );
}

/// What a document may write by hand because nobody measured it: limits and charges of AWS, the numbers of this project's own files,
/// downloads, and examples.
const NOT_MEASURED: [(&str, &[&str]); 17] = [
    ("README.md", &["45 s"]),
    ("docs/athena.md", &["10 MB", "100 GiB"]),
    ("docs/central-bucket.md", &["20 KB"]),
    ("docs/decisions/0003-entries-in-pages.md", &["248 KiB", "256 KiB"]),
    ("docs/decisions/0005-polling.md", &["2 s", "3 s", "5 minutes"]),
    ("docs/decisions/0010-the-list-of-log-groups-lives-in-the-schedules-input.md", &["256 KiB"]),
    ("docs/decisions/0011-what-outlives-the-stack.md", &["128 KiB"]),
    ("docs/decisions/0018-what-the-lifecycle-moves-and-deletes.md", &["128 KiB", "40 KiB"]),
    ("docs/decisions/README.md", &["2 s", "3 s"]),
    ("docs/deploy.md", &["0.15 MB", "10 s", "100 GiB", "128 KiB", "2 s", "2.5 minutes", "248 KiB", "256 KiB", "300 s"]),
    ("docs/local-aws.md", &["1 MB", "20 s", "256 KiB", "256 MiB", "60 s", "8 MiB"]),
    ("docs/monitoring.md", &["5 minutes"]),
    ("docs/operations.md", &["248 KiB", "256 KiB"]),
    ("docs/performance.md", &["128 MB", "16 KiB", "5 s", "60 s"]),
    ("docs/security.md", &["128 KiB"]),
    ("statemachine/README.md", &["2 s", "256 KiB", "5 s"]),
    ("tests/hive-serde/README.md", &["1 MB", "318 MB", "34 MB", "352 MB", "53 MB"]),
];

/// A figure of speed or size that is not taken from the results would grow old unseen.
#[test]
fn no_figure_is_written_by_hand() {
    let mut by_hand = BTreeMap::new();
    for file in markdown_files() {
        let figures: BTreeSet<String> = written_figures(&read(&file)).into_iter().collect();
        if !figures.is_empty() {
            by_hand.insert(file, figures);
        }
    }
    let not_measured = NOT_MEASURED.map(|(file, figures)| (file.to_owned(), figures.iter().map(|figure| (*figure).to_owned()).collect()));
    assert_eq!(by_hand, BTreeMap::from(not_measured), "take what is measured from {FILE}, and name what is not in this test");
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
