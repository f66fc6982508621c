//! An element of a run's `logGroups`: a log group by name, or every log group whose name begins so; and where its months land.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    BucketName, LogGroupName, Prefix, StreamPrefix,
    destination::{self, Destination, Template},
    fields::Fields,
    names,
    place::{Place, Stack},
    problems::Problems,
};

/// One log group and where its months land, in the fields of an event of `create-export-task`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    pub s3_bucket_name: BucketName,
    pub s3_prefix: Prefix,
    pub log_group_name: LogGroupName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name_prefix: Option<StreamPrefix>,
    /// The template as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_prefix: Option<Template>,
}

impl Source {
    pub fn place(&self, stack: &Stack) -> Result<Place, String> {
        let destination = self.destination()?;
        Ok(stack.place(self.s3_bucket_name.clone(), self.log_group_name.clone(), destination))
    }

    pub fn destination(&self) -> Result<Destination, String> {
        self.destination_prefix.as_ref().unwrap_or(&destination::DEFAULT).render(&self.s3_prefix, &self.log_group_name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub selector: Selector,
    pub s3_prefix: Option<Prefix>,
    pub log_stream_name_prefix: Option<StreamPrefix>,
    pub destination_prefix: Option<Template>,
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
            destination_prefix: self.destination_prefix.clone(),
        }
    }

    /// How well the entry matches a name: the length of what it names, a whole name before every prefix. `None`: not at all.
    pub fn rank(&self, name: &LogGroupName) -> Option<(bool, usize)> {
        let name = name.as_str();
        match &self.selector {
            Selector::Name(own) => (own.as_str() == name).then_some((true, name.len())),
            Selector::Prefix { log_group_name_prefix: prefix, exclude } => {
                let excluded = exclude.iter().any(|pattern| excludes(pattern, name));
                (name.starts_with(prefix.as_str()) && !excluded).then_some((false, prefix.as_str().len()))
            }
        }
    }

    pub(crate) fn read(value: &Value, path: &str, stack: &Stack, problems: &mut Problems) -> Option<Self> {
        match value {
            Value::String(name) => match names::log_group(name, &stack.account, &stack.region) {
                Ok(name) => {
                    Some(Self { selector: Selector::Name(name), s3_prefix: None, log_stream_name_prefix: None, destination_prefix: None })
                }
                Err(fix) => {
                    problems.add(path, value, fix);
                    None
                }
            },
            Value::Object(object) => Self::read_fields(&Fields::nested(object, path), path, value, stack, problems),
            _ => {
                problems.add(path, value, "give a log group name, or an object with logGroupName or logGroupNamePrefix");
                None
            }
        }
    }

    fn read_fields(fields: &Fields, path: &str, value: &Value, stack: &Stack, problems: &mut Problems) -> Option<Self> {
        let s3_prefix = fields.text("s3Prefix", Prefix::parse, problems);
        let log_stream_name_prefix = fields.text("logStreamNamePrefix", StreamPrefix::parse, problems);
        let destination_prefix = fields.text("destinationPrefix", Template::parse, problems);
        let selector = match (fields.has("logGroupName"), fields.has("logGroupNamePrefix")) {
            (true, false) => {
                fields.refuse_unknown(&[&["logGroupName"][..], &Self::OPTIONS].concat(), problems);
                fields.text("logGroupName", |text| names::log_group(text, &stack.account, &stack.region), problems).map(Selector::Name)
            }
            (false, true) => {
                fields.refuse_unknown(&[&["logGroupNamePrefix", "exclude"][..], &Self::OPTIONS].concat(), problems);
                let exclude = read_exclude(fields, problems);
                if destination_prefix.as_ref().is_some_and(|template| !template.names_log_group()) {
                    let fix =
                        "it must contain {logGroup} where an entry matches many log groups, or all of them would be written to one place";
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
        selector.map(|selector| Self { selector, s3_prefix, log_stream_name_prefix, destination_prefix })
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

fn excludes(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}
