//! Texts that fit: on one line, in a limit, or in a subject.

use export_core::Month;

/// Names in one list.
const NAMES: usize = 20;
/// What SNS takes.
const SUBJECT: usize = 100;

/// The first names, and how many there are in all.
pub fn names(mut list: Vec<String>) -> String {
    let count = list.len();
    if count > NAMES {
        list.truncate(NAMES);
        list.push(format!("... {count} in all"));
    }
    list.join(", ")
}

/// AWS's messages can have any character; a reader's terminal takes lines.
pub fn line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() || "\u{2028}\u{2029}".contains(character) { ' ' } else { character }).collect()
}

/// The oldest month to the newest.
pub fn range(months: impl IntoIterator<Item = Month>) -> Option<String> {
    let months: Vec<Month> = months.into_iter().collect();
    let (oldest, newest) = months.iter().min().zip(months.iter().max())?;
    Some(if oldest == newest { oldest.to_string() } else { format!("{oldest} to {newest}") })
}

/// At most `limit` bytes, dots included.
pub fn cut(mut text: String, limit: usize) -> String {
    const DOTS: &str = "...";
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit - DOTS.len()));
        text += DOTS;
    }
    text
}

pub fn subject_line(text: &str) -> String {
    let ascii = text.chars().map(|character| if matches!(character, ' '..='~') { character } else { '?' });
    cut(ascii.collect(), SUBJECT)
}
