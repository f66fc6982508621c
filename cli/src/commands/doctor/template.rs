//! The templates that the stack was made of: what `doctor` compares a deployment with, and takes its fixes from. So the tool and the
//! stack cannot disagree on a policy or an alarm.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use serde_norway::{Value, value::TaggedValue};

pub const ARCHIVE: &str = include_str!("../../../../infra/archive.yaml");
pub const MONITORING: &str = include_str!("../../../../infra/monitoring.yaml");
pub const FUNCTIONS: &str = include_str!("../../../../infra/functions.yaml");
pub const ROOT: &str = include_str!("../../../../infra/template.yaml");

/// What `doctor` compares with the stack.
const COMPARED: [&str; 5] =
    ["AWS::CloudWatch::Alarm", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::S3::BucketPolicy", "AWS::Scheduler::Schedule"];

pub struct Template {
    document: Value,
    /// Parameters, pseudo parameters, and what `Ref` and `Fn::GetAtt` give for resources.
    pub values: BTreeMap<String, String>,
}

impl Template {
    pub fn new(text: &str, values: BTreeMap<String, String>) -> Self {
        Self { document: serde_norway::from_str(text).expect("the templates are YAML"), values }
    }

    /// The resources of a type whose conditions hold.
    pub fn resources(&self, kind: &str) -> Vec<&str> {
        let made = |resource: &Value| resource.get("Condition").is_none_or(|condition| self.condition(condition) == Some(true));
        self.all().filter(|(_, resource)| resource["Type"] == kind && made(resource)).map(|(name, _)| name).collect()
    }

    fn all(&self) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.document["Resources"].as_mapping().expect("a template has resources");
        all.iter().filter_map(|(name, resource)| Some((name.as_str()?, resource)))
    }

    /// What cannot be compared, because the deployed stack has not what it needs.
    pub fn not_compared(&self) -> Vec<&str> {
        let is_known = |name: &str, resource: &Value| match resource.get("Condition").map(|condition| self.condition(condition)) {
            Some(Some(false)) => true,
            Some(None) => false,
            Some(Some(true)) | None => {
                self.properties(name).is_some() && (resource["Type"] != "AWS::IAM::Role" || self.values.contains_key(name))
            }
        };
        let compared = self.all().filter(|(_, resource)| COMPARED.iter().any(|kind| resource["Type"] == *kind));
        compared.filter(|(name, resource)| !is_known(name, resource)).map(|(name, _)| name).collect()
    }

    /// The properties of a resource. `None`: they need a value that the deployed stack has not.
    pub fn properties(&self, resource: &str) -> Option<Json> {
        self.json(&self.document["Resources"][resource]["Properties"])
    }

    pub fn property(&self, resource: &str, name: &str) -> Option<Json> {
        self.json(&self.document["Resources"][resource]["Properties"][name])
    }

    pub fn output(&self, name: &str) -> Option<String> {
        self.text(&self.document["Outputs"][name]["Value"])
    }

    fn text(&self, value: &Value) -> Option<String> {
        self.json(value)?.as_str().map(str::to_owned)
    }

    fn json(&self, value: &Value) -> Option<Json> {
        Some(match value {
            Value::Mapping(mapping) => {
                let mut object = serde_json::Map::new();
                for (key, value) in mapping.iter().filter(|(_, value)| !self.is_left_out(value)) {
                    object.insert(key.as_str()?.to_owned(), self.json(value)?);
                }
                object.into()
            }
            Value::Sequence(items) => {
                Json::Array(items.iter().filter(|item| !self.is_left_out(item)).map(|item| self.json(item)).collect::<Option<_>>()?)
            }
            Value::Tagged(tagged) => return self.called(tagged),
            other => serde_json::to_value(other).ok()?,
        })
    }

    /// `AWS::NoValue`, perhaps behind a condition.
    fn is_left_out(&self, value: &Value) -> bool {
        let Value::Tagged(tagged) = value else { return false };
        match (tagged.tag.to_string().as_str(), &tagged.value) {
            ("!Ref", name) => name == "AWS::NoValue",
            ("!If", arguments) => self.branch(arguments).is_some_and(|value| self.is_left_out(value)),
            _ => false,
        }
    }

    fn branch<'a>(&self, arguments: &'a Value) -> Option<&'a Value> {
        Some(&arguments[if self.condition(&arguments[0])? { 1 } else { 2 }])
    }

    fn called(&self, function: &TaggedValue) -> Option<Json> {
        let argument = &function.value;
        Some(match function.tag.to_string().trim_start_matches('!') {
            "Ref" | "GetAtt" => self.values.get(argument.as_str()?)?.clone().into(),
            "Sub" if argument.is_string() => self.substituted(argument.as_str()?, &Value::Null)?.into(),
            "Sub" => self.substituted(argument[0].as_str()?, &argument[1])?.into(),
            "If" => return self.json(self.branch(argument)?),
            "Join" => {
                let parts = self.json(&argument[1])?;
                let parts: Option<Vec<&str>> = parts.as_array()?.iter().map(Json::as_str).collect();
                parts?.join(argument[0].as_str()?).into()
            }
            "Split" => self.text(&argument[1])?.split(argument[0].as_str()?).collect(),
            "Select" => self.json(&argument[1])?.get(usize::try_from(argument[0].as_u64()?).ok()?)?.clone(),
            "Equals" => (self.json(&argument[0])? == self.json(&argument[1])?).into(),
            "Not" => (self.json(&argument[0])? == false).into(),
            "And" => argument.as_sequence()?.iter().all(|one| self.json(one) == Some(true.into())).into(),
            "Or" => argument.as_sequence()?.iter().any(|one| self.json(one) == Some(true.into())).into(),
            "Condition" => self.condition(argument)?.into(),
            _ => return None,
        })
    }

    fn condition(&self, name: &Value) -> Option<bool> {
        self.json(&self.document["Conditions"][name.as_str()?])?.as_bool()
    }

    fn substituted(&self, text: &str, own: &Value) -> Option<String> {
        let mut parts = text.split("${");
        let mut result = parts.next()?.to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}')?;
            result += &own.get(name).map_or_else(|| self.values.get(name).cloned(), |value| self.text(value))?;
            result += rest;
        }
        Some(result)
    }
}

