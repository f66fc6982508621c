//! `cargo bench-all`: speed, size and cost of the project, as figures that anyone can measure again.

mod aws;
mod bars;
mod compaction;
mod cost;
mod direct_run;
mod fetch;
mod fixtures;
mod function_start;
mod machine;
mod memory;
mod month;
mod parsing;
mod polling;
mod programs;
mod report;
mod scale;
mod stand_in;
mod stats;
mod tool;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use bars::Verdict;
use lexopt::prelude::*;
use local_aws::cli::{self, Interruption};
use local_aws::progress::Progress;
use programs::{Program, Programs};
use serde_json::Map;

const USAGE: &str = "\
Measures this project against the same design in Python and in Node.js, and against its own bars.

Usage: cargo bench-all [--quick] [--write] [--only <part>]... [--functions <folder>]
       cargo bench-all --blocks

  --quick        measure less: 3 minutes at most after the first build. The figures are not written
  --write        with --only: write the figures of these parts. The other parts keep theirs
  --only <part>  function-start, polling, cost, scale, stand-in, compaction, parsing or tool; may be given several times
  --functions <folder>
                 measure the functions that `sam build` put there, and build none. The figures are not written
  --blocks       measure nothing: write docs/performance.svg and the documents from docs/performance.json
  --help         print this

Without --quick and --only, the program writes docs/performance.json, docs/performance.svg, and the blocks of figures in README.md and
docs. Progress goes to stderr, one table to stdout. Needs Linux, cargo, python3 and node with npm. Exit code: 0 done, 1 failed or a bar
missed by far, 2 for wrong arguments.";

const QUICK_EVENTS: [usize; 3] = [10_000, 100_000, 300_000];
const QUICK_OBJECTS: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    FunctionStart,
    Polling,
    Cost,
    Scale,
    StandIn,
    Compaction,
    Parsing,
    Tool,
}

impl Part {
    const ALL: [Self; 8] =
        [Self::FunctionStart, Self::Polling, Self::Cost, Self::Scale, Self::StandIn, Self::Compaction, Self::Parsing, Self::Tool];

    fn name(self) -> &'static str {
        match self {
            Self::FunctionStart => "function-start",
            Self::Polling => "polling",
            Self::Cost => "cost",
            Self::Scale => "scale",
            Self::StandIn => "stand-in",
            Self::Compaction => "compaction",
            Self::Parsing => "parsing",
            Self::Tool => "tool",
        }
    }

    /// The programs that must be built first.
    fn programs(self) -> &'static [Program] {
        match self {
            Self::FunctionStart => &[Program::Functions, Program::StandIn, Program::PythonBaseline, Program::NodeBaseline],
            Self::Polling | Self::Cost => &[Program::LocalFunctions],
            Self::Scale => &[Program::Functions, Program::LocalFunctions, Program::StandIn],
            Self::StandIn => &[Program::StandIn],
            Self::Compaction | Self::Parsing => &[],
            Self::Tool => &[Program::Functions, Program::StandIn, Program::Tool, Program::PythonBaseline, Program::AwsCli],
        }
    }

    async fn measure(self, programs: &Programs, quick: bool) -> Result<serde_json::Value> {
        match self {
            Self::FunctionStart => {
                let effort = function_start::Effort { starts: if quick { 7 } else { 31 }, warm_events: 10 };
                function_start::measure(programs, effort).await
            }
            Self::Polling => {
                let effort = polling::Effort { tasks: if quick { 5 } else { 25 }, scale: 0.05 };
                let mut figures = polling::measure()?;
                figures["confirmed"] = polling::confirm(effort).await?;
                Ok(figures)
            }
            Self::Cost => cost::measure().await,
            Self::Scale => scale::measure(programs, if quick { scale::Sizes::QUICK } else { scale::Sizes::FULL }).await,
            Self::StandIn => stand_in::measure(programs, if quick { QUICK_EVENTS } else { [10_000, 100_000, 1_000_000] }).await,
            Self::Compaction => compaction::measure(if quick { QUICK_OBJECTS } else { 10_000 }).await,
            Self::Parsing => parsing::measure().await,
            Self::Tool => tool::measure(programs, if quick { tool::Effort::QUICK } else { tool::Effort::FULL }).await,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Arguments {
    quick: bool,
    write: bool,
    blocks: bool,
    only: Vec<Part>,
    functions: Option<PathBuf>,
}

impl Arguments {
    fn parts(&self) -> Vec<Part> {
        Part::ALL.into_iter().filter(|part| self.only.is_empty() || self.only.contains(part)).collect()
    }

    fn writes(&self) -> bool {
        self.write || (self.only.is_empty() && !self.quick)
    }
}

fn main() -> ExitCode {
    cli::run(USAGE, arguments(lexopt::Parser::from_env()), run)
}

fn arguments(mut parser: lexopt::Parser) -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("quick") => arguments.quick = true,
            Long("functions") => arguments.functions = Some(parser.value()?.into()),
            Long("write") => arguments.write = true,
            Long("blocks") => arguments.blocks = true,
            Long("only") => {
                let name = parser.value()?.string()?;
                let part = Part::ALL.into_iter().find(|part| part.name() == name);
                arguments.only.push(part.ok_or_else(|| {
                    format!("--only {name}: the part does not exist; give one of {}", Part::ALL.map(Part::name).join(", "))
                })?);
            }
            other => return Err(other.unexpected()),
        }
    }
    if arguments.quick && arguments.write {
        return Err("--quick measures too little to be written: leave out --quick or --write".into());
    }
    if arguments.functions.is_some() && arguments.writes() {
        return Err(
            "--functions does not measure cargo's release build, whose figures are written: add --quick, or --only without --write".into(),
        );
    }
    if arguments.blocks && arguments != (Arguments { blocks: true, ..Arguments::default() }) {
        return Err("--blocks measures nothing: give it alone".into());
    }
    Ok(Some(arguments))
}

