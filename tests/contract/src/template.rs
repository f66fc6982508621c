//! The templates of `infra/`, and CloudFormation's functions as far as they use them.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use serde_norway::Value;
use serde_norway::value::TaggedValue;

pub const ARCHIVE: &str = "infra/template.yaml";

/// The templates' files.
pub fn files() -> Vec<String> {
    crate::files("infra", "yaml")
}

/// With CloudFormation's tags kept as they are written; indexing goes through them.
pub fn load(file: &str) -> Value {
    serde_norway::from_str(&crate::read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

pub fn keys(value: &Value) -> Vec<String> {
    let mapping = value.as_mapping().into_iter().flat_map(|mapping| mapping.keys());
    mapping.filter_map(|key| key.as_str().map(str::to_owned)).collect()
}

/// The resources of a type, each with its properties.
pub fn resources<'a>(template: &'a Value, kind: &str) -> Vec<(String, &'a Value)> {
    let all = &template["Resources"];
    let names = keys(all).into_iter().filter(|name| all[name.as_str()]["Type"].as_str() == Some(kind));
    names.map(|name| (name.clone(), &all[name.as_str()]["Properties"])).collect()
}

/// Calls back for every mapping of a document.
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

/// A template whose functions can be carried out.
pub struct Template {
    pub document: Value,
    /// Parameters, pseudo parameters, and what `Ref` or `Fn::GetAtt` give for resources.
    pub values: BTreeMap<String, String>,
}

impl Template {
    pub fn new<'a>(file: &str, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { document: load(file), values: values.collect() }
    }

    /// The assertion that refuses these parameters, if a rule has one.
    pub fn refusal(&self) -> Option<String> {
        let rules = self.document["Rules"].as_mapping().expect("the template has rules").values();
        let applies = |rule: &&Value| rule.get("RuleCondition").is_none_or(|condition| self.json(condition) == true);
        let mut assertions = rules.filter(applies).flat_map(|rule| rule["Assertions"].as_sequence().expect("assertions"));
        let refusal = assertions.find(|assertion| self.json(&assertion["Assert"]) == false);
        refusal.map(|assertion| assertion["AssertDescription"].as_str().expect("a message").to_owned())
    }

    pub fn text(&self, value: &Value) -> String {
        self.json(value).as_str().unwrap_or_else(|| panic!("no text: {value:?}")).to_owned()
    }

    /// A value with every function carried out.
    pub fn json(&self, value: &Value) -> Json {
        self.evaluated(value).unwrap_or_else(|| panic!("AWS::NoValue, where nothing can be left out"))
    }

    /// None for `AWS::NoValue`, which takes a member or an item out.
    fn evaluated(&self, value: &Value) -> Option<Json> {
        Some(match value {
            Value::Mapping(mapping) => {
                let name = |key: &Value| key.as_str().expect("a name").to_owned();
                Json::Object(mapping.iter().filter_map(|(key, value)| Some((name(key), self.evaluated(value)?))).collect())
            }
            Value::Sequence(items) => items.iter().filter_map(|item| self.evaluated(item)).collect(),
            Value::Tagged(tagged) => return self.called(tagged),
            other => serde_json::to_value(other).expect("a value of JSON"),
        })
    }

    fn called(&self, function: &TaggedValue) -> Option<Json> {
        let argument = &function.value;
        let nth = |index: usize| &argument[index];
        let list = || argument.as_sequence().expect("arguments");
        Some(match function.tag.to_string().trim_start_matches('!') {
            "Ref" if argument == "AWS::NoValue" => return None,
            "Ref" | "GetAtt" => self.value(argument.as_str().expect("a name")).into(),
            "Sub" if argument.is_string() => self.substituted(argument.as_str().unwrap_or_default(), &Value::Null).into(),
            "Sub" => self.substituted(nth(0).as_str().expect("a text"), nth(1)).into(),
            "If" => return self.evaluated(nth(if self.condition(nth(0)) { 1 } else { 2 })),
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
            "And" => list().iter().all(|one| self.json(one) == true).into(),
            "Or" => list().iter().any(|one| self.json(one) == true).into(),
            "Contains" => self.json(nth(0)).as_array().expect("a list").contains(&self.json(nth(1))).into(),
            "Condition" => self.condition(argument).into(),
            other => panic!("{other} is not evaluated here"),
        })
    }

    fn condition(&self, name: &Value) -> bool {
        self.json(&self.document["Conditions"][name.as_str().expect("a condition's name")]) == true
    }

    fn value(&self, name: &str) -> String {
        self.values.get(name).unwrap_or_else(|| panic!("{name} has no value")).clone()
    }

    fn substituted(&self, text: &str, own: &Value) -> String {
        let mut parts = text.split("${");
        let mut result = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or_else(|| panic!("no end: {part}"));
            result += &own.get(name).map_or_else(|| self.value(name), |value| self.text(value));
            result += rest;
        }
        result
    }
}
