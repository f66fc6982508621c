//! Everything wrong with an input, gathered before it is refused: a person fixes an input once, not field by field.

use serde_json::Value;

use crate::{ErrorName, ExportError};

/// A cause has 32,768 characters at most, and a message stands in it as JSON; the rest is for the JSON around.
const MESSAGE_LIMIT: usize = 28_000;
const VALUE_LIMIT: usize = 120;

/// More than a person reads; an input of thousands of entries can have millions of problems between them.
const COUNT_LIMIT: usize = 500;

#[derive(Debug, Default)]
pub(crate) struct Problems {
    first: Vec<String>,
    more: bool,
}

impl Problems {
    /// Each problem names the field and its value, and says what to write instead.
    pub fn add(&mut self, field: &str, value: &Value, fix: impl AsRef<str>) {
        self.add_text(|| format!("{field} is {}: {}", shown(value), fix.as_ref()));
    }

    pub fn add_text(&mut self, problem: impl FnOnce() -> String) {
        if self.first.len() < COUNT_LIMIT { self.first.push(problem()) } else { self.more = true }
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub fn into_result<T>(self, value: Option<T>) -> Result<T, ExportError> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(ExportError::new(ErrorName::InvalidInput, self.joined())),
        }
    }

    fn joined(self) -> String {
        let mut message = String::new();
        let mut length = 0;
        let mut more = self.more;
        for problem in self.first {
            length += Value::String(problem.clone()).to_string().len();
            if length > MESSAGE_LIMIT {
                more = true;
                break;
            }
            if !message.is_empty() {
                message.push_str("; ");
            }
            message.push_str(&problem);
        }
        if more {
            message.push_str("; and more problems like these");
        }
        message
    }
}

/// A name out of the input, as it is quoted in a problem.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE_LIMIT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The value as JSON, cut where it would drown the message.
fn shown(value: &Value) -> String {
    cut(&value.to_string())
}
