//! CloudFormation's functions, as far as the parameters, rules, conditions and outputs of the storage use them.

use std::collections::BTreeMap;

use serde_norway::Value;

pub struct Template {
    pub document: Value,
    /// Parameters, pseudo parameters, and what `Ref` or `Fn::GetAtt` give for resources.
    pub values: BTreeMap<String, String>,
}

impl Template {
    /// Whether every rule lets these parameters pass; otherwise what the first one says that does not.
    pub fn refusal(&self) -> Option<String> {
        let rules = self.document["Rules"].as_mapping().expect("the template has rules");
        let applies = |rule: &Value| rule.get("RuleCondition").is_none_or(|condition| self.holds(condition));
        let assertions = rules.values().filter(|rule| applies(rule)).flat_map(|rule| rule["Assertions"].as_sequence().expect("assertions"));
        let refusal = assertions.into_iter().find(|assertion| !self.holds(&assertion["Assert"]));
        refusal.map(|assertion| assertion["AssertDescription"].as_str().expect("a message").to_owned())
    }

    pub fn condition(&self, name: &str) -> bool {
        self.holds(&self.document["Conditions"][name])
    }

    fn holds(&self, expression: &Value) -> bool {
        let Value::Tagged(tagged) = expression else { panic!("no function: {expression:?}") };
        let arguments = tagged.value.as_sequence();
        let nth = |index: usize| &arguments.expect("arguments")[index];
        match tagged.tag.to_string().as_str() {
            "!Equals" => self.text(nth(0)) == self.text(nth(1)),
            "!Not" => !self.holds(nth(0)),
            "!And" => arguments.expect("arguments").iter().all(|argument| self.holds(argument)),
            "!Or" => arguments.expect("arguments").iter().any(|argument| self.holds(argument)),
            "!Contains" => nth(0).as_sequence().expect("a list").iter().any(|one| self.text(one) == self.text(nth(1))),
            "!Condition" => self.condition(tagged.value.as_str().expect("a condition's name")),
            other => panic!("{other} is no condition that this evaluates"),
        }
    }

    pub fn text(&self, value: &Value) -> String {
        let tagged = match value {
            Value::String(text) => return text.clone(),
            Value::Tagged(tagged) => tagged,
            other => panic!("no text: {other:?}"),
        };
        match (tagged.tag.to_string().as_str(), &tagged.value) {
            ("!Ref" | "!GetAtt", Value::String(name)) => self.value(name),
            ("!Sub", Value::String(text)) => self.substituted(text, &Value::Null),
            ("!Sub", Value::Sequence(arguments)) => self.substituted(arguments[0].as_str().expect("a text"), &arguments[1]),
            ("!If", Value::Sequence(arguments)) => {
                self.text(&arguments[if self.condition(arguments[0].as_str().expect("a condition's name")) { 1 } else { 2 }])
            }
            ("!Join", Value::Sequence(arguments)) => {
                let parts = arguments[1].as_sequence().expect("a list").iter().map(|part| self.text(part));
                parts.collect::<Vec<_>>().join(arguments[0].as_str().expect("a separator"))
            }
            other => panic!("no text: {other:?}"),
        }
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

    /// A value with every function carried out, as JSON.
    pub fn json(&self, value: &Value) -> serde_json::Value {
        match value {
            Value::Mapping(mapping) => {
                let members = mapping.iter().map(|(key, value)| (key.as_str().expect("a name").to_owned(), self.json(value)));
                serde_json::Value::Object(members.collect())
            }
            Value::Sequence(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Tagged(tagged) if tagged.tag == "If" => {
                let arguments = tagged.value.as_sequence().expect("arguments");
                self.json(&arguments[if self.condition(arguments[0].as_str().expect("a condition's name")) { 1 } else { 2 }])
            }
            other => self.text(other).into(),
        }
    }
}
