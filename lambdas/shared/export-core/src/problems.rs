//! Collects everything that is wrong with an input, so that a person corrects the input once.

use serde_json::Value;

use crate::{ErrorName, ExportError, text::truncate};

/// Step Functions keeps 32,768 characters of a cause. The message is JSON in it; the rest is for the JSON around it.
const MAX_MESSAGE_LENGTH: usize = 28_000;

/// Characters of a name or value that a problem quotes.
const MAX_QUOTED_CHARS: usize = 120;

/// More than a person reads. Thousands of entries can have millions of problems in pairs.
const MAX_PROBLEMS: usize = 500;

#[derive(Debug, Default)]
pub(crate) struct Problems {
    texts: Vec<String>,
    has_more: bool,
}

impl Problems {
    /// Each problem names the field and its value, and says what to write instead.
    pub fn add(&mut self, field: &str, value: &Value, fix: impl AsRef<str>) {
        self.add_text(|| format!("{field} is {}: {}", quote(&value.to_string()), fix.as_ref()));
    }

    pub fn add_text(&mut self, problem: impl FnOnce() -> String) {
        if self.texts.len() < MAX_PROBLEMS { self.texts.push(problem()) } else { self.has_more = true }
    }

    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    pub fn into_result<T>(self, value: Option<T>) -> Result<T, ExportError> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(ExportError::new(ErrorName::InvalidInput, self.into_message())),
        }
    }

    fn into_message(self) -> String {
        let mut message = String::new();
        let mut length = 0;
        let mut has_more = self.has_more;
        for problem in self.texts {
            length += Value::String(problem.clone()).to_string().len();
            if length > MAX_MESSAGE_LENGTH {
                has_more = true;
                break;
            }
            if !message.is_empty() {
                message.push_str("; ");
            }
            message.push_str(&problem);
        }
        if has_more {
            message.push_str("; and more problems like these");
        }
        message
    }
}

/// A name or value of the input, short enough for a message.
pub(crate) fn quote(text: &str) -> String {
    truncate(text, MAX_QUOTED_CHARS)
}
