//! Prints data on stdout, as a table or as JSON, and everything else on stderr.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{Cell, ContentArrangement, Table, presets};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::{arguments::Format, failure::Failure};

pub struct Output {
    pub format: Format,
    /// Whether to use colours: stdout is a terminal, and NO_COLOR is not set.
    uses_colours: bool,
}

impl Output {
    pub fn new(format: Format) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { format, uses_colours: io::stdout().is_terminal() && !no_color }
    }

    /// Whether to draw progress bars on stderr.
    pub fn draws_progress(&self) -> bool {
        self.uses_colours && io::stderr().is_terminal()
    }

    /// A progress bar on stderr, hidden unless [`draws_progress`](Self::draws_progress).
    pub fn progress_bar(&self, template: &str) -> ProgressBar {
        let target = if self.draws_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        ProgressBar::with_draw_target(None, target).with_style(style)
    }

    /// A table without lines. It is as wide as its content, but no wider than the terminal.
    pub fn table<Header: Into<Cell>>(&self, header: impl IntoIterator<Item = Header>) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(header.into_iter().map(Into::into).collect::<Vec<Cell>>());
        if self.uses_colours {
            table.enforce_styling().set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty();
        }
        table
    }

    /// Prints rows in the format of the command. It calls `table` for [`Format::Table`] only.
    pub fn print_rows<Row: Serialize>(&self, rows: &[Row], table: impl FnOnce() -> Table) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.print_text(&table().trim_fmt()),
            Format::Json => self.print_json(&rows),
            Format::Jsonl => {
                let mut lines = Vec::new();
                for row in rows {
                    serde_json::to_writer(&mut lines, row).map_err(io::Error::from)?;
                    lines.push(b'\n');
                }
                self.print_bytes(&lines)
            }
        }
    }

    /// Prints one JSON value.
    pub fn print_json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(value).map_err(io::Error::from)?;
        text.push(b'\n');
        self.print_bytes(&text)
    }

    pub fn print_text(&self, text: &str) -> Result<(), Failure> {
        self.print_bytes(format!("{text}\n").as_bytes())
    }

    pub fn print_bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()?;
        Ok(())
    }
}

/// Prints a line on stderr. A closed stderr does not matter.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The time since `since`, such as `42s`.
pub fn format_age(since: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format_duration(now - since)
}

pub fn format_duration(duration: TimeDelta) -> String {
    format!("{:#}", HumanDuration(duration.max(TimeDelta::zero()).to_std().unwrap_or_default()))
}
