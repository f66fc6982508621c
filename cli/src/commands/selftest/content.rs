//! Compares exported text with the events that were put, byte for byte.

use std::{collections::BTreeMap, io::Write};

use export_core::time::Millis;

use super::events::Event;
use crate::events::records::{Record, Splitter};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextComparison {
    /// The text has exactly the expected bytes. The order of events does not matter.
    Same,
    /// Only events with these times are missing.
    Lacks(Vec<Millis>),
    /// The text has other events. A message describes the first difference.
    Differs(String),
}

/// `text` is the whole export of a log stream.
pub fn compare<'a>(events: impl Iterator<Item = &'a Event>, text: &[u8]) -> TextComparison {
    let events: Vec<&Event> = events.collect();
    let lines: Vec<String> = events.iter().map(|event| format!("{} {}\n", time(event.at), event.message)).collect();
    if sorted(lines.concat().as_bytes()) == sorted(text) {
        return TextComparison::Same;
    }
    // How much more often each event was put than exported. Line breaks at the end belong to the message or to the export.
    let mut surplus: BTreeMap<(Option<Millis>, Vec<u8>), i64> = BTreeMap::new();
    for event in &events {
        *surplus.entry((Some(event.at), event.message.trim_end_matches('\n').into())).or_default() += 1;
    }
    let mut splitter = Splitter::new(|record: Record| *surplus.entry((record.at, record.message().to_vec())).or_default() -= 1);
    if let Err(error) = splitter.write_all(text) {
        return TextComparison::Differs(error.to_string());
    }
    splitter.finish();
    drop(splitter);
    let format_event = |(at, message): &(Option<Millis>, Vec<u8>)| {
        let at = at.map_or_else(|| "no time".to_owned(), time);
        format!("{at} {:?}", String::from_utf8_lossy(&message[..message.len().min(200)]))
    };
    let extra = surplus.iter().find(|(_, times)| **times < 0);
    let missing: Vec<_> = surplus.iter().filter(|(_, times)| **times > 0).collect();
    match (extra, missing.first()) {
        (Some((extra, _)), Some((missing, _))) => TextComparison::Differs(format!("{} for {}", format_event(extra), format_event(missing))),
        (Some((extra, _)), None) => TextComparison::Differs(format!("{}, more often than it was put", format_event(extra))),
        (None, Some(_)) => {
            let times = missing.iter().flat_map(|((at, _), times)| at.iter().copied().cycle().take(**times as usize));
            TextComparison::Lacks(times.collect())
        }
        (None, None) => TextComparison::Differs("other line breaks at the end of an event".to_owned()),
    }
}

/// The time in the format of an export.
fn time(at: Millis) -> String {
    at.instant().unwrap_or_default().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn sorted(text: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_matters_and_the_order_does_not() {
        let event = |at: i64, message: &str| Event { at: Millis(at), message: message.to_owned() };
        let put = [event(0, "a\n\tb"), event(1, "c "), event(1, "c "), event(2, "d\n")];
        let text =
            "1970-01-01T00:00:00.001Z c \n1970-01-01T00:00:00.000Z a\n\tb\n1970-01-01T00:00:00.001Z c \n1970-01-01T00:00:00.002Z d\n\n";
        let lacks = |at: &[i64]| TextComparison::Lacks(at.iter().map(|at| Millis(*at)).collect());
        let differs = |text: &str| TextComparison::Differs(text.to_owned());
        for (from, to, expected) in [
            ("", "", TextComparison::Same),
            ("1970-01-01T00:00:00.001Z c \n", "", lacks(&[1, 1])),
            ("1970-01-01T00:00:00.002Z d\n\n", "", lacks(&[2])),
            ("d\n\n", "d\n", differs("other line breaks at the end of an event")),
            (".002Z d", ".002Z D", differs(r#"1970-01-01T00:00:00.002Z "D" for 1970-01-01T00:00:00.002Z "d""#)),
            (
                ".000Z a",
                "Z a",
                differs(r#"1970-01-01T00:00:00.001Z "c \n1970-01-01T00:00:00Z a\n\tb" for 1970-01-01T00:00:00.000Z "a\n\tb""#),
            ),
            (
                ".002Z d\n\n",
                ".002Z d\n\n1970-01-01T00:00:00.003Z e\n",
                differs(r#"1970-01-01T00:00:00.003Z "e", more often than it was put"#),
            ),
        ] {
            let text = if from.is_empty() { text.to_owned() } else { text.replace(from, to) };
            assert_eq!(compare(put.iter(), text.as_bytes()), expected, "{text}");
        }
    }
}
