//! Text of other origin, shortened for a message.

/// The first `max_chars` characters, followed by dots where more follow.
pub fn truncate(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
