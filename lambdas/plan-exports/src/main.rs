//! Wires the function to Lambda; what it does is in the library.

use export_core::{ErrorName, ExportError};
use plan_exports::{NAME, PlanExports, guard};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = function_runtime::load_config(NAME).await;
    let function = PlanExports::new(&config);
    let stack = function_runtime::stack_in_utc()?;
    function_runtime::serve(NAME, async |event, invocation| match &function {
        _ if guard::is_request(&event) => guard::answer(&event, &stack, &config, &archive::http_connector()).await,
        Ok(function) => function.handle(event, invocation).await,
        // An environment that no run can use must not keep the guard from refusing it.
        Err(problem) => Err(ExportError::new(ErrorName::Unexpected, problem)),
    })
    .await
}
