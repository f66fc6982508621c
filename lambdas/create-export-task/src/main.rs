//! Wires the function to Lambda; what it does is in the library.

use create_export_task::CreateExportTask;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let function = CreateExportTask::new(&function_runtime::load_config());
    function_runtime::serve(async |event, now| function.handle(event, now).await).await
}
