"""Why a query fails: in Athena's own words where it would fail there, too, and plainly where only this engine cannot run it."""


class QueryError(Exception):
    """A query that Athena would refuse or fail. `code` is Trino's name of the error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class NotSupportedLocally(QueryError):
    """Something that Athena can do, or may be able to do, and this engine cannot do faithfully."""

    def __init__(self, what: str) -> None:
        super().__init__("NOT_SUPPORTED", f"{what} is not supported by the local Athena")


class QueryCancelled(Exception):
    """Stopped: by StopQueryExecution, or by a limit, whose message it carries."""


class InvalidRequest(Exception):
    """A request that Athena answers with InvalidRequestException, before there is a query execution."""

    def __init__(self, message: str, error: str = "InvalidRequestException", code: str = "INVALID_INPUT") -> None:
        super().__init__(message)
        self.error = error
        self.code = code
        self.message = message
