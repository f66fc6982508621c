//! Where a log group's months are in the bucket, in three steps:
//!
//! 1. An entry can have a template, its `destinationPrefix`: [`DestinationTemplate`].
//! 2. With the log group and the `s3Prefix` filled in, it is the log group's [`Destination`]. It is part of the place.
//! 3. With the month filled in, it is the destination prefix of an export task. CloudWatch Logs adds `/<taskId>/<stream>/000000.gz`.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::{
    Month,
    names::{LogGroupName, Prefix, TaskId, is_dots, is_key_byte},
};

/// The default layout. Athena reads it as partitions.
pub const DEFAULT_TEMPLATE_TEXT: &str = "{s3Prefix}/log_group={logGroup}/year={year}/month={month}";

/// A key has at most 1,024 bytes, and CloudWatch Logs adds `/<36 characters>/<stream>/000000.gz`. This limit leaves room for short stream
/// names. A stream name can have 512 characters, so a long prefix can still be too long for some streams.
const MAX_PREFIX_LENGTH: usize = 900;

/// The folder of everything that one task writes, and of nothing else.
pub fn task_folder(destination_prefix: &str, task_id: &TaskId) -> String {
    format!("{destination_prefix}/{task_id}/")
}

const MAX_TEMPLATE_LENGTH: usize = 300;

const PLACEHOLDERS: [&str; 4] = ["s3Prefix", "logGroup", "year", "month"];

/// The `destinationPrefix` of an entry, checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DestinationTemplate {
    text: String,
    segments: Vec<Vec<Piece>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Piece {
    Text(String),
    S3Prefix,
    LogGroup,
    Year,
    Month,
}

/// Parsed once, because a run renders it for each entry.
pub static DEFAULT_TEMPLATE: LazyLock<DestinationTemplate> =
    LazyLock::new(|| DestinationTemplate::parse(DEFAULT_TEMPLATE_TEXT).expect("the default template is valid"));

impl DestinationTemplate {
    /// `{year}` and `{month}` are required, so that two months of a log group never share a folder.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fix = || {
            "write parts of A-Z a-z 0-9 ! - _ . ' ( ) = and the placeholders {s3Prefix} {logGroup} {year} {month}, joined by single slashes, none of them . or .., 300 characters at most, such as {year}/{month}/{s3Prefix}"
                .to_owned()
        };
        if text.len() > MAX_TEMPLATE_LENGTH {
            return Err(fix());
        }
        let segments = text.split('/').map(parse_segment).collect::<Option<Vec<_>>>().ok_or_else(fix)?;
        let has = |piece| segments.iter().flatten().any(|other| *other == piece);
        if !has(Piece::Year) || !has(Piece::Month) {
            return Err("it must contain {year} and {month}, so that each month has its own folder".to_owned());
        }
        // A log group's name may begin with a slash, and some tools cannot read a key that begins with a slash.
        if segments.iter().any(|segment| segment.first() == Some(&Piece::LogGroup)) {
            return Err(
                "put a text before {logGroup} in its part, such as log_group={logGroup}: the name may begin with a slash".to_owned()
            );
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// Whether every log group gets its own place.
    pub fn names_log_group(&self) -> bool {
        self.segments.iter().flatten().any(|piece| *piece == Piece::LogGroup)
    }

    /// Fills in the prefix and the log group. A part that is then empty, such as an empty `s3Prefix`, is left out with its slash.
    pub fn render(&self, s3_prefix: &Prefix, log_group: &LogGroupName) -> Result<Destination, String> {
        let render_piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::S3Prefix => s3_prefix.to_string(),
            Piece::LogGroup => log_group.to_string(),
            Piece::Year => YEAR.to_owned(),
            Piece::Month => MONTH.to_owned(),
        };
        let parts: Vec<String> = self.segments.iter().map(|segment| segment.iter().map(render_piece).collect()).collect();
        Destination::parse(&parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
    }
}

impl TryFrom<String> for DestinationTemplate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<DestinationTemplate> for String {
    fn from(template: DestinationTemplate) -> Self {
        template.text
    }
}

