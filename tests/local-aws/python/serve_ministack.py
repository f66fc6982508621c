"""Runs ministack for one owner process, and never outlives it.

Started by the Rust module `ministack` as the leader of a process group of its own, with the owner's pipe as stdin. Every process that
ministack starts for a Lambda function stays in that group. The pipe closes when the owner ends, in whatever way, SIGKILL included;
the group is then killed, and the directory of the stack removed.

stdout: one line, the port. Everything else goes to stderr.
"""

import asyncio
import os
import shutil
import signal
import socket
import sys
import threading


def end_with_owner(directory: str) -> None:
    # Not sys.stdin: its lock would be held by this blocked thread when the interpreter shuts down.
    while os.read(0, 4096):
        pass
    try:
        # Removed first, since nothing of this process is left afterwards. The owner removes it when it ends in good order.
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    if os.getpgrp() != os.getpid():
        # killpg would hit processes that are not ours.
        sys.exit("serve_ministack.py must be the leader of its own process group")
    directory = os.environ["TMPDIR"]
    threading.Thread(target=end_with_owner, args=(directory,), daemon=True).start()

    # Bound here and handed over, so that no other process can take the port in between.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    # From here on a request is queued, not refused, until ministack answers it.
    listener.listen()
    port = listener.getsockname()[1]
    # ministack's modules read it when they are imported.
    os.environ["GATEWAY_PORT"] = str(port)

    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"

    async def run() -> None:
        print(port, flush=True)
        # The owner reads that line only; whatever else is printed belongs in the log.
        os.dup2(2, 1)
        await serve(app, config)

    asyncio.run(run())


if __name__ == "__main__":
    main()
