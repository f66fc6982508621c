//! Checks an operation's input against the constraints of the service model, with AWS's messages.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// The members of an input, and the violated constraints. AWS reports all of them in one error.
pub(super) struct Input<'a> {
    members: &'a Map<String, Value>,
    violations: Vec<String>,
}

impl<'a> Input<'a> {
    pub(super) fn new(input: &'a Value) -> Result<Self, ApiError> {
        match input {
            Value::Object(members) => Ok(Self { members, violations: Vec::new() }),
            _ => Err(ApiError::serialization("The request must be a JSON object.")),
        }
    }

    /// A string member. In AWS JSON, `null` means absent.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, ApiError> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(name, other, "a string")),
        }
    }

    /// A whole-number member.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| wrong_type(name, value, "a whole number")),
        }
    }

    /// A required string member.
    pub(super) fn required_text(&mut self, name: &str) -> Result<&'a str, ApiError> {
        let text = self.text(name)?;
        self.require(name, text.is_some());
        Ok(text.unwrap_or_default())
    }

    /// A required whole-number member.
    pub(super) fn required_number(&mut self, name: &str) -> Result<i64, ApiError> {
        let number = self.number(name)?;
        self.require(name, number.is_some());
        Ok(number.unwrap_or_default())
    }

    fn require(&mut self, name: &str, is_present: bool) {
        if !is_present {
            self.violations.push(format!("Value null at '{name}' failed to satisfy constraint: Member must not be null"));
        }
    }

    /// Records a violation if the member is present and does not satisfy the constraint.
    pub(super) fn check(&mut self, name: &str, constraint: &str, is_satisfied: bool) {
        let value = match self.members.get(name) {
            None | Some(Value::Null) => return,
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        if !is_satisfied {
            self.violations.push(format!("Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"));
        }
    }

    /// Checks a string's length. It is 1 to 512 characters in all members of these operations.
    pub(super) fn check_length(&mut self, name: &str, text: Option<&str>) {
        let length = text.map_or(1, |text| text.chars().count());
        self.check(name, "Member must have length greater than or equal to 1", length >= 1);
        self.check(name, "Member must have length less than or equal to 512", length <= 512);
    }

    /// Returns an error if a constraint is violated.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        match self.violations.len() {
            0 => Ok(()),
            1 => Err(ApiError::invalid_parameter(format!("1 validation error detected: {}", self.violations[0]))),
            n => Err(ApiError::invalid_parameter(format!("{n} validation errors detected: {}", self.violations.join("; ")))),
        }
    }
}

fn wrong_type(name: &str, value: &Value, expected: &str) -> ApiError {
    ApiError::serialization(format!("{name} must be {expected}, but is {value}."))
}