/// A text or a list of texts, as policies have them.
pub fn one_or_more(value: &Json) -> Vec<String> {
    let values = value.as_array().map_or_else(|| vec![value], |values| values.iter().collect());
    values.into_iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_stack_lacks_is_named() {
        let values = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        let parameters = ["ArchiveStackName", "StateMachineArn", "DeadLetterQueueName", "NotificationTopicArn", "Schedule", "Monitoring"];
        assert_eq!(Template::new(MONITORING, values(&parameters)).not_compared(), [""; 0]);
        // A parameter of a resource, and one of a condition.
        assert_eq!(
            Template::new(MONITORING, values(&["ArchiveStackName", "StateMachineArn", "NotificationTopicArn"])).not_compared(),
            ["NoRunEndedAlarm", "StartFailedAlarm"]
        );
        let parameters = ["AWS::StackName", "Schedule", "TimeZone", "SettleDays", "Compact", "LogGroups"];
        let resources = ["ExportLogsStateMachine", "ExportLogsScheduleDeadLetterQueue.Arn", "ExportLogsScheduleRole.Arn"];
        let template = Template::new(ROOT, values(&[&parameters[..], &resources].concat()));
        assert!(template.properties("ExportLogsSchedule").is_some());
        assert_eq!(
            template.not_compared(),
            ["ExportLogsStateMachineRole", "ExportLogsDistributedMapPolicy", "ExportLogsScheduleRole"],
            "the roles themselves are not in the stack"
        );
    }
}
