//! `cargo generate-infra`: writes the generated files of the product.

use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
Usage: cargo generate-infra [--check]

Writes the generated files of the product: the views and saved queries, the time zones of the input's schema, the workflows' definitions and
their diagrams. With --check, it writes nothing, and exits with 1 if a file is out of date.";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--check"] => true,
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return Ok(ExitCode::SUCCESS);
        }
        _ => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    let stale = generate_infra::stale()?;
    for (file, text) in &stale {
        if check {
            eprintln!("{file} is out of date: run cargo generate-infra");
        } else {
            generate_infra::write(file, text)?;
            eprintln!("wrote {file}");
        }
    }
    Ok(if check && !stale.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
