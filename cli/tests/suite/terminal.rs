//! Runs the built binary at a terminal.

use std::{num::NonZeroU16, os::unix::process::ExitStatusExt};

use pty_process::{Command, OwnedReadPty, OwnedWritePty, Size};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Child,
};
use vt100::Parser;

use crate::tool::{PROGRAM, Tool};

const ROWS: u16 = 40;

fn size(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a screen is not empty")
}

pub struct Terminal {
    child: Child,
    reader: OwnedReadPty,
    writer: OwnedWritePty,
    parser: Parser,
}

impl Terminal {
    pub fn run(tool: &Tool, columns: u16, arguments: &[&str]) -> Self {
        let (pty, pts) = pty_process::open().expect("a terminal");
        pty.resize(Size::new(ROWS, columns)).expect("it has a size");
        let command = Command::new(PROGRAM).args(arguments).env_clear().envs(tool.environment()).env("TERM", "xterm-256color");
        let child = command.kill_on_drop(true).spawn(pts).expect("the tool starts");
        let (reader, writer) = pty.into_split();
        Self { child, reader, writer, parser: Parser::new(size(ROWS), size(columns), 0) }
    }

    pub fn screen(&self) -> String {
        self.parser.screen().contents()
    }

    pub fn has_colours(&self) -> bool {
        let screen = self.parser.screen();
        let (rows, columns) = screen.size();
        let has_colour = |row, column| screen.cell(row, column).is_some_and(|cell| cell.fgcolor() != vt100::Color::Default);
        (0..rows.get()).any(|row| (0..columns.get()).any(|column| has_colour(row, column)))
    }

    /// Reads some output. Returns false at the end.
    async fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        // On Linux, a read from a terminal that was closed is an error.
        let count = self.reader.read(&mut bytes).await.unwrap_or(0);
        self.parser.process(&bytes[..count]);
        count > 0
    }

    pub async fn wait_for(&mut self, what: &str, condition: impl Fn(&str) -> bool) {
        while !condition(&self.screen()) {
            assert!(self.read().await, "it ended without {what}: {}", self.screen());
        }
    }

    pub async fn type_keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).await.expect("it takes the keys");
    }

    /// Waits for the end. Returns the exit code of a shell.
    pub async fn end(&mut self) -> i32 {
        while self.read().await {}
        let status = self.child.wait().await.expect("it ends");
        status.code().or_else(|| status.signal().map(|signal| 128 + signal)).expect("one of the two")
    }
}
