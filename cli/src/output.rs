//! Data on stdout, as a table or as JSON; everything else on stderr.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use comfy_table::{Cell, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::{arguments::Format, failure::Failure};

pub struct Output {
    pub format: Format,
    /// stdout is a terminal and NO_COLOR is not set: colours may be used.
    pub colours: bool,
}

impl Output {
    pub fn new(format: Format) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { format, colours: io::stdout().is_terminal() && !no_color }
    }

    /// Whether bars may be drawn on stderr.
    pub fn bars(&self) -> bool {
        self.colours && io::stderr().is_terminal()
    }

    /// On stderr, where bars may be drawn.
    pub fn bar(&self, template: &str) -> ProgressBar {
        let target = if self.bars() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        ProgressBar::with_draw_target(None, target).with_style(style)
    }

    /// A table without lines, as wide as its content; on a terminal, as wide as that.
    pub fn table<H: Into<Cell>>(&self, header: impl IntoIterator<Item = H>) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(header.into_iter().map(Into::into).collect::<Vec<Cell>>());
        if self.colours {
            table.enforce_styling().set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty();
        }
        table
    }

    /// The same rows in the form that is asked for. `table` is called for the form for people only.
    pub fn rows<T: Serialize>(&self, rows: &[T], table: impl FnOnce() -> Table) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.text(&table().trim_fmt()),
            Format::Json => self.json(&rows),
            Format::Jsonl => {
                let mut lines = Vec::new();
                for row in rows {
                    serde_json::to_writer(&mut lines, row).map_err(io::Error::from)?;
                    lines.push(b'\n');
                }
                self.bytes(&lines)
            }
        }
    }

    /// One JSON value.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(value).map_err(io::Error::from)?;
        text.push(b'\n');
        self.bytes(&text)
    }

    pub fn text(&self, text: &str) -> Result<(), Failure> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()?;
        Ok(())
    }
}

/// A line on stderr. Nobody has to read it.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
