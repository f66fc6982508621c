"""Tests of the local Athena through a running stack, with boto3, as `cargo test -p local-aws --test athena` runs them.

Environment: AWS_ENDPOINT_URL, the stack's endpoint.
"""
