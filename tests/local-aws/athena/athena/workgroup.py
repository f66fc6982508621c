"""The workgroup that a query runs in, as the stack has it, and what that means for the query."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from .errors import InvalidRequest, QueryError
from .storage import folder, split

NO_LOCATION = "No output location provided. An output location is required either through the Workgroup result configuration setting or as an API input."


@dataclass(frozen=True)
class WorkGroup:
    name: str
    enforced: bool
    location: str | None
    encryption: dict | None
    bytes_scanned_cutoff: int | None

    def result_configuration(self, requested: dict) -> dict:
        """Where results go: the workgroup's word where it is enforced, else the request's, else the workgroup's."""
        mine = {"OutputLocation": self.location, "EncryptionConfiguration": self.encryption}
        chosen = mine if self.enforced else {key: requested.get(key) or mine[key] for key in mine}
        if not chosen["OutputLocation"]:
            raise InvalidRequest(NO_LOCATION)
        try:
            split(chosen["OutputLocation"])
        except QueryError as error:
            raise InvalidRequest("outputLocation is not a valid S3 path.") from error
        return {key: value for key, value in chosen.items() if value} | {"OutputLocation": folder(chosen["OutputLocation"])}


def read(athena: Any, name: str) -> WorkGroup:
    """`athena` is a boto3 client of the stack."""
    try:
        described = athena.get_work_group(WorkGroup=name)["WorkGroup"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidRequestException":
            raise InvalidRequest(f"WorkGroup {name} is not found.") from error
        raise
    if described.get("State") == "DISABLED":
        raise InvalidRequest(f"WorkGroup {name} is disabled.")
    configuration = described.get("Configuration") or {}
    results = configuration.get("ResultConfiguration") or {}
    return WorkGroup(
        name=name,
        enforced=_flag(configuration.get("EnforceWorkGroupConfiguration", False)),
        location=results.get("OutputLocation"),
        encryption=results.get("EncryptionConfiguration"),
        bytes_scanned_cutoff=int(cutoff) if (cutoff := configuration.get("BytesScannedCutoffPerQuery")) else None,
    )


def _flag(value: Any) -> bool:
    # ministack keeps what CloudFormation gave it, which can be a text.
    return value is True or str(value).lower() == "true"