async fn run(arguments: Arguments, mut interruption: Interruption) -> Result<ExitCode> {
    if arguments.blocks {
        report::write(&report::read()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    tokio::select! {
        done = measure(&arguments) => done,
        code = interruption.received() => Ok(code),
    }
}

async fn measure(arguments: &Arguments) -> Result<ExitCode> {
    ensure!(cfg!(target_os = "linux"), "the benchmark reads peak memory from /proc: run it on Linux");
    let progress = Progress::default();
    let parts = arguments.parts();
    let needed = parts.iter().flat_map(|part| part.programs()).copied().collect();
    let programs = progress
        .step_with_own_output("Preparation", async {
            let programs = Programs::build(needed, arguments.functions.as_deref()).await?;
            Ok((programs, "programs built, baselines installed".to_owned()))
        })
        .await?;
    let started = Instant::now();
    let mut results = Map::new();
    results.insert("mode".to_owned(), if arguments.quick { "quick" } else { "full" }.into());
    results.insert("machine".to_owned(), machine::describe());
    results.insert("versions".to_owned(), programs::versions()?);
    for part in parts {
        let figures = progress.step(part.name(), async { Ok((part.measure(&programs, arguments.quick).await?, "measured".to_owned())) });
        results.insert(part.name().replace('-', "_"), figures.await?);
    }
    results.insert("minutes".to_owned(), stats::rounded(started.elapsed().as_secs_f64() / 60.0));
    let results = serde_json::Value::Object(results);
    if arguments.writes() {
        let merged = if arguments.only.is_empty() { results.clone() } else { report::merged(&results)? };
        report::write(&merged)?;
        eprintln!("           wrote {}, {} and the blocks in the documents", report::JSON_FILE, report::CHART_FILE);
    }
    let exit_code = cli::print(&report::table(&results));
    if arguments.quick {
        eprintln!(
            "           --quick: n100 to n10000 are fewer log groups, as are those of memory; n10k, n100k and n1m are \
             {QUICK_EVENTS:?} events; compaction has {QUICK_OBJECTS} objects"
        );
    }
    let missed = report::judge(&results).into_iter().filter(|judgement| judgement.verdict == Verdict::MissedByFar);
    let missed: Vec<String> = missed.map(|judgement| judgement.to_string()).collect();
    ensure!(missed.is_empty(), "missed by far: {}", missed.join("; "));
    Ok(exit_code)
}