const YEAR: &str = "{year}";
const MONTH: &str = "{month}";

/// Where all months of one log group are: a destination prefix in which `{year}` and `{month}` are not filled in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination(String);

impl Destination {
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.contains(YEAR) || !text.contains(MONTH) {
            return Err("it must contain {year} and {month}".to_owned());
        }
        let length = text.len() - YEAR.len() - MONTH.len() + "YYYYMM".len();
        if length > MAX_PREFIX_LENGTH {
            return Err(format!(
                "the destination prefix has {length} bytes and may have {MAX_PREFIX_LENGTH}: shorten s3Prefix or destinationPrefix"
            ));
        }
        if text.starts_with('/') {
            return Err("the destination prefix would begin with a slash, as the name does: give an s3Prefix, or put a text before {logGroup} in destinationPrefix".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The destinations with this prefix in this month, the most likely first. A log group's name can contain the digits of the month, so
    /// there can be several.
    pub fn candidates(prefix: &str, month: Month) -> impl Iterator<Item = Self> + use<> {
        let (year, month) = (format!("{:04}", month.year()), format!("{:02}", month.month()));
        let years = replacements(prefix, &year, YEAR).into_iter();
        let months = years.flat_map(move |text| replacements(&text, &month, MONTH));
        months.filter_map(|text| Self::parse(&text).ok())
    }

    /// The destination prefix of a month's export task.
    pub fn prefix_of(&self, month: Month) -> String {
        self.0.replace(YEAR, &format!("{:04}", month.year())).replace(MONTH, &format!("{:02}", month.month()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `text` with `digits` replaced: only at the last place, only at the last but one, and so on; then at all places.
fn replacements(text: &str, digits: &str, placeholder: &str) -> Vec<String> {
    let is_free = |at: usize| !text[..at].ends_with('{');
    let at: Vec<usize> = text.match_indices(digits).map(|(at, _)| at).filter(|at| is_free(*at)).collect();
    let everywhere = (at.len() > 1).then(|| text.replace(digits, placeholder));
    let singly = at.into_iter().rev().map(|at| format!("{}{placeholder}{}", &text[..at], &text[at + digits.len()..]));
    singly.chain(everywhere).collect()
}

impl TryFrom<String> for Destination {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.0
    }
}

fn parse_segment(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = match rest.strip_prefix('{') {
            Some(inner) => {
                let (name, after) = inner.split_once('}')?;
                (placeholder(name)?, after)
            }
            None => {
                let (text, after) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
                text.bytes().all(is_key_byte).then_some((Piece::Text(text.to_owned()), after))?
            }
        };
        pieces.push(piece);
        rest = after;
    }
    (!pieces.is_empty() && !is_dots(text)).then_some(pieces)
}

fn placeholder(name: &str) -> Option<Piece> {
    let pieces = [Piece::S3Prefix, Piece::LogGroup, Piece::Year, Piece::Month];
    PLACEHOLDERS.iter().zip(pieces).find_map(|(known, piece)| (*known == name).then_some(piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &DestinationTemplate, s3_prefix: &str, log_group: &str) -> Result<String, String> {
        let destination = template.render(&Prefix::parse(s3_prefix).unwrap(), &LogGroupName::parse(log_group).unwrap());
        destination.map(|destination| destination.prefix_of("2026-10".parse().unwrap()))
    }

    fn render(template: &str, s3_prefix: &str, log_group: &str) -> String {
        rendered(&DestinationTemplate::parse(template).unwrap(), s3_prefix, log_group).unwrap()
    }

    #[test]
    fn the_default_layout_keeps_the_name_of_the_log_group() {
        assert_eq!(
            render(DEFAULT_TEMPLATE_TEXT, "cloudwatch-logs", "/aws/lambda/orders"),
            "cloudwatch-logs/log_group=/aws/lambda/orders/year=2026/month=10"
        );
        assert_eq!(render(DEFAULT_TEMPLATE_TEXT, "", "a//b/"), "log_group=a//b//year=2026/month=10");
        assert_eq!(render(DEFAULT_TEMPLATE_TEXT, "a/b", "x#1"), "a/b/log_group=x#1/year=2026/month=10");
    }

    #[test]
    fn a_template_can_give_the_layout_of_2019() {
        assert_eq!(render("{year}/{month}/{s3Prefix}", "orders", "/aws/lambda/orders"), "2026/10/orders");
        assert_eq!(render("{year}/{month}/{s3Prefix}", "", "/aws/lambda/orders"), "2026/10");
    }

    #[test]
    fn the_destination_is_found_from_its_prefix() {
        let month = "2026-10".parse().unwrap();
        for (template, log_group) in [
            (DEFAULT_TEMPLATE_TEXT, "/app/2026-10/10"),
            ("{year}/{month}/{s3Prefix}", "/a"),
            ("{year}/{month}/x={logGroup}", "/2026/10"),
            ("{year}/{year}-{month}", "/a"),
        ] {
            let template = DestinationTemplate::parse(template).unwrap();
            let expected = template.render(&Prefix::parse("logs").unwrap(), &LogGroupName::parse(log_group).unwrap()).unwrap();
            let found: Vec<_> = Destination::candidates(&expected.prefix_of(month), month).collect();
            assert!(found.contains(&expected), "{expected:?}: {found:?}");
        }
    }

    #[test]
    fn the_error_of_a_template_says_what_to_write() {
        for (template, fix) in [
            ("{year}/{month}/{name}", "the placeholders {s3Prefix} {logGroup} {year} {month}"),
            ("{year}/{month", "the placeholders"),
            ("/{year}/{month}", "joined by single slashes"),
            ("{year}//{month}", "joined by single slashes"),
            ("{year}/{month}/", "joined by single slashes"),
            ("{year}/{month}/ü", "A-Z a-z 0-9"),
            ("{year}/{month}/a}", "A-Z a-z 0-9"),
            ("", "joined by single slashes"),
            ("{year}/../{month}", "none of them . or .."),
            ("{year}/{s3Prefix}", "{year} and {month}"),
            ("logs", "{year} and {month}"),
            ("{logGroup}/{year}/{month}", "log_group={logGroup}"),
        ] {
            let error = DestinationTemplate::parse(template).unwrap_err();
            assert!(error.contains(fix), "{template}: {error}");
        }
    }

    #[test]
    fn a_prefix_that_begins_with_a_slash_is_refused() {
        let template = DestinationTemplate::parse("{s3Prefix}{logGroup}/{year}/{month}").unwrap();
        let render = |s3_prefix, log_group| rendered(&template, s3_prefix, log_group);
        assert!(render("", "/ecs/web").unwrap_err().contains("give an s3Prefix"));
        assert_eq!(render("", "web").as_deref(), Ok("web/2026/10"));
        assert_eq!(render("logs", "/ecs/web").as_deref(), Ok("logs/ecs/web/2026/10"));
    }

    #[test]
    fn a_prefix_too_long_for_any_key_is_refused() {
        let template = DestinationTemplate::parse(&format!("{}{{logGroup}}/{{year}}/{{month}}", "x".repeat(200))).unwrap();
        let error = rendered(&template, &"p".repeat(300), &"g".repeat(512));
        assert_eq!(error.map(|prefix| prefix.len()), Ok(200 + 512 + 8), "s3Prefix is not part of this template");
        let template = DestinationTemplate::parse(&format!("{}{{s3Prefix}}{{logGroup}}/{{year}}/{{month}}", "x".repeat(200))).unwrap();
        let render = |length| rendered(&template, &"p".repeat(length), &"g".repeat(512));
        assert_eq!(render(180).map(|prefix| prefix.len()), Ok(900));
        assert!(render(181).unwrap_err().starts_with("the destination prefix has 901 bytes and may have 900"));
        let error = rendered(&template, &"p".repeat(300), &"g".repeat(512)).unwrap_err();
        assert!(error.starts_with("the destination prefix has 1020 bytes"), "{error}");
    }
}
