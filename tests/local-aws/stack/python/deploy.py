"""Deploys a SAM template as `sam deploy` or `aws cloudformation package` and `deploy` would, without needing either.

stdin: a JSON request (see deploy.rs), which creates, updates or deletes a stack. stdout: the stack's outputs as one JSON object, `{}` after a
deletion. What went wrong goes to stderr, with exit code 1.

The template goes to CloudFormation as it is. The only change is packaging's: CodeUri, DefinitionUri, DefinitionS3Location and the
TemplateURL of a nested stack, which name local folders and files, become the S3 objects that those were uploaded to.
"""

import hashlib
import io
import json
import sys
import time
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

POLL_SECONDS = 0.05


class DeployError(Exception):
    pass


def main() -> None:
    request = json.load(sys.stdin)
    clients = Clients(request)
    if request["action"] == "delete":
        json.dump(delete(clients.cloudformation, request), sys.stdout)
        return
    store = ArtifactStore(clients.s3, request["artifactBucket"], request["region"], request["endpoint"])
    template_url = upload_template(Path(request["template"]), request["executables"], store)
    json.dump(deploy(clients.cloudformation, request, template_url), sys.stdout)


class Clients:
    def __init__(self, request: dict) -> None:
        def client(service: str, **config: object) -> object:
            return boto3.client(
                service,
                endpoint_url=request["endpoint"],
                region_name=request["region"],
                aws_access_key_id=request["accountId"],
                aws_secret_access_key="local",
                config=Config(retries={"total_max_attempts": 1}, request_checksum_calculation="when_required", **config),
            )

        # The functions have 50 MB each: over loopback, nobody needs their hashes.
        self.s3 = client("s3", s3={"addressing_style": "path", "payload_signing_enabled": False})
        self.cloudformation = client("cloudformation")


class ArtifactStore:
    """The bucket that packaged files are uploaded to, named by their content."""

    def __init__(self, s3: object, bucket: str, region: str, endpoint: str) -> None:
        self.s3 = s3
        self.bucket = bucket
        self.endpoint = endpoint
        location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            s3.create_bucket(Bucket=bucket, **location)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
                raise

    def put(self, body: bytes, name: str) -> str:
        key = f"{hashlib.blake2b(body, digest_size=16).hexdigest()}/{name}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return key

    def url(self, key: str) -> str:
        return f"{self.endpoint}/{self.bucket}/{key}"


def upload_template(path: Path, executables: dict, store: ArtifactStore) -> str:
    """Uploads a template and everything it names, and returns its URL."""
    template = yaml_parse(path.read_text(encoding="utf-8"))
    package(template, path.parent, executables, store)
    # As a document in S3: a template in a request itself may have 51,200 bytes only. A YAML date, such as an unquoted policy
    # version, is the text it was written as.
    return store.url(store.put(json.dumps(template, default=str).encode(), path.with_suffix(".json").name))


def package(template: dict, folder: Path, executables: dict, store: ArtifactStore) -> None:
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            name = resource.get("Metadata", {}).get("BuildProperties", {}).get("Binary") or Path(properties["CodeUri"]).name
            if name not in executables:
                raise DeployError(f"{logical_id}: CodeUri {properties['CodeUri']} is none of the functions built: {sorted(executables)}")
            key = store.put(zip_function(Path(executables[name])), f"{name}.zip")
            properties["CodeUri"] = {"Bucket": store.bucket, "Key": key}
        elif resource["Type"] == "AWS::Serverless::StateMachine":
            definition = folder / properties["DefinitionUri"]
            key = store.put(definition.read_bytes(), definition.name)
            properties["DefinitionUri"] = {"Bucket": store.bucket, "Key": key}
        elif resource["Type"] == "AWS::StepFunctions::StateMachine":
            definition = folder / properties["DefinitionS3Location"]
            key = store.put(definition.read_bytes(), definition.name)
            properties["DefinitionS3Location"] = {"Bucket": store.bucket, "Key": key}
        elif resource["Type"] == "AWS::CloudFormation::Stack":
            properties["TemplateURL"] = upload_template(folder / properties["TemplateURL"], executables, store)


def zip_function(executable: Path) -> bytes:
    """The deployment package of a provided.* function: an executable named bootstrap."""
    entry = zipfile.ZipInfo("bootstrap")  # Its default date makes equal packages of equal executables.
    entry.create_system = 3  # Unix: the upper half of external_attr is the file mode.
    entry.external_attr = 0o100755 << 16
    buffer = io.BytesIO()
    # Not compressed: it travels over loopback only.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(entry, executable.read_bytes())
    return buffer.getvalue()


def deploy(cloudformation: object, request: dict, template_url: str) -> dict:
    change = {
        "StackName": request["stackName"],
        "TemplateURL": template_url,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in request["parameters"].items()],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    if request["action"] == "update":
        stack = wait(cloudformation, request, cloudformation.update_stack(**change)["StackId"], "UPDATE_COMPLETE")
    else:
        stack = wait(cloudformation, request, cloudformation.create_stack(**change, OnFailure="DO_NOTHING")["StackId"], "CREATE_COMPLETE")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def delete(cloudformation: object, request: dict) -> dict:
    stack_id = cloudformation.describe_stacks(StackName=request["stackName"])["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack_id)
    wait(cloudformation, request, stack_id, "DELETE_COMPLETE")
    return {}


def wait(cloudformation: object, request: dict, stack_id: str, wanted: str) -> dict:
    name = request["stackName"]
    deadline = time.monotonic() + request["timeoutSeconds"]
    while True:
        # By id: a stack that was deleted again is not found by its name.
        stack = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
        status = stack["StackStatus"]
        if status == wanted:
            return stack
        if not status.endswith("_IN_PROGRESS"):
            raise DeployError(f"stack {name} is {status}: {stack.get('StackStatusReason', 'no reason given')}{failures(cloudformation, stack_id)}")
        if time.monotonic() > deadline:
            raise DeployError(f"stack {name} is still {status} after {request['timeoutSeconds']} s")
        time.sleep(POLL_SECONDS)


def failures(cloudformation: object, stack_id: str) -> str:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
    events = [event for page in pages for event in page["StackEvents"] if "FAILED" in event["ResourceStatus"]]
    # CloudFormation lists the newest first; the first failure is the one that matters.
    return "".join(
        f"\n  {event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatus']}: {event.get('ResourceStatusReason', '')}"
        for event in reversed(events)
    )


if __name__ == "__main__":
    try:
        main()
    except (DeployError, ClientError, OSError) as error:
        sys.exit(str(error))
