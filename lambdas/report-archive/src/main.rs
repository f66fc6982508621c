//! Starts the function on Lambda. The library has its code.

use report_archive::{NAME, ReportArchive};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let function = ReportArchive::new(&function_runtime::load_config(NAME).await)?;
    function_runtime::serve(NAME, async |event, invocation| function.handle(event, invocation).await).await
}
