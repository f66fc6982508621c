//! Markdown: its sections, code blocks, headings and links.

/// The text from a heading, such as `### Name`, to the next heading of its level or a higher one.
pub fn section<'a>(markdown: &'a str, heading: &str) -> &'a str {
    let (_, rest) = markdown.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("the section {heading} does not exist"));
    let level = heading.chars().take_while(|character| *character == '#').count();
    let end = (1..=level).filter_map(|level| rest.find(&format!("\n{} ", "#".repeat(level)))).min();
    &rest[..end.unwrap_or(rest.len())]
}

/// The contents of the fenced code blocks of a language.
pub fn code_blocks<'a>(markdown: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let inner = |rest: &'a str| rest.split_once("\n```").map(|(inner, _)| inner);
    markdown.split(&fence).skip(1).filter_map(inner).collect()
}

/// The headings of a level, such as 3 for `###`, without backticks.
pub fn headings(markdown: &str, level: usize) -> Vec<String> {
    let mark = format!("{} ", "#".repeat(level));
    markdown.lines().filter_map(|line| line.strip_prefix(&mark)).map(|heading| heading.replace('`', "")).collect()
}

/// The targets of links into the repository, including `#heading` in the same document.
pub fn local_links(markdown: &str) -> Vec<&str> {
    let targets = markdown.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

/// GitHub's anchors of all headings: lower case, hyphens for spaces, no punctuation.
pub fn anchors(markdown: &str) -> Vec<String> {
    let anchor = |heading: String| {
        let words = heading.to_lowercase().replace(' ', "-");
        words.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
    };
    (1..=4).flat_map(|level| headings(markdown, level)).map(anchor).collect()
}

/// The cells of each row of all tables, including the header and the rule.
pub fn rows(markdown: &str) -> Vec<Vec<&str>> {
    let rows = markdown.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    rows.map(|row| row.split('|').map(str::trim).collect()).collect()
}

/// All inline code.
pub fn code(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
