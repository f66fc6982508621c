//! The operator's tool. The library does the work.

use std::process::ExitCode;

use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let runtime = Runtime::new().expect("threads can be started");
    let code = runtime.block_on(logs_archive::main(std::env::args_os()));
    // After Ctrl-C, do not wait for a write into a full pipe.
    runtime.shutdown_background();
    code
}
