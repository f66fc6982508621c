//! The rules for names and prefixes, and how to put a wrong one right. Sources: the service models of CloudWatch Logs
//! and S3; `statemachine/input.schema.json` states the same rules and a test holds the two together.

use chrono_tz::Tz;

use crate::Month;

type Read<T> = Result<T, String>;

/// Bucket names as S3 gives them today, and those of the years before 2018 in us-east-1 (capitals, `_`, 255 characters).
pub(crate) fn bucket(text: &str) -> Read<String> {
    let fits = (3..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    accept(fits, text, "give the bucket's bare name: 3 to 255 letters, digits, dots, hyphens or underscores, without s3://")
}

/// `[.\-_/#A-Za-z0-9]{1,512}`, so it never holds `=` and `log_group=<name>/year=` can be read back in one way only.
pub(crate) fn log_group(text: &str) -> Read<String> {
    let fits = (1..=512).contains(&text.len()) && text.bytes().all(is_log_group_byte);
    accept(fits, text, "a log group name has 1 to 512 characters out of A-Z a-z 0-9 . - _ / #")
}

/// An `exclude` pattern: a log group name, or the beginning of names followed by one `*`.
pub(crate) fn exclude_pattern(text: &str) -> Read<String> {
    let name = text.strip_suffix('*').unwrap_or(text);
    let fits = (1..=512).contains(&name.len()) && name.bytes().all(is_log_group_byte);
    accept(fits, text, "write a log group name, or the beginning of names followed by one *, such as /aws/lambda/debug-*")
}

fn is_log_group_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-_/#".contains(&byte)
}

pub(crate) fn log_stream_prefix(text: &str) -> Read<String> {
    let fits = (1..=512).contains(&text.chars().count()) && !text.contains([':', '*']);
    accept(fits, text, "a log stream name prefix has 1 to 512 characters and no : or *")
}

/// Empty, or `a/b/c` of characters that need no escaping in a URL. The slashes between the parts are ours to write.
pub(crate) fn s3_prefix(text: &str) -> Read<String> {
    let fits = text.len() <= 300
        && (text.is_empty() || text.split('/').all(|part| !part.is_empty() && !is_dots(part) && part.bytes().all(is_key_byte)));
    let fix = "write parts of A-Z a-z 0-9 ! - _ . ' ( ) = joined by single slashes, none at either end and none of them . or .., 300 characters at most, such as cloudwatch-logs";
    accept(fits, text, fix)
}

/// S3 keeps such parts as they are, and many tools that read the archive later do not.
pub(crate) fn is_dots(part: &str) -> bool {
    part == "." || part == ".."
}

pub(crate) fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!-_.'()=".contains(&byte)
}

pub(crate) fn timezone(text: &str) -> Read<Tz> {
    text.parse().map_err(|_| "give an IANA time zone name such as Asia/Tokyo, Europe/Berlin or UTC".to_owned())
}

pub(crate) fn month(text: &str) -> Read<Month> {
    text.parse().map_err(|error| format!("it {error}; write it as YYYY-MM, such as 2026-10"))
}

pub(crate) fn instant(text: &str) -> Read<chrono::DateTime<chrono::Utc>> {
    crate::time::parse_instant(text).ok_or_else(|| "write an instant with its time zone, such as 2026-11-01T04:00:00Z".to_owned())
}

/// An ARN or id that is only handed on; CloudWatch's and Step Functions' own are far shorter.
pub(crate) fn identifier(text: &str) -> Read<String> {
    accept((1..=512).contains(&text.len()), text, "give 1 to 512 characters")
}

fn accept(fits: bool, text: &str, fix: &str) -> Read<String> {
    if fits { Ok(text.to_owned()) } else { Err(fix.to_owned()) }
}
