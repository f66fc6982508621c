//! Filters events with `--grep`, and selects the events around each match.

use std::collections::VecDeque;

use export_core::time::Millis;
use regex::bytes::{Regex, RegexBuilder};

use crate::{arguments::reading::Fetch, events::sorter::Position, failure::Failure};

#[derive(Debug, Clone)]
pub struct Filter {
    pattern: Option<Regex>,
    before: usize,
    after: usize,
}

impl Filter {
    pub fn parse(arguments: &Fetch) -> Result<Self, Failure> {
        // As in grep, `^` and `$` match at each line of a message.
        let compile = |pattern: &String| RegexBuilder::new(pattern).multi_line(true).build();
        let pattern = arguments.grep.as_ref().map(compile).transpose();
        let pattern = pattern.map_err(|error| {
            Failure::Usage(format!(
                "--grep is not a regular expression: {error}\nWrite a backslash before characters such as ( [ * + ? to find them."
            ))
        })?;
        let number = |number: Option<usize>| number.or(arguments.context).unwrap_or(0);
        Ok(Self { pattern, before: number(arguments.before), after: number(arguments.after) })
    }

    pub fn matches(&self, message: &[u8]) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(message))
    }

    /// Whether events around a match are selected.
    pub fn has_context(&self) -> bool {
        self.before + self.after > 0
    }
}

/// Selects matches and their context. It gets the events of one log stream after another, in the order of time.
pub struct ContextSelection<'a> {
    filter: &'a Filter,
    stream: Option<u32>,
    /// The last events that were not selected.
    before: VecDeque<(Millis, u64, Vec<u8>)>,
    /// How many of the next events are selected.
    after: usize,
}

impl<'a> ContextSelection<'a> {
    pub fn new(filter: &'a Filter) -> Self {
        Self { filter, stream: None, before: VecDeque::new(), after: 0 }
    }

    pub fn visit(&mut self, position: Position, message: &[u8], mut select: impl FnMut(Position, &[u8])) {
        if self.stream.replace(position.stream) != Some(position.stream) {
            self.before.clear();
            self.after = 0;
        }
        if self.filter.matches(message) {
            for (at, index, message) in self.before.drain(..) {
                select(Position { at, index, ..position }, &message);
            }
            select(position, message);
            self.after = self.filter.after;
        } else if self.after > 0 {
            self.after -= 1;
            select(position, message);
        } else if self.filter.before > 0 {
            if self.before.len() == self.filter.before {
                self.before.pop_front();
            }
            self.before.push_back((position.at, position.index, message.to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(pattern: &str, before: usize, after: usize) -> Filter {
        let pattern = RegexBuilder::new(pattern).multi_line(true).build().unwrap();
        Filter { pattern: Some(pattern), before, after }
    }

    #[test]
    fn a_pattern_matches_lines_as_grep_does() {
        for (pattern, message, matches) in [
            ("ORDER-ITEM-1", "ORDER-ITEM-1 x", true),
            ("ORDER-ITEM-1", "ORDER ITEM 1", false),
            ("user@x.com", "to user@x.com", true),
            ("a/b", "a/b", true),
            ("^at b$", "a\nat b\nc", true),
            ("error", "ERROR", false),
            ("(?i)error", "ERROR", true),
            ("日本", "é日本", true),
        ] {
            assert_eq!(filter(pattern, 0, 0).matches(message.as_bytes()), matches, "{pattern} {message}");
        }
    }

    /// The indexes of the selected events of two log streams.
    fn selected(messages: &str, before: usize, after: usize) -> String {
        let filter = filter("x", before, after);
        let (mut selection, mut found) = (ContextSelection::new(&filter), Vec::new());
        for (index, message) in (0..).zip(messages.split(' ')) {
            let position = Position { at: Millis(1), stream: message.len() as u32, index };
            selection.visit(position, message.as_bytes(), |position, _| found.push(position.index.to_string()));
        }
        found.join(" ")
    }

    #[test]
    fn context_comes_from_the_same_log_stream_and_never_twice() {
        for (messages, before, after, expected) in [
            ("a b x c d x e f", 0, 0, "2 5"),
            ("a b x c d x e f", 1, 0, "1 2 4 5"),
            ("a b x c d x e f", 0, 1, "2 3 5 6"),
            ("a b x c d x e f", 2, 2, "0 1 2 3 4 5 6 7"),
            ("a x x b", 1, 1, "0 1 2 3"),
            // Words of two letters are events of another log stream.
            ("a b bb xb bb b x", 2, 2, "2 3 4 5 6"),
            ("x bb b", 0, 9, "0"),
        ] {
            assert_eq!(selected(messages, before, after), expected, "{messages} {before} {after}");
        }
    }
}
