//! Where an ad hoc export may land: in the archive's bucket, and nowhere near the archive's own objects.

use export_core::{Prefix, entry::Entry, input::RunInput, place::Stack};
use wildmatch::WildMatch;

use crate::failure::Failure;

/// The archive's folders below its prefix. `log_group=*`: the exported objects.
const OWN: [&str; 5] = ["manifests", "missing", "runs", "parquet", "log_group=*"];

/// Slashes at the ends, and doubled ones, mean nothing.
pub fn read(text: &str, stack: &Stack, input: &RunInput) -> Result<Prefix, Failure> {
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    let prefix = Prefix::parse(&parts.join("/")).map_err(|fix| Failure::Usage(format!("--prefix is {text:?}: {fix}")))?;
    if parts.is_empty() {
        return Err(Failure::Usage(format!("--prefix is {text:?}: give a folder for the export, such as adhoc/web")));
    }
    let own = own(stack, input).into_iter().find(|own| overlaps(&parts, own));
    match own {
        None => Ok(prefix),
        Some(own) => Err(Failure::Usage(format!(
            "--prefix is {text:?}, where the archive's own objects lie or can lie ({}): give another folder, such as adhoc/web",
            own.join("/")
        ))),
    }
}

/// What runs write, each as the parts of a key, with `*` for what differs.
fn own(stack: &Stack, input: &RunInput) -> Vec<Vec<String>> {
    let mut own = below(&stack.s3_prefix);
    own.extend(below(&input.s3_prefix));
    for Entry { s3_prefix, destination_template, .. } in &input.entries {
        let s3_prefix = s3_prefix.as_ref().unwrap_or(&input.s3_prefix);
        own.extend(below(s3_prefix));
        let template = destination_template.clone().map(String::from);
        own.extend(template.map(|template| parts(&template.replace("{s3Prefix}", s3_prefix.as_str()))));
    }
    own
}

/// All of a prefix; at the root of the bucket, only the archive's folders.
fn below(prefix: &Prefix) -> Vec<Vec<String>> {
    match prefix.as_str() {
        "" => OWN.map(|folder| vec![folder.to_owned()]).into(),
        prefix => vec![parts(prefix)],
    }
}

/// A log group's name has slashes of its own: what comes behind it can be anything.
fn parts(template: &str) -> Vec<String> {
    let template = template.split_once("{logGroup}").map_or_else(|| template.to_owned(), |(before, _)| format!("{before}*"));
    let template = template.replace("{year}", "????").replace("{month}", "??");
    template.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// One lies in the other, or they are the same.
fn overlaps(prefix: &[&str], own: &[String]) -> bool {
    prefix.iter().zip(own).all(|(part, own)| WildMatch::new(own).matches(part))
}

#[cfg(test)]
mod tests {
    use export_core::{BucketName, SettleDays};
    use serde_json::json;

    use super::*;

    fn read_in(s3_prefix: &str, text: &str) -> Result<String, String> {
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
        read(text, &stack, &input).map(|prefix| prefix.to_string()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn slashes_are_put_right() {
        for text in ["adhoc/web", "/adhoc/web", "adhoc//web/", "//adhoc/web//"] {
            assert_eq!(read_in("logs", text).as_deref(), Ok("adhoc/web"), "{text}");
        }
        for (text, says) in [
            ("", "--prefix is \"\": give a folder for the export, such as adhoc/web"),
            ("//", "--prefix is \"//\": give a folder for the export, such as adhoc/web"),
            ("a/../logs", "--prefix is \"a/../logs\": write parts of"),
            ("a b", "--prefix is \"a b\": write parts of"),
        ] {
            assert!(read_in("logs", text).is_err_and(|error| error.starts_with(says)), "{text}");
        }
    }

    #[test]
    fn what_touches_the_archive_is_refused() {
        for (s3_prefix, text, own) in [
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
            let says = format!(
                "--prefix is {text:?}, where the archive's own objects lie or can lie ({own}): give another folder, such as adhoc/web"
            );
            assert_eq!(read_in(s3_prefix, text), Err(says), "{s3_prefix}");
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
            assert_eq!(read_in(s3_prefix, text).as_deref(), Ok(text), "{s3_prefix}");
        }
    }
}
