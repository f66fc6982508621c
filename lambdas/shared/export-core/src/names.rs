//! Names and prefixes, each with its own type, so that no function confuses them. The error of a parser says what to write instead.
//!
//! The rules are those of the service models of CloudWatch Logs and S3. `statemachine/input.schema.json` states the same rules, and a
//! contract test compares the two.

use std::fmt;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Month;

pub(crate) type Parsed<T> = Result<T, String>;

macro_rules! name_types {
    ($($(#[$doc:meta])* $name:ident: $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The error says what to write instead.
            pub fn parse(text: &str) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )*};
}

name_types! {
    /// Also the names that us-east-1 allowed before 2018, with capitals, `_` and up to 255 characters.
    BucketName: |text| {
        let is_valid = (3..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        accept(is_valid, "give the bucket's bare name: 3 to 255 letters, digits, dots, hyphens or underscores, without s3://")
    };

    /// `[.\-_/#A-Za-z0-9]{1,512}`. A name never contains `=`, so `log_group=<name>/year=` is unambiguous.
    LogGroupName: |text| {
        let is_valid = (1..=512).contains(&text.len()) && text.bytes().all(is_log_group_byte);
        accept(is_valid, "a log group name has 1 to 512 characters out of A-Z a-z 0-9 . - _ / #")
    };

    /// The prefix of log stream names.
    StreamPrefix: |text| {
        let is_valid = (1..=512).contains(&text.chars().count()) && !text.contains([':', '*']);
        accept(is_valid, "a log stream name prefix has 1 to 512 characters and no : or *")
    };

    /// The prefix of keys in a bucket: empty, or `a/b/c` of characters that need no escaping in a URL, without a slash at its end.
    Prefix: |text| {
        let is_part = |part: &str| !part.is_empty() && !is_dots(part) && part.bytes().all(is_key_byte);
        let is_valid = text.len() <= 300 && (text.is_empty() || text.split('/').all(is_part));
        accept(is_valid, "write parts of A-Z a-z 0-9 ! - _ . ' ( ) = joined by single slashes, none at either end and none of them . or .., 300 characters at most, such as cloudwatch-logs")
    };

    /// CloudWatch's id of an export task. It becomes part of a key, so it may have only characters that need no escaping.
    TaskId: |text| {
        let is_valid = (1..=512).contains(&text.len()) && !is_dots(text) && text.bytes().all(is_key_byte);
        accept(is_valid, "give CloudWatch's id of an export task, such as 0a1b2c3d-0000-4000-8000-000000000000")
    };

    /// The ARN of an execution. It is not parsed. The ARNs of Step Functions are far shorter than this limit.
    ExecutionArn: |text| accept((1..=512).contains(&text.len()), "give 1 to 512 characters");
}

impl Prefix {
    /// The key `name` below this prefix.
    pub fn join(&self, name: &str) -> String {
        if self.0.is_empty() { name.to_owned() } else { format!("{}/{name}", self.0) }
    }
}

impl StreamPrefix {
    /// Whether an export with prefix `wide` has every stream of an export with prefix `narrow`. `None`: all streams.
    pub fn includes(wide: Option<&Self>, narrow: Option<&Self>) -> bool {
        wide.is_none_or(|wide| narrow.is_some_and(|narrow| narrow.0.starts_with(&wide.0)))
    }

    /// The longest prefix that includes both. `None`: all streams.
    pub fn common_prefix(one: Option<Self>, other: Option<&Self>) -> Option<Self> {
        let (one, other) = (one?, other?);
        let common = one.0.chars().zip(other.0.chars()).take_while(|(one, other)| one == other).map(|(one, _)| one);
        Self::parse(&common.collect::<String>()).ok()
    }
}

impl ExecutionArn {
    /// The last part of the ARN. It is unique in the state machine for 90 days.
    pub fn execution_name(&self) -> &str {
        self.0.rsplit(':').next().unwrap_or_default()
    }
}

/// Parses a log group's name, or its ARN in this account and Region, with or without `:*`.
pub(crate) fn parse_log_group(text: &str, account: &str, region: &str) -> Parsed<LogGroupName> {
    if let Some(prefix) = text.strip_suffix('*').filter(|prefix| !prefix.is_empty() && !text.starts_with("arn:")) {
        return Err(format!("to archive all log groups with this prefix, write {{\"logGroupNamePrefix\": {prefix:?}}}"));
    }
    let Some(arn) = text.strip_prefix("arn:") else { return LogGroupName::parse(text) };
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_partition, "logs", arn_region, arn_account, "log-group", name] = parts[..] else {
        return Err("give a log group's name, or its ARN arn:<partition>:logs:<Region>:<account>:log-group:<name>".to_owned());
    };
    if (arn_region, arn_account) != (region, account) {
        return Err(format!("the log group must be in account {account} and Region {region}, because a run exports from no other"));
    }
    LogGroupName::parse(name.strip_suffix(":*").unwrap_or(name))
}

/// Parses an `exclude` pattern: a log group's name, or a prefix of names followed by one `*`.
pub(crate) fn parse_exclude_pattern(text: &str) -> Parsed<String> {
    let name = text.strip_suffix('*').unwrap_or(text);
    let fix = "write a log group name, or a prefix of names followed by one *, such as /aws/lambda/debug-*";
    LogGroupName::parse(name).map(|_| text.to_owned()).map_err(|_| fix.to_owned())
}

fn is_log_group_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-_/#".contains(&byte)
}

