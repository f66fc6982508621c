//! Turns the SDK's errors into [`ServiceFailure`], by code and HTTP status. AccessDenied and throttling are not variants of an operation's
//! error type.

use std::error::Error;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use export_core::service::ServiceFailure;

pub fn service_failure<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> ServiceFailure
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let code = error.as_service_error().and_then(|error| error.code());
    let message = error.as_service_error().and_then(|error| error.message());
    ServiceFailure {
        operation,
        code: code.map(str::to_owned),
        message: message.map_or_else(|| with_causes(error), str::to_owned),
        status: error.raw_response().map(|response| response.status().as_u16()),
    }
}

/// All causes, because the SDK's outermost error only says "dispatch failure".
fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    use super::*;

    fn response(status: u16) -> HttpResponse {
        http::Response::builder().status(status).body(SdkBody::empty()).unwrap().try_into().unwrap()
    }

    #[derive(Debug)]
    struct TestError(ErrorMetadata);

    impl std::fmt::Display for TestError {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("test error")
        }
    }

    impl Error for TestError {}

    impl ProvideErrorMetadata for TestError {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    #[test]
    fn an_answer_keeps_its_code_message_and_status() {
        let error = TestError(ErrorMetadata::builder().code("AccessDeniedException").message("no").build());
        let failure = service_failure("CreateExportTask", &SdkError::service_error(error, response(400)));
        let expected = ServiceFailure {
            operation: "CreateExportTask",
            code: Some("AccessDeniedException".into()),
            message: "no".into(),
            status: Some(400),
        };
        assert_eq!(failure, expected);
    }

    #[test]
    fn a_failure_without_an_answer_keeps_its_causes() {
        let connect = ConnectorError::io("connection refused".into());
        let failure = service_failure::<TestError>("DescribeLogGroups", &SdkError::dispatch_failure(connect));
        assert_eq!((failure.code, failure.status), (None, None));
        assert!(
            failure.message.starts_with("dispatch failure: ") && failure.message.ends_with("connection refused"),
            "{}",
            failure.message
        );
    }
}
