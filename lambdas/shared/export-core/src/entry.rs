//! Entries, the elements of a run's `logGroups`: one log group by name, or all log groups with a prefix.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    BucketName, LogGroupName, Prefix, StreamPrefix,
    destination::{DEFAULT_TEMPLATE, Destination, DestinationTemplate},
    fields::Fields,
    names,
    place::{Place, Stack},
    problems::Problems,
};

/// One log group and where its months go, with the fields of an event of `create-export-task`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    pub s3_bucket_name: BucketName,
    pub s3_prefix: Prefix,
    pub log_group_name: LogGroupName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name_prefix: Option<StreamPrefix>,
    #[serde(rename = "destinationPrefix", skip_serializing_if = "Option::is_none")]
    pub destination_template: Option<DestinationTemplate>,
}

impl Source {
    /// Reads the fields that the events of create-export-task and check-export-task share. The stack has the defaults.
    pub(crate) fn parse(
        fields: &Fields,
        destination_template: Option<DestinationTemplate>,
        stack: &Stack,
        problems: &mut Problems,
    ) -> Option<Self> {
        let log_group = fields.text("logGroupName", |text| names::parse_log_group(text, &stack.account, &stack.region), problems);
        let s3_bucket_name = fields.text("s3BucketName", BucketName::parse, problems).unwrap_or_else(|| stack.bucket.clone());
        let s3_prefix = fields.text("s3Prefix", Prefix::parse, problems).unwrap_or_else(|| stack.s3_prefix.clone());
        let log_stream_name_prefix = fields.text("logStreamNamePrefix", StreamPrefix::parse, problems);
        let log_group_name = log_group?;
        Some(Self { s3_bucket_name, s3_prefix, log_group_name, log_stream_name_prefix, destination_template })
    }

    pub fn place(&self, stack: &Stack) -> Result<Place, String> {
        let destination = self.destination()?;
        Ok(stack.place(self.s3_bucket_name.clone(), self.log_group_name.clone(), destination))
    }

    pub fn destination(&self) -> Result<Destination, String> {
        self.destination_template.as_ref().unwrap_or(&DEFAULT_TEMPLATE).render(&self.s3_prefix, &self.log_group_name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub selector: Selector,
    pub s3_prefix: Option<Prefix>,
    pub log_stream_name_prefix: Option<StreamPrefix>,
    pub destination_template: Option<DestinationTemplate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    Name(LogGroupName),
    Prefix { log_group_name_prefix: LogGroupName, exclude: Vec<String> },
}

impl Entry {
    const OPTIONS: [&str; 3] = ["s3Prefix", "logStreamNamePrefix", "destinationPrefix"];

    /// The entry's options override the run's.
    pub fn source(&self, log_group_name: LogGroupName, bucket: &BucketName, s3_prefix: &Prefix) -> Source {
        Source {
            s3_bucket_name: bucket.clone(),
            s3_prefix: self.s3_prefix.as_ref().unwrap_or(s3_prefix).clone(),
            log_group_name,
            log_stream_name_prefix: self.log_stream_name_prefix.clone(),
            destination_template: self.destination_template.clone(),
        }
    }

    /// How well the entry matches a name: a whole name is better than every prefix, a longer prefix better than a shorter one. `None`: the
    /// entry does not match.
    pub fn rank(&self, name: &LogGroupName) -> Option<(bool, usize)> {
        let name = name.as_str();
        match &self.selector {
            Selector::Name(selected) => (selected.as_str() == name).then_some((true, name.len())),
            Selector::Prefix { log_group_name_prefix: prefix, exclude } => {
                let excluded = exclude.iter().any(|pattern| excludes(pattern, name));
                (name.starts_with(prefix.as_str()) && !excluded).then_some((false, prefix.as_str().len()))
            }
        }
    }

    pub(crate) fn parse(value: &Value, path: &str, stack: &Stack, problems: &mut Problems) -> Option<Self> {
        match value {
            Value::String(name) => match names::parse_log_group(name, &stack.account, &stack.region) {
                Ok(name) => {
                    Some(Self { selector: Selector::Name(name), s3_prefix: None, log_stream_name_prefix: None, destination_template: None })
                }
                Err(fix) => {
                    problems.add(path, value, fix);
                    None
                }
            },
            Value::Object(object) => Self::parse_fields(&Fields::nested(object, path), path, value, stack, problems),
            _ => {
                problems.add(path, value, "give a log group name, or an object with logGroupName or logGroupNamePrefix");
                None
            }
        }
    }

    fn parse_fields(fields: &Fields, path: &str, value: &Value, stack: &Stack, problems: &mut Problems) -> Option<Self> {
        let s3_prefix = fields.text("s3Prefix", Prefix::parse, problems);
        let log_stream_name_prefix = fields.text("logStreamNamePrefix", StreamPrefix::parse, problems);
        let destination_template = fields.text("destinationPrefix", DestinationTemplate::parse, problems);
        let selector = match (fields.has("logGroupName"), fields.has("logGroupNamePrefix")) {
            (true, false) => {
                fields.refuse_unknown(&[&["logGroupName"][..], &Self::OPTIONS].concat(), problems);
                fields
                    .text("logGroupName", |text| names::parse_log_group(text, &stack.account, &stack.region), problems)
                    .map(Selector::Name)
            }
            (false, true) => {
                fields.refuse_unknown(&[&["logGroupNamePrefix", "exclude"][..], &Self::OPTIONS].concat(), problems);
                let exclude = parse_exclude(fields, problems);
                if destination_template.as_ref().is_some_and(|template| !template.names_log_group()) {
                    let fix = "it must contain {logGroup}, because the entry can match several log groups, and each needs its own place";
                    problems.add(&fields.path_of("destinationPrefix"), &value["destinationPrefix"], fix);
                }
                let prefix = fields.text("logGroupNamePrefix", LogGroupName::parse, problems);
                prefix.map(|log_group_name_prefix| Selector::Prefix { log_group_name_prefix, exclude })
            }
            _ => {
                problems.add(path, value, "give exactly one of logGroupName and logGroupNamePrefix");
                None
            }
        };
        selector.map(|selector| Self { selector, s3_prefix, log_stream_name_prefix, destination_template })
    }
}

fn parse_exclude(fields: &Fields, problems: &mut Problems) -> Vec<String> {
    let Some(value) = fields.get("exclude") else { return Vec::new() };
    let Some(patterns) = value.as_array() else {
        problems.add(&fields.path_of("exclude"), value, "give a list of log group names, each with an optional * at its end");
        return Vec::new();
    };
    let mut parsed = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let text = pattern.as_str().ok_or_else(|| "write it as a text in double quotes".to_owned());
        match text.and_then(names::parse_exclude_pattern) {
            Ok(pattern) => parsed.push(pattern),
            Err(fix) => problems.add(&format!("{}[{index}]", fields.path_of("exclude")), pattern, fix),
        }
    }
    parsed
}

fn excludes(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}
