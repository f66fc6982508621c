//! Markdown: its code blocks, headings and links.

/// The documents of the repository.
pub fn markdown_files() -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(crate::path(&folder)).expect("the folder can be read") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if !entry.file_type().expect("its type").is_dir() {
                files.extend(name.ends_with(".md").then_some(path));
            } else if !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
                folders.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The contents of the fenced blocks of a language, in order.
pub fn code_blocks<'a>(markdown: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let inner = |rest: &'a str| rest.split_once("\n```").map(|(inner, _)| inner);
    markdown.split(&fence).skip(1).filter_map(inner).collect()
}

/// Replaces the one fenced block of a language.
pub fn with_code_block(markdown: &str, language: &str, contents: &str) -> String {
    let fence = format!("```{language}\n");
    let (before, rest) = markdown.split_once(&fence).unwrap_or_else(|| panic!("no {language} block"));
    let (_, after) = rest.split_once("\n```").unwrap_or_else(|| panic!("the {language} block has no end"));
    format!("{before}{fence}{contents}\n```{after}")
}

/// The texts of headings of a level, such as 3 for `###`, without backticks.
pub fn headings(markdown: &str, level: usize) -> Vec<String> {
    let mark = format!("{} ", "#".repeat(level));
    markdown.lines().filter_map(|line| line.strip_prefix(&mark)).map(|heading| heading.replace('`', "")).collect()
}

/// Targets of links that point into the repository.
pub fn local_links(markdown: &str) -> Vec<String> {
    let targets = markdown.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let local = targets.filter(|target| !target.contains("://") && !target.starts_with('#') && !target.starts_with("mailto:"));
    local.map(|target| target.split('#').next().unwrap_or_default().to_owned()).collect()
}
