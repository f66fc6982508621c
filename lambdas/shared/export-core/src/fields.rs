//! Reads the fields of a JSON object, and collects every problem with them.

use serde_json::{Map, Value};

use crate::{
    SettleDays,
    problems::{Problems, quote},
    time::Millis,
};

pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// The path of the object in the input, such as `logGroups[3].`; empty for the input itself.
    path: String,
}

impl<'a> Fields<'a> {
    /// The fields of a whole input or event. `what` names it in a problem.
    pub fn top(value: &'a Value, what: &str, problems: &mut Problems) -> Option<Self> {
        let object = value.as_object();
        if object.is_none() {
            problems.add(what, value, "give a JSON object");
        }
        object.map(|object| Self { object, path: String::new() })
    }

    pub fn nested(object: &'a Map<String, Value>, path: &str) -> Self {
        Self { object, path: format!("{path}.") }
    }

    pub fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name)
    }

    pub fn path_of(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// Refuses unknown fields: with a misspelt `s3Prefix`, a run would archive to the wrong place.
    pub fn refuse_unknown(&self, known: &[&str], problems: &mut Problems) {
        for name in self.object.keys().filter(|name| !known.contains(&name.as_str())) {
            problems.add_text(|| format!("{} is not a known field: use one of {}", self.path_of(&quote(name)), known.join(", ")));
        }
    }

    pub fn require(&self, name: &str, problems: &mut Problems) {
        if !self.has(name) {
            problems.add_text(|| format!("{} is missing: it is required", self.path_of(name)));
        }
    }

    /// Reads a text field. The error of `parse` says what to write instead.
    pub fn text<T>(&self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>, problems: &mut Problems) -> Option<T> {
        let value = self.get(name)?;
        let result = value.as_str().ok_or_else(|| "write it as a text in double quotes".to_owned()).and_then(parse);
        result.map_err(|fix| problems.add(&self.path_of(name), value, fix)).ok()
    }

    pub fn millis(&self, name: &str, problems: &mut Problems) -> Option<Millis> {
        let value = self.get(name)?;
        let millis = value.as_i64().filter(|millis| (0..Millis::LAST.0).contains(millis)).map(Millis);
        if millis.is_none() {
            problems.add(&self.path_of(name), value, "give UTC epoch milliseconds as a number, such as 1790780400000");
        }
        millis
    }

    /// JSON has one kind of number: `15.0` is 15.
    pub fn settle_days(&self, name: &str, problems: &mut Problems) -> Option<SettleDays> {
        let value = self.get(name)?;
        let days = value.as_f64().and_then(SettleDays::new);
        if days.is_none() {
            problems.add(&self.path_of(name), value, SettleDays::EXPECTED);
        }
        days
    }

    pub fn flag(&self, name: &str, problems: &mut Problems) -> bool {
        let Some(value) = self.get(name) else { return false };
        value.as_bool().unwrap_or_else(|| {
            problems.add(&self.path_of(name), value, "write true or false, without quotes");
            false
        })
    }
}
