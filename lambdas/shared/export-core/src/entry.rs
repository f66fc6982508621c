//! An element of a run's `logGroups`: a log group by name, or every log group whose name begins so.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{
    destination::{self, Template},
    fields::Fields,
    names,
    problems::Problems,
};

/// What an entry may set for itself, in place of the run's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_prefix: Option<DestinationPrefix>,
}

/// A `destinationPrefix` template with the text it was written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationPrefix {
    text: String,
    pub template: Template,
}

impl Serialize for DestinationPrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl Placement {
    pub(crate) const FIELDS: [&str; 3] = ["s3Prefix", "logStreamNamePrefix", "destinationPrefix"];

    pub(crate) fn read(fields: &Fields, problems: &mut Problems) -> Self {
        let s3_prefix = fields.text("s3Prefix", names::s3_prefix, problems);
        Self { s3_prefix, ..Self::read_without_s3_prefix(fields, problems) }
    }

    /// For an event of one log group, where `s3Prefix` is read with the run's settings.
    pub(crate) fn read_without_s3_prefix(fields: &Fields, problems: &mut Problems) -> Self {
        let template = |text: &str| Template::parse(text).map(|template| DestinationPrefix { text: text.to_owned(), template });
        Self {
            s3_prefix: None,
            log_stream_name_prefix: fields.text("logStreamNamePrefix", names::log_stream_prefix, problems),
            destination_prefix: fields.text("destinationPrefix", template, problems),
        }
    }

    /// Where a log group placed so lands in `month`.
    pub fn render(&self, run_s3_prefix: &str, log_group_name: &str, month: crate::Month) -> Result<String, String> {
        let s3_prefix = self.s3_prefix.as_deref().unwrap_or(run_s3_prefix);
        let template = self.destination_prefix.as_ref().map_or(&*destination::DEFAULT, |own| &own.template);
        template.render(s3_prefix, log_group_name, month)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    LogGroup { log_group_name: String, placement: Placement },
    Prefix { log_group_name_prefix: String, exclude: Vec<String>, placement: Placement },
}

impl Entry {
    pub(crate) fn read(value: &Value, path: &str, problems: &mut Problems) -> Option<Self> {
        match value {
            Value::String(name) => match names::log_group(name) {
                Ok(log_group_name) => Some(Self::LogGroup { log_group_name, placement: Placement::default() }),
                Err(fix) => {
                    problems.add(path, value, fix);
                    None
                }
            },
            Value::Object(object) => Self::read_fields(&Fields::nested(object, path), path, value, problems),
            _ => {
                problems.add(path, value, "give a log group name, or an object with logGroupName or logGroupNamePrefix");
                None
            }
        }
    }

    fn read_fields(fields: &Fields, path: &str, value: &Value, problems: &mut Problems) -> Option<Self> {
        let placement = Placement::read(fields, problems);
        match (fields.has("logGroupName"), fields.has("logGroupNamePrefix")) {
            (true, false) => {
                fields.refuse_unknown(&[&["logGroupName"][..], &Placement::FIELDS].concat(), problems);
                let log_group_name = fields.text("logGroupName", names::log_group, problems)?;
                Some(Self::LogGroup { log_group_name, placement })
            }
            (false, true) => {
                fields.refuse_unknown(&[&["logGroupNamePrefix", "exclude"][..], &Placement::FIELDS].concat(), problems);
                let exclude = read_exclude(fields, problems);
                if placement.destination_prefix.as_ref().is_some_and(|own| !own.template.names_log_group()) {
                    let fix =
                        "it must contain {logGroup} where an entry matches many log groups, or all of them would be written to one place";
                    problems.add(&fields.path_of("destinationPrefix"), &value["destinationPrefix"], fix);
                }
                let log_group_name_prefix = fields.text("logGroupNamePrefix", names::log_group, problems)?;
                Some(Self::Prefix { log_group_name_prefix, exclude, placement })
            }
            _ => {
                problems.add(path, value, "give exactly one of logGroupName and logGroupNamePrefix");
                None
            }
        }
    }
}

fn read_exclude(fields: &Fields, problems: &mut Problems) -> Vec<String> {
    let Some(value) = fields.get("exclude") else { return Vec::new() };
    let Some(patterns) = value.as_array() else {
        problems.add(&fields.path_of("exclude"), value, "give a list of log group names, each with an optional * at its end");
        return Vec::new();
    };
    let mut read = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let text = pattern.as_str().ok_or_else(|| "write it as a text in double quotes".to_owned());
        match text.and_then(names::exclude_pattern) {
            Ok(pattern) => read.push(pattern),
            Err(fix) => problems.add(&format!("{}[{index}]", fields.path_of("exclude")), pattern, fix),
        }
    }
    read
}

/// Whether an `exclude` pattern covers a name; for a prefix, whether it covers every name that begins with it.
pub(crate) fn excludes_name(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

pub(crate) fn excludes_prefix(pattern: &str, prefix: &str) -> bool {
    pattern.strip_suffix('*').is_some_and(|beginning| prefix.starts_with(beginning))
}
