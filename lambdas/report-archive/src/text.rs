//! Text that fits on one line, in a limit, or in a subject.

use export_core::Month;

/// The most names in one list.
const MAX_NAMES: usize = 20;

/// The longest subject that SNS takes.
const MAX_SUBJECT_LENGTH: usize = 100;

/// The first names. If there are more, how many there are in total.
pub fn join_names(mut list: Vec<String>) -> String {
    let count = list.len();
    if count > MAX_NAMES {
        list.truncate(MAX_NAMES);
        list.push(format!("... {count} in all"));
    }
    list.join(", ")
}

/// The text without line breaks and control characters, which AWS's messages can contain.
pub fn to_one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() || "\u{2028}\u{2029}".contains(character) { ' ' } else { character }).collect()
}

/// From the oldest month to the newest.
pub fn month_range(months: impl IntoIterator<Item = Month>) -> Option<String> {
    let months: Vec<Month> = months.into_iter().collect();
    let (oldest, newest) = months.iter().min().zip(months.iter().max())?;
    Some(if oldest == newest { oldest.to_string() } else { format!("{oldest} to {newest}") })
}

/// At most `max_bytes`, dots included.
pub fn truncate(mut text: String, max_bytes: usize) -> String {
    const DOTS: &str = "...";
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes - DOTS.len()));
        text += DOTS;
    }
    text
}

pub fn subject_line(text: &str) -> String {
    let ascii = text.chars().map(|character| if matches!(character, ' '..='~') { character } else { '?' });
    truncate(ascii.collect(), MAX_SUBJECT_LENGTH)
}
