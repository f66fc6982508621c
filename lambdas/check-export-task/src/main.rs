//! Wires the function to Lambda; what it does is in the library.

use check_export_task::CheckExportTask;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let function = CheckExportTask::new(&function_runtime::load_config());
    function_runtime::serve(async |event, _now| function.handle(event).await).await
}
