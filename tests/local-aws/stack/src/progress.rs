//! Progress on stderr: bars on a terminal, plain lines otherwise.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// The steps of a program, one after another, each with how long it took.
#[derive(Debug)]
pub struct Progress {
    start: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Progress {
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Runs one step: its name and the time while it runs, then its name, its result and how long it took.
    pub async fn step<T>(&self, name: &str, work: impl Future<Output = Result<(T, String)>>) -> Result<T> {
        self.step_with_own_output(name, async {
            // Draws nothing where stderr is no terminal.
            let spinner = ProgressBar::new_spinner().with_style(style("{spinner}           {msg} {elapsed:.dim}"));
            spinner.set_message(name.to_owned());
            spinner.enable_steady_tick(TICK);
            let result = work.await;
            spinner.finish_and_clear();
            result
        })
        .await
    }

    /// The same for work that writes to the terminal itself.
    pub async fn step_with_own_output<T>(&self, name: &str, work: impl Future<Output = Result<(T, String)>>) -> Result<T> {
        let start = Instant::now();
        let (value, outcome) = work.await.with_context(|| format!("{name} failed"))?;
        eprintln!("{:6.1} s  {name}: {outcome}", start.elapsed().as_secs_f64());
        Ok(value)
    }
}

/// One bar for each of several things that are under way. Without a terminal, a line for each change.
#[derive(Debug)]
pub struct Bars {
    drawing: MultiProgress,
    on_terminal: bool,
    start: Instant,
    bars: Vec<(String, ProgressBar)>,
}

impl Bars {
    /// `length` is how many statuses each of them passes through.
    pub fn new(names: &[&str], length: usize) -> Self {
        let drawing = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let bar = |name: &&str| {
            let bar = drawing.add(ProgressBar::new(length as u64).with_style(style("            {prefix:24} [{bar:12}] {msg}")));
            bar.set_prefix((*name).to_owned());
            bar.tick();
            ((*name).to_owned(), bar)
        };
        let bars = names.iter().map(bar).collect();
        Self { drawing, on_terminal: std::io::stderr().is_terminal(), start: Instant::now(), bars }
    }

    /// Shows a status, where it is another than the one shown.
    pub fn show(&self, name: &str, status: &str, position: usize) {
        let Some((_, bar)) = self.bars.iter().find(|(known, _)| known == name) else { return };
        if bar.message() == status {
            return;
        }
        bar.set_position(position as u64);
        bar.set_message(status.to_owned());
        if !self.on_terminal {
            eprintln!("{:6.1} s    {name:24} {status}", self.start.elapsed().as_secs_f64());
        }
    }

    /// Ends the bars. On a terminal, a line for each takes their place.
    pub fn finish(self) -> Result<()> {
        self.drawing.clear().context("cannot write to the terminal")?;
        // A bar that is dropped draws itself once more.
        self.drawing.set_draw_target(ProgressDrawTarget::hidden());
        for (name, bar) in self.bars.iter().filter(|_| self.on_terminal) {
            eprintln!("            {name:24} {}", bar.message());
        }
        Ok(())
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
