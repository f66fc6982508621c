//! `--grep`, and the events of the same log stream around each match.

use std::collections::VecDeque;

use export_core::time::Millis;
use regex::bytes::{Regex, RegexBuilder};

use crate::{arguments::reading::Fetch, events::sorter::Place, failure::Failure};

#[derive(Debug, Clone)]
pub struct Filter {
    pattern: Option<Regex>,
    before: usize,
    after: usize,
}

impl Filter {
    pub fn read(arguments: &Fetch) -> Result<Self, Failure> {
        // As for grep, `^` and `$` are the ends of a line, and a message can have several.
        let compile = |pattern: &String| RegexBuilder::new(pattern).multi_line(true).build();
        let pattern = arguments.grep.as_ref().map(compile).transpose();
        let pattern = pattern.map_err(|error| {
            Failure::Usage(format!(
                "--grep is no regular expression: {error}\nWrite a backslash before characters such as ( [ * + ? to find them."
            ))
        })?;
        let number = |number: Option<usize>| number.or(arguments.context).unwrap_or(0);
        Ok(Self { pattern, before: number(arguments.before), after: number(arguments.after) })
    }

    pub fn matches(&self, message: &[u8]) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(message))
    }

    /// Whether events are wanted that do not match.
    pub fn has_context(&self) -> bool {
        self.before + self.after > 0
    }
}

/// Selects from the events of one log stream after another, each in the order of time.
pub struct Selection<'a> {
    filter: &'a Filter,
    stream: Option<u32>,
    /// The last ones that were not selected.
    before: VecDeque<(Millis, u64, Vec<u8>)>,
    /// So many of the next ones are selected.
    after: usize,
}

impl<'a> Selection<'a> {
    pub fn new(filter: &'a Filter) -> Self {
        Self { filter, stream: None, before: VecDeque::new(), after: 0 }
    }

    pub fn visit(&mut self, place: Place, message: &[u8], mut select: impl FnMut(Place, &[u8])) {
        if self.stream.replace(place.stream) != Some(place.stream) {
            self.before.clear();
            self.after = 0;
        }
        if self.filter.matches(message) {
            for (at, position, message) in self.before.drain(..) {
                select(Place { at, position, ..place }, &message);
            }
            select(place, message);
            self.after = self.filter.after;
        } else if self.after > 0 {
            self.after -= 1;
            select(place, message);
        } else if self.filter.before > 0 {
            if self.before.len() == self.filter.before {
                self.before.pop_front();
            }
            self.before.push_back((place.at, place.position, message.to_vec()));
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
    fn a_message_matches_as_its_lines_do_for_grep() {
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

    /// The numbers of the selected events, of two log streams.
    fn selected(messages: &str, before: usize, after: usize) -> String {
        let filter = filter("x", before, after);
        let (mut selection, mut found) = (Selection::new(&filter), Vec::new());
        for (position, message) in (0..).zip(messages.split(' ')) {
            let place = Place { at: Millis(1), stream: message.len() as u32, position };
            selection.visit(place, message.as_bytes(), |place, _| found.push(place.position.to_string()));
        }
        found.join(" ")
    }

    #[test]
    fn context_is_of_the_same_log_stream_and_never_twice() {
        for (messages, before, after, expected) in [
            ("a b x c d x e f", 0, 0, "2 5"),
            ("a b x c d x e f", 1, 0, "1 2 4 5"),
            ("a b x c d x e f", 0, 1, "2 3 5 6"),
            ("a b x c d x e f", 2, 2, "0 1 2 3 4 5 6 7"),
            ("a x x b", 1, 1, "0 1 2 3"),
            // Words of two letters are of another log stream.
            ("a b bb xb bb b x", 2, 2, "2 3 4 5 6"),
            ("x bb b", 0, 9, "0"),
        ] {
            assert_eq!(selected(messages, before, after), expected, "{messages} {before} {after}");
        }
    }
}
