//! The operator's tool; what it does is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    logs_archive::main(std::env::args_os()).await
}
