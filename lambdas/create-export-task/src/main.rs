//! Starts the function on Lambda. The library has its code.

use create_export_task::{CreateExportTask, NAME};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let function = CreateExportTask::new(&function_runtime::load_config(NAME).await)?;
    function_runtime::serve(NAME, async |event, invocation| function.handle(event, invocation).await).await
}
