//! What `docs/monitoring.md` says of the functions' errors, against what counts as one.

use export_core::ErrorName;

#[test]
fn the_document_names_the_errors_that_count() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/monitoring.md");
    let document = std::fs::read_to_string(path).unwrap();
    let section = document.split("\n### `FunctionErrors`\n").nth(1).and_then(|rest| rest.split("\n### ").next()).expect("the section");
    let paragraph = |beginning: &str| section.split("\n\n").find(|paragraph| paragraph.starts_with(beginning)).expect("the paragraph");
    let (counted, others) = (paragraph("**Why.**"), paragraph("Other errors"));
    for name in ErrorName::ALL {
        let (in_counted, in_others) = (counted.contains(&format!("`{name}`")), others.contains(&format!("`{name}`")));
        let ends_the_entry = name.retry() == export_core::error::Retry::Never;
        assert_eq!((in_counted, in_others), (name.is_fault(), ends_the_entry && !name.is_fault()), "{name}");
    }
}
