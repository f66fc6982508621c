//! `docs/security.md` explains every statement of every policy, and no other.

use std::collections::{BTreeMap, BTreeSet};

use contract::read;

use crate::{ROLES, Role, load, roles, templates};

const DOCUMENT: &str = "docs/security.md";

/// The texts in backticks.
fn code(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows of all tables with a column "Statement": its cells, that column first.
fn statement_rows(markdown: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut column = None;
    let mut in_table = false;
    for line in markdown.lines() {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        if !line.starts_with('|') {
            in_table = false;
        } else if !in_table {
            in_table = true;
            column = cells.iter().position(|cell| cell == "Statement");
        } else if let Some(column) = column.filter(|_| !line.starts_with("|---")) {
            rows.push(cells[column..].to_vec());
        }
    }
    rows
}

#[test]
fn the_document_has_every_statement_of_every_role_with_its_reason() {
    let document = read(DOCUMENT);
    let (_, section) = document.split_once("\n## Roles of functions and workflows\n").expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut explained: BTreeMap<&str, &str> = BTreeMap::new();
    for part in section.split("\n### ").skip(1) {
        let (heading, text) = part.split_once('\n').expect("a heading and its text");
        let role = heading.split('`').nth(1).expect("the heading has the role's name");
        assert_eq!(explained.insert(role, text), None, "{role} twice");
    }
    assert_eq!(explained.keys().copied().collect::<BTreeSet<_>>(), ROLES.iter().map(|(name, ..)| *name).collect());
    for Role { name, statements, .. } in roles() {
        let rows = statement_rows(explained[name]);
        let found: Vec<_> = rows
            .iter()
            .map(|row| {
                let [sid, actions, resources, why] = &row[..] else { panic!("{name}: four cells: {row:?}") };
                assert!(why.split_whitespace().count() >= 3, "{name}: {sid} is given no reason");
                (code(sid).join(" "), code(actions), code(resources))
            })
            .collect();
        let expected: Vec<_> = statements.into_iter().map(|it| (it.sid, it.actions, it.resources)).collect();
        assert_eq!(found.len(), expected.len(), "{name}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{name}");
        }
    }
}

#[test]
fn the_document_explains_every_statement_and_no_other() {
    let mut written = BTreeSet::new();
    for file in templates() {
        collect_sids(&load(&file).document, false, &file, &mut written);
    }
    let explained: BTreeSet<String> = statement_rows(&read(DOCUMENT)).iter().flat_map(|row| code(&row[0])).collect();
    assert_eq!(explained, written);
}

/// Every statement of a policy, but those by which a role is taken on: the test above has them.
fn collect_sids(value: &serde_norway::Value, in_trust: bool, file: &str, sids: &mut BTreeSet<String>) {
    match value {
        serde_norway::Value::Mapping(mapping) => {
            if value.get("Effect").is_some() && !in_trust {
                let sid = value.get("Sid").and_then(|sid| sid.as_str()).unwrap_or_else(|| panic!("{file}: no Sid: {value:?}"));
                sids.insert(sid.to_owned());
            }
            for (key, value) in mapping {
                collect_sids(value, in_trust || key.as_str() == Some("AssumeRolePolicyDocument"), file, sids);
            }
        }
        serde_norway::Value::Sequence(items) => items.iter().for_each(|item| collect_sids(item, in_trust, file, sids)),
        serde_norway::Value::Tagged(tagged) => collect_sids(&tagged.value, in_trust, file, sids),
        _ => {}
    }
}
