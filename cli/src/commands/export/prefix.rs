//! The prefix of an ad hoc export: in the archive's bucket, and apart from the archive's objects.

use export_core::{Prefix, entry::Entry, input::RunInput, place::Stack};
use wildmatch::WildMatch;

use crate::failure::Failure;

/// The archive's folders below its prefix. `log_group=*`: the exported objects.
const ARCHIVE_FOLDERS: [&str; 5] = ["manifests", "missing", "runs", "parquet", "log_group=*"];

/// Parses a prefix. It ignores leading, trailing and double slashes.
pub fn parse(text: &str, stack: &Stack, input: &RunInput) -> Result<Prefix, Failure> {
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    let prefix = Prefix::parse(&parts.join("/")).map_err(|fix| Failure::Usage(format!("--prefix is {text:?}: {fix}")))?;
    if parts.is_empty() {
        return Err(Failure::Usage(format!("--prefix is {text:?}: give a folder for the export, such as adhoc/web")));
    }
    match archive_paths(stack, input).into_iter().find(|path| overlaps(&parts, path)) {
        None => Ok(prefix),
        Some(path) => Err(Failure::Usage(format!(
            "--prefix is {text:?}, which overlaps the archive's objects ({}): give another folder, such as adhoc/web",
            path.join("/")
        ))),
    }
}

/// The paths of the archive's objects, each as parts of a key, with wildcards for the variable parts.
fn archive_paths(stack: &Stack, input: &RunInput) -> Vec<Vec<String>> {
    let mut paths = below(&stack.s3_prefix);
    paths.extend(below(&input.s3_prefix));
    for Entry { s3_prefix, destination_template, .. } in &input.entries {
        let s3_prefix = s3_prefix.as_ref().unwrap_or(&input.s3_prefix);
        paths.extend(below(s3_prefix));
        let template = destination_template.clone().map(String::from);
        paths.extend(template.map(|template| path_parts(&template.replace("{s3Prefix}", s3_prefix.as_str()))));
    }
    paths
}

/// The whole prefix. At the root of the bucket, only the archive's folders.
fn below(prefix: &Prefix) -> Vec<Vec<String>> {
    match prefix.as_str() {
        "" => ARCHIVE_FOLDERS.map(|folder| vec![folder.to_owned()]).into(),
        prefix => vec![path_parts(prefix)],
    }
}

/// The parts of a template. A log group's name contains slashes, so everything after it is a wildcard.
fn path_parts(template: &str) -> Vec<String> {
    let template = template.split_once("{logGroup}").map_or_else(|| template.to_owned(), |(before, _)| format!("{before}*"));
    let template = template.replace("{year}", "????").replace("{month}", "??");
    template.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Whether one is a folder of the other, or they are equal.
fn overlaps(prefix: &[&str], path: &[String]) -> bool {
    prefix.iter().zip(path).all(|(part, path)| WildMatch::new(path).matches(part))
}

#[cfg(test)]
mod tests {
    use export_core::{BucketName, SettleDays};
    use serde_json::json;

    use super::*;

    fn parse_in(s3_prefix: &str, text: &str) -> Result<String, String> {
        let stack = Stack {
            account: "111122223333".to_owned(),
            region: "ap-northeast-1".to_owned(),
            partition: "aws".to_owned(),
            bucket: BucketName::parse("archive").unwrap(),
            s3_prefix: Prefix::parse(s3_prefix).unwrap(),
            timezone: chrono_tz::UTC,
            settle_days: SettleDays::default(),
        };
        let input = json!({"logGroups": [
            "/a",
            {"logGroupName": "/b", "s3Prefix": "moved/b"},
            {"logGroupName": "/c", "destinationPrefix": "old/{year}/{month}/c"},
            {"logGroupNamePrefix": "/d/", "destinationPrefix": "by/g={logGroup}/{year}/{month}"},
        ]});
        let input = RunInput::parse(&input, &stack).unwrap();
        parse(text, &stack, &input).map(|prefix| prefix.to_string()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn extra_slashes_are_ignored() {
        for text in ["adhoc/web", "/adhoc/web", "adhoc//web/", "//adhoc/web//"] {
            assert_eq!(parse_in("logs", text).as_deref(), Ok("adhoc/web"), "{text}");
        }
        for (text, expected) in [
            ("", "--prefix is \"\": give a folder for the export, such as adhoc/web"),
            ("//", "--prefix is \"//\": give a folder for the export, such as adhoc/web"),
            ("a/../logs", "--prefix is \"a/../logs\": write parts of"),
            ("a b", "--prefix is \"a b\": write parts of"),
        ] {
            assert!(parse_in("logs", text).is_err_and(|error| error.starts_with(expected)), "{text}");
        }
    }

    #[test]
    fn a_prefix_that_overlaps_the_archive_is_refused() {
        for (s3_prefix, text, path) in [
            ("logs", "logs", "logs"),
            ("logs", "/logs//", "logs"),
            ("logs", "logs/manifests/x", "logs"),
            ("logs", "logs/adhoc", "logs"),
            ("a/logs", "a", "a/logs"),
            ("logs", "moved", "moved/b"),
            ("logs", "moved/b/c", "moved/b"),
            ("logs", "old", "old/????/??/c"),
            ("logs", "old/2026/10/c/d", "old/????/??/c"),
            ("logs", "by/g=/d/x", "by/g=*"),
            ("", "manifests", "manifests"),
            ("", "missing/x", "missing"),
            ("", "runs", "runs"),
            ("", "parquet/x", "parquet"),
            ("", "log_group=/a", "log_group=*"),
        ] {
            let expected =
                format!("--prefix is {text:?}, which overlaps the archive's objects ({path}): give another folder, such as adhoc/web");
            assert_eq!(parse_in(s3_prefix, text), Err(expected), "{s3_prefix}");
        }
        for (s3_prefix, text) in [
            ("logs", "logs2"),
            ("logs", "adhoc/logs"),
            ("logs", "manifests"),
            ("a/logs", "a/adhoc"),
            ("logs", "old/adhoc"),
            ("logs", "old/2026/10/d"),
            ("logs", "by/adhoc"),
            ("", "adhoc"),
        ] {
            assert_eq!(parse_in(s3_prefix, text).as_deref(), Ok(text), "{s3_prefix}");
        }
    }
}
