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
            ("!Select", Value::Sequence(arguments)) => {
                let parts = self.split(&arguments[1]);
                let index = arguments[0].as_u64().and_then(|index| usize::try_from(index).ok()).expect("an index");
                parts.get(index).unwrap_or_else(|| panic!("no part {index} of {parts:?}")).clone()
            }
            other => panic!("no text: {other:?}"),
        }
    }

    fn split(&self, list: &Value) -> Vec<String> {
        let Value::Tagged(tagged) = list else { panic!("no list: {list:?}") };
        assert_eq!(tagged.tag, "Split");
        let arguments = tagged.value.as_sequence().expect("arguments");
        let separator = arguments[0].as_str().expect("a separator");
        self.text(&arguments[1]).split(separator).map(str::to_owned).collect()
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
        self.given(value).unwrap_or_else(|| panic!("AWS::NoValue, where nothing can be left out"))
    }

    /// None for `AWS::NoValue`, which takes a member or an item out.
    fn given(&self, value: &Value) -> Option<serde_json::Value> {
        Some(match value {
            Value::Mapping(mapping) => {
                let name = |key: &Value| key.as_str().expect("a name").to_owned();
                serde_json::Value::Object(mapping.iter().filter_map(|(key, value)| Some((name(key), self.given(value)?))).collect())
            }
            Value::Sequence(items) => items.iter().filter_map(|item| self.given(item)).collect(),
            Value::Tagged(tagged) if tagged.tag == "If" => {
                let arguments = tagged.value.as_sequence().expect("arguments");
                return self.given(&arguments[if self.condition(arguments[0].as_str().expect("a condition's name")) { 1 } else { 2 }]);
            }
            Value::Tagged(tagged) if tagged.tag == "Ref" && tagged.value == "AWS::NoValue" => return None,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => number.as_i64().expect("a whole number").into(),
            other => self.text(other).into(),
        })
    }
}