/// S3 stores such parts as they are, but many tools that read the archive do not.
pub(crate) fn is_dots(part: &str) -> bool {
    part == "." || part == ".."
}

pub(crate) fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!-_.'()=".contains(&byte)
}

pub fn parse_timezone(text: &str) -> Parsed<Tz> {
    text.parse().map_err(|_| "give an IANA time zone name such as Asia/Tokyo, Europe/Berlin or UTC".to_owned())
}

pub(crate) fn parse_month(text: &str) -> Parsed<Month> {
    text.parse().map_err(|error| format!("it {error}; write it as YYYY-MM, such as 2026-10"))
}

pub(crate) fn parse_instant(text: &str) -> Parsed<chrono::DateTime<chrono::Utc>> {
    crate::time::parse_instant(text).ok_or_else(|| "write an instant with its time zone, such as 2026-11-01T04:00:00Z".to_owned())
}

fn accept(fits: bool, fix: &str) -> Parsed<()> {
    if fits { Ok(()) } else { Err(fix.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_group_is_given_by_its_name_or_its_arn() {
        let parse = |text: &str| parse_log_group(text, "111122223333", "ap-northeast-1").map(|name| name.to_string());
        for text in [
            "/ecs/web",
            "arn:aws:logs:ap-northeast-1:111122223333:log-group:/ecs/web",
            "arn:aws-cn:logs:ap-northeast-1:111122223333:log-group:/ecs/web:*",
        ] {
            assert_eq!(parse(text).as_deref(), Ok("/ecs/web"), "{text}");
        }
        for (text, fix) in [
            ("/aws/lambda/*", "write {\"logGroupNamePrefix\": \"/aws/lambda/\"}"),
            ("arn:aws:logs:us-east-1:111122223333:log-group:/a", "must be in account 111122223333 and Region ap-northeast-1"),
            ("arn:aws:s3:::bucket", "give a log group's name, or its ARN"),
            ("arn:aws:logs:ap-northeast-1:111122223333:log-group:/a:log-stream:x", "a log group name has 1 to 512 characters"),
        ] {
            assert!(parse(text).is_err_and(|error| error.contains(fix)), "{text}");
        }
    }

    #[test]
    fn a_stream_prefix_includes_longer_prefixes_and_no_prefix_includes_all() {
        let prefix = |text: &str| Some(StreamPrefix::parse(text).unwrap());
        let includes = |wide: Option<StreamPrefix>, narrow: Option<StreamPrefix>| StreamPrefix::includes(wide.as_ref(), narrow.as_ref());
        assert!(includes(None, None) && includes(None, prefix("a")) && includes(prefix("a"), prefix("ab")));
        assert!(!includes(prefix("a"), None) && !includes(prefix("ab"), prefix("a")));
    }
}
