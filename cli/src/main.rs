//! The operator's tool; what it does is in the library.

use std::process::ExitCode;

use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let runtime = Runtime::new().expect("threads can be started");
    let code = runtime.block_on(logs_archive::main(std::env::args_os()));
    // After Ctrl-C, nobody waits for a write into a pipe that is full.
    runtime.shutdown_background();
    code
}
