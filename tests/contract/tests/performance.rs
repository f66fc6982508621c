//! The figures in the documents against `docs/performance.json`, which `cargo bench-all` writes.

use contract::{
    documents::markdown_files,
    expect_file,
    performance::{BLOCKS, FILE, blocks, fill, is_taken_by, lookup},
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
fn the_document_has_every_block() {
    let document = read(DOCUMENT);
    for block in BLOCKS {
        assert!(blocks(&document).contains(&block), "{DOCUMENT} has no block {block}");
    }
}

/// A figure of speed or size that is not taken from the results would grow old unseen.
#[test]
fn no_figure_is_written_by_hand() {
    for file in ["README.md", DOCUMENT] {
        let text = read(file);
        let mut in_block = false;
        for line in text.lines() {
            in_block = (in_block || line.starts_with("<!-- performance: ")) && line != "<!-- end -->";
            for unit in [" ms", " MiB", "×", " events a second", " polls a task"] {
                for (at, _) in line.match_indices(unit).filter(|_| !in_block) {
                    assert!(!line[..at].ends_with(|c: char| c.is_ascii_digit()), "{file}: written by hand: {line}");
                }
            }
        }
    }
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
