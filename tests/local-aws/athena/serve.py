"""Runs the local Athena for one owner process, and never outlives it (see owner.py).

Environment: AWS_ENDPOINT_URL, the stack's endpoint, where the Glue catalog, S3 and the workgroups are.
stdout: one line, the port, when requests are answered. Everything else goes to stderr.
"""

import os
from pathlib import Path

import owner


def main() -> None:
    owner.end_with_owner()
    listener = owner.listen()

    from athena.server import serve

    owner.tell_port(listener.getsockname()[1])
    serve(listener, os.environ["AWS_ENDPOINT_URL"], Path(os.environ["TMPDIR"]))


if __name__ == "__main__":
    main()
