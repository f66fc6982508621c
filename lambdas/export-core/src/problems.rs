//! Everything wrong with an input, gathered before it is refused: a person fixes an input once, not field by field.

use serde_json::Value;

use crate::{ErrorName, ExportError};

/// Step Functions cuts a cause at 32,768 characters, and a message arrives in it as JSON; the rest is for the JSON around.
const MESSAGE_LIMIT: usize = 28_000;
const VALUE_LIMIT: usize = 120;

#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<String>);

impl Problems {
    /// Each problem names the field and its value, and says what to write instead.
    pub fn add(&mut self, field: &str, value: &Value, fix: impl AsRef<str>) {
        self.0.push(format!("{field} is {}: {}", shown(value), fix.as_ref()));
    }

    pub fn say(&mut self, problem: String) {
        self.0.push(problem);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_result<T>(self, value: Option<T>) -> Result<T, ExportError> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(ExportError::new(ErrorName::InvalidInput, self.joined())),
        }
    }

    fn joined(self) -> String {
        let count = self.0.len();
        let mut message = String::new();
        let mut length = 0;
        for (index, problem) in self.0.into_iter().enumerate() {
            length += Value::String(problem.clone()).to_string().len();
            if length > MESSAGE_LIMIT {
                message.push_str(&format!("; and {} more problems like these", count - index));
                break;
            }
            if index > 0 {
                message.push_str("; ");
            }
            message.push_str(&problem);
        }
        message
    }
}

/// The value as JSON, cut where it would drown the message.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_LIMIT) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}
