//! The templates of `infra/`, and an evaluator for the CloudFormation functions that they use.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use serde_norway::Value;
use serde_norway::value::TaggedValue;

pub const ARCHIVE: &str = "infra/template.yaml";

pub fn files() -> Vec<String> {
    crate::files("infra", "yaml")
}

/// The result keeps CloudFormation's tags. Indexing ignores them.
pub fn load(file: &str) -> Value {
    serde_norway::from_str(&crate::read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

pub fn keys(value: &Value) -> Vec<String> {
    let mapping = value.as_mapping().into_iter().flat_map(|mapping| mapping.keys());
    mapping.filter_map(|key| key.as_str().map(str::to_owned)).collect()
}

/// The resources of a type, with their properties.
pub fn resources<'a>(template: &'a Value, kind: &str) -> Vec<(String, &'a Value)> {
    let resources = &template["Resources"];
    let names = keys(resources).into_iter().filter(|name| resources[name.as_str()]["Type"].as_str() == Some(kind));
    names.map(|name| (name.clone(), &resources[name.as_str()]["Properties"])).collect()
}

/// Visits every mapping of a document.
pub fn each_mapping(value: &Value, visit: &mut impl FnMut(&Value)) {
    match value {
        Value::Mapping(mapping) => {
            visit(value);
            mapping.values().for_each(|value| each_mapping(value, visit));
        }
        Value::Sequence(items) => items.iter().for_each(|item| each_mapping(item, visit)),
        Value::Tagged(tagged) => each_mapping(&tagged.value, visit),
        _ => {}
    }
}

/// A template with values for its functions.
pub struct Template {
    pub document: Value,
    /// The values of parameters, pseudo parameters, and resources in `Ref` and `Fn::GetAtt`.
    pub values: BTreeMap<String, String>,
}

impl Template {
    pub fn new<'a>(file: &str, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { document: load(file), values: values.collect() }
    }

    /// The message of a failed assertion, if a rule refuses these parameters.
    pub fn failed_assertion(&self) -> Option<String> {
        let rules = self.document["Rules"].as_mapping().expect("the template has rules").values();
        let applies = |rule: &&Value| rule.get("RuleCondition").is_none_or(|condition| self.json(condition) == true);
        let mut assertions = rules.filter(applies).flat_map(|rule| rule["Assertions"].as_sequence().expect("assertions"));
        let failed = assertions.find(|assertion| self.json(&assertion["Assert"]) == false);
        failed.map(|assertion| assertion["AssertDescription"].as_str().expect("a message").to_owned())
    }

    pub fn text(&self, value: &Value) -> String {
        self.json(value).as_str().unwrap_or_else(|| panic!("not a string: {value:?}")).to_owned()
    }

    /// A value with all functions evaluated.
    pub fn json(&self, value: &Value) -> Json {
        self.evaluate(value).unwrap_or_else(|| panic!("AWS::NoValue in place of a required value"))
    }

    /// None for `AWS::NoValue`, which removes a member or an item.
    fn evaluate(&self, value: &Value) -> Option<Json> {
        Some(match value {
            Value::Mapping(mapping) => {
                let name = |key: &Value| key.as_str().expect("a name").to_owned();
                Json::Object(mapping.iter().filter_map(|(key, value)| Some((name(key), self.evaluate(value)?))).collect())
            }
            Value::Sequence(items) => items.iter().filter_map(|item| self.evaluate(item)).collect(),
            Value::Tagged(tagged) => return self.call(tagged),
            other => serde_json::to_value(other).expect("a value of JSON"),
        })
    }

    fn call(&self, function: &TaggedValue) -> Option<Json> {
        let argument = &function.value;
        let nth = |index: usize| &argument[index];
        let list = || argument.as_sequence().expect("arguments");
        Some(match function.tag.to_string().trim_start_matches('!') {
            "Ref" if argument == "AWS::NoValue" => return None,
            "Ref" | "GetAtt" => self.value(argument.as_str().expect("a name")).into(),
            "Sub" if argument.is_string() => self.substitute(argument.as_str().unwrap_or_default(), &Value::Null).into(),
            "Sub" => self.substitute(nth(0).as_str().expect("a text"), nth(1)).into(),
            "If" => return self.evaluate(nth(if self.condition(nth(0)) { 1 } else { 2 })),
            "Join" => {
                let parts = self.json(nth(1));
                let parts: Vec<&str> = parts.as_array().expect("a list").iter().filter_map(Json::as_str).collect();
                parts.join(nth(0).as_str().expect("a separator")).into()
            }
            "Split" => self.text(nth(1)).split(nth(0).as_str().expect("a separator")).collect(),
            "Select" => {
                let (index, parts) = (nth(0).as_u64().expect("an index"), self.json(nth(1)));
                parts.get(index as usize).unwrap_or_else(|| panic!("no part {index} of {parts}")).clone()
            }
            "FindInMap" => {
                let [map, first, second] = [0, 1, 2].map(|at| self.text(nth(at)));
                self.json(&self.document["Mappings"][map.as_str()][first.as_str()][second.as_str()])
            }
            "Equals" => (self.json(nth(0)) == self.json(nth(1))).into(),
            "Not" => (self.json(nth(0)) == false).into(),
            "And" => list().iter().all(|item| self.json(item) == true).into(),
            "Or" => list().iter().any(|item| self.json(item) == true).into(),
            "Contains" => self.json(nth(0)).as_array().expect("a list").contains(&self.json(nth(1))).into(),
            "Condition" => self.condition(argument).into(),
            other => panic!("{other} is not supported"),
        })
    }

    fn condition(&self, name: &Value) -> bool {
        self.json(&self.document["Conditions"][name.as_str().expect("a condition's name")]) == true
    }

    fn value(&self, name: &str) -> String {
        self.values.get(name).unwrap_or_else(|| panic!("{name} has no value")).clone()
    }

    fn substitute(&self, text: &str, variables: &Value) -> String {
        let mut parts = text.split("${");
        let mut result = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or_else(|| panic!("no end: {part}"));
            result += &variables.get(name).map_or_else(|| self.value(name), |value| self.text(value));
            result += rest;
        }
        result
    }
}
