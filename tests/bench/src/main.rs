//! `cargo bench-all`: how fast, how small, and how little it costs, as figures that anyone can measure again.

mod aws;
mod bars;
mod by_hand;
mod candidates;
mod compaction;
mod cost;
mod fetch;
mod function_start;
mod machine;
mod memory;
mod month;
mod parsing;
mod planted;
mod polling;
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
use candidates::Candidates;
use lexopt::prelude::*;
use local_aws::cli::{self, Interruption};
use local_aws::functions::{self, CargoMessages};
use local_aws::progress::Progress;
use serde_json::Map;

const USAGE: &str = "\
Measures this project against the same design in Python and in Node.js, and against its own bars.

Usage: cargo bench-all [--quick] [--write] [--only <part>]... [--functions <folder>]
       cargo bench-all --blocks

  --quick        smaller numbers of everything: under 3 minutes after the first build, and good for a look only
  --write        with --only: write the results, too
  --only <part>  function-start, polling, cost, scale, stand-in, compaction, parsing or tool; may be given several times. With
                 --write the other parts keep their figures: the ratios within a part are always of one run
  --functions <folder>
                 measure the functions that `sam build` put there, instead of building them; such figures are not written
  --blocks       measure nothing: write docs/performance.svg and the documents once more from docs/performance.json
  --help         print this

Without --quick and --only, the results are written: to docs/performance.json, to docs/performance.svg, and into the blocks of figures in
README.md and docs. Progress goes to stderr, one table to stdout. Needs Linux, cargo, python3 and node with npm. Exit code: 0 done, 1 failed or a bar missed by far, 2 for wrong arguments.";

const QUICK_EVENTS: [usize; 3] = [10_000, 100_000, 300_000];
const QUICK_OBJECTS: usize = 1_000;

const PARTS: [&str; 8] = ["function-start", "polling", "cost", "scale", "stand-in", "compaction", "parsing", "tool"];

#[derive(Clone, Debug, Default, PartialEq)]
struct Arguments {
    quick: bool,
    write: bool,
    blocks: bool,
    only: Vec<String>,
    functions: Option<PathBuf>,
}

impl Arguments {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
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
                let part = parser.value()?.string()?;
                if !PARTS.contains(&part.as_str()) {
                    return Err(format!("there is no part {part:?}; there are {}", PARTS.join(", ")).into());
                }
                arguments.only.push(part);
            }
            other => return Err(other.unexpected()),
        }
    }
    if arguments.quick && arguments.write {
        return Err("--quick is good for a look only: its figures are not written".into());
    }
    if arguments.functions.is_some() && arguments.writes() {
        return Err("--functions is good for a look only: the figures that are written are of cargo's own release build".into());
    }
    if arguments.blocks && arguments != (Arguments { blocks: true, ..Arguments::default() }) {
        return Err("--blocks measures nothing: it stands alone".into());
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
    ensure!(cfg!(target_os = "linux"), "peak memory is read from /proc: the benchmark needs Linux");
    let progress = Progress::default();
    let candidates = progress
        .step_with_own_output("Preparation", async {
            let candidates = Candidates::prepare(arguments.functions.as_deref()).await?;
            functions::build(CargoMessages::Shown).await?;
            Ok((candidates, "functions built, baselines installed".to_owned()))
        })
        .await?;
    let started = Instant::now();
    let mut results = Map::new();
    results.insert("mode".to_owned(), if arguments.quick { "quick" } else { "full" }.into());
    results.insert("machine".to_owned(), machine::describe());
    results.insert("versions".to_owned(), candidates.versions()?);
    for part in PARTS.into_iter().filter(|part| arguments.wants(part)) {
        let figures = progress.step(part, async { Ok((measure_part(part, &candidates, arguments.quick).await?, "measured".to_owned())) });
        results.insert(part.replace('-', "_"), figures.await?);
    }
    results.insert("minutes".to_owned(), stats::rounded(started.elapsed().as_secs_f64() / 60.0));
    let results = serde_json::Value::Object(results);
    if arguments.writes() {
        let written = if arguments.only.is_empty() { results.clone() } else { report::merged(&results)? };
        report::write(&written)?;
        eprintln!("           wrote {}, {} and the blocks in the documents", report::JSON_FILE, report::CHART_FILE);
    }
    let printed = cli::print(&report::table(&results));
    if arguments.quick {
        eprintln!(
            "           --quick: n100 to n10000 are fewer log groups, as are those of memory; n10k, n100k and n1m are \
             {QUICK_EVENTS:?} events; compaction has {QUICK_OBJECTS} objects"
        );
    }
    let missed = report::judged(&results).into_iter().filter(|judged| judged.verdict == Verdict::MissedByFar);
    let missed: Vec<String> = missed.map(|judged| judged.to_string()).collect();
    ensure!(missed.is_empty(), "missed by far: {}", missed.join("; "));
    Ok(printed)
}

async fn measure_part(part: &str, candidates: &Candidates, quick: bool) -> Result<serde_json::Value> {
    match part {
        "function-start" => {
            let effort = if quick {
                function_start::Effort { starts: 7, warm_events: 10 }
            } else {
                function_start::Effort { starts: 31, warm_events: 10 }
            };
            function_start::measure(candidates, effort).await
        }
        "polling" => {
            let effort = polling::Effort { tasks: if quick { 5 } else { 25 }, scale: 0.05 };
            let mut figures = polling::measure()?;
            figures["confirmed"] = polling::confirm(effort).await?;
            Ok(figures)
        }
        "cost" => cost::measure().await,
        "scale" => scale::measure(candidates, if quick { scale::Sizes::QUICK } else { scale::Sizes::FULL }).await,
        "compaction" => compaction::measure(if quick { QUICK_OBJECTS } else { 10_000 }).await,
        "parsing" => parsing::measure().await,
        "tool" => tool::measure(candidates, if quick { tool::Effort::QUICK } else { tool::Effort::FULL }).await,
        _ => stand_in::measure(candidates, if quick { QUICK_EVENTS } else { [10_000, 100_000, 1_000_000] }).await,
    }
}
