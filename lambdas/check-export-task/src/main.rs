//! Starts the function on Lambda. The library has its code.

use check_export_task::{CheckExportTask, NAME};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let function = CheckExportTask::new(&function_runtime::load_config(NAME).await)?;
    function_runtime::serve(NAME, async |event, invocation| function.handle(event, invocation).await).await
}
