//! Evaluates the stack's templates. `doctor` compares the deployment with them, and its fixes contain their policies and alarms.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use serde_norway::{Value, value::TaggedValue};

pub const ARCHIVE: &str = include_str!("../../../../infra/archive.yaml");
pub const MONITORING: &str = include_str!("../../../../infra/monitoring.yaml");
pub const FUNCTIONS: &str = include_str!("../../../../infra/functions.yaml");
pub const ROOT: &str = include_str!("../../../../infra/template.yaml");

/// The resource types that `doctor` compares with the deployment.
const COMPARED_TYPES: [&str; 5] =
    ["AWS::CloudWatch::Alarm", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::S3::BucketPolicy", "AWS::Scheduler::Schedule"];

pub struct Template {
    document: Value,
    /// The values of parameters, pseudo parameters, and of `Ref` and `Fn::GetAtt` for resources.
    pub values: BTreeMap<String, String>,
}

impl Template {
    pub fn new(text: &str, values: BTreeMap<String, String>) -> Self {
        Self { document: serde_norway::from_str(text).expect("the templates are YAML"), values }
    }

    /// The resources of a type whose conditions hold.
    pub fn resources(&self, resource_type: &str) -> Vec<&str> {
        let exists = |resource: &Value| resource.get("Condition").is_none_or(|condition| self.condition(condition) == Some(true));
        self.all_resources().filter(|(_, resource)| resource["Type"] == resource_type && exists(resource)).map(|(name, _)| name).collect()
    }

    fn all_resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.document["Resources"].as_mapping().expect("a template has resources");
        all.iter().filter_map(|(name, resource)| Some((name.as_str()?, resource)))
    }

    /// The resources that cannot be compared, because the deployed stack lacks a value that they need.
    pub fn unresolved(&self) -> Vec<&str> {
        let is_resolved = |name: &str, resource: &Value| match resource.get("Condition").map(|condition| self.condition(condition)) {
            Some(Some(false)) => true,
            Some(None) => false,
            Some(Some(true)) | None => {
                self.properties(name).is_some() && (resource["Type"] != "AWS::IAM::Role" || self.values.contains_key(name))
            }
        };
        let compared =
            self.all_resources().filter(|(_, resource)| COMPARED_TYPES.iter().any(|resource_type| resource["Type"] == *resource_type));
        compared.filter(|(name, resource)| !is_resolved(name, resource)).map(|(name, _)| name).collect()
    }

    /// The properties of a resource. `None`: the deployed stack lacks a value that they need.
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
                for (key, value) in mapping.iter().filter(|(_, value)| !self.is_no_value(value)) {
                    object.insert(key.as_str()?.to_owned(), self.json(value)?);
                }
                object.into()
            }
            Value::Sequence(items) => {
                Json::Array(items.iter().filter(|item| !self.is_no_value(item)).map(|item| self.json(item)).collect::<Option<_>>()?)
            }
            Value::Tagged(tagged) => return self.call(tagged),
            other => serde_json::to_value(other).ok()?,
        })
    }

    /// Whether a value is `AWS::NoValue`, directly or through `Fn::If`.
    fn is_no_value(&self, value: &Value) -> bool {
        let Value::Tagged(tagged) = value else { return false };
        match (tagged.tag.to_string().as_str(), &tagged.value) {
            ("!Ref", name) => name == "AWS::NoValue",
            ("!If", arguments) => self.branch(arguments).is_some_and(|value| self.is_no_value(value)),
            _ => false,
        }
    }

    fn branch<'a>(&self, arguments: &'a Value) -> Option<&'a Value> {
        Some(&arguments[if self.condition(&arguments[0])? { 1 } else { 2 }])
    }

    /// Evaluates an intrinsic function.
    fn call(&self, function: &TaggedValue) -> Option<Json> {
        let argument = &function.value;
        Some(match function.tag.to_string().trim_start_matches('!') {
            "Ref" | "GetAtt" => self.values.get(argument.as_str()?)?.clone().into(),
            "Sub" if argument.is_string() => self.substitute(argument.as_str()?, &Value::Null)?.into(),
            "Sub" => self.substitute(argument[0].as_str()?, &argument[1])?.into(),
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
            "And" => argument.as_sequence()?.iter().all(|item| self.json(item) == Some(true.into())).into(),
            "Or" => argument.as_sequence()?.iter().any(|item| self.json(item) == Some(true.into())).into(),
            "Condition" => self.condition(argument)?.into(),
            _ => return None,
        })
    }

    fn condition(&self, name: &Value) -> Option<bool> {
        self.json(&self.document["Conditions"][name.as_str()?])?.as_bool()
    }

    fn substitute(&self, text: &str, local_values: &Value) -> Option<String> {
        let mut parts = text.split("${");
        let mut result = parts.next()?.to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}')?;
            result += &local_values.get(name).map_or_else(|| self.values.get(name).cloned(), |value| self.text(value))?;
            result += rest;
        }
        Some(result)
    }
}

/// The texts of a policy's element, which can be a text or a list.
pub fn one_or_more(value: &Json) -> Vec<String> {
    let values = value.as_array().map_or_else(|| vec![value], |values| values.iter().collect());
    values.into_iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_without_its_values_is_unresolved() {
        let values = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        let parameters = ["ArchiveStackName", "StateMachineArn", "DeadLetterQueueName", "NotificationTopicArn", "Schedule", "Monitoring"];
        assert_eq!(Template::new(MONITORING, values(&parameters)).unresolved(), [""; 0]);
        // The first alarm lacks a parameter of a condition, and the second one a parameter of a property.
        assert_eq!(
            Template::new(MONITORING, values(&["ArchiveStackName", "StateMachineArn", "NotificationTopicArn"])).unresolved(),
            ["NoRunEndedAlarm", "StartFailedAlarm"]
        );
        let parameters = ["AWS::StackName", "Schedule", "TimeZone", "SettleDays", "Compact", "LogGroups"];
        let resources = ["ExportLogsStateMachine", "ExportLogsScheduleDeadLetterQueue.Arn", "ExportLogsScheduleRole.Arn"];
        let template = Template::new(ROOT, values(&[&parameters[..], &resources].concat()));
        assert!(template.properties("ExportLogsSchedule").is_some());
        assert_eq!(
            template.unresolved(),
            ["ExportLogsStateMachineRole", "ExportLogsDistributedMapPolicy", "ExportLogsScheduleRole"],
            "the stack lacks the roles themselves"
        );
    }
}
