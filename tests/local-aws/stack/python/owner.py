"""What every server of the local AWS does for its one owner process: it listens on loopback, and never outlives its owner.

Started by the Rust module `process` as the leader of a process group of its own, with the owner's pipe as stdin. Every process that
the server starts stays in that group. The pipe closes when the owner ends, in whatever way, SIGKILL included; the group is then
killed, and the server's directory removed.
"""

import os
import shutil
import signal
import socket
import sys
import threading


def end_with_owner() -> None:
    if os.getpgrp() != os.getpid():
        # killpg would hit processes that are not ours.
        sys.exit(f"{sys.argv[0]} must be the leader of its own process group")
    threading.Thread(target=_wait_for_the_end, args=(os.environ["TMPDIR"],), daemon=True).start()


def _wait_for_the_end(directory: str) -> None:
    # Not sys.stdin: its lock would be held by this blocked thread when the interpreter shuts down.
    while os.read(0, 4096):
        pass
    try:
        # Removed first, since nothing of this process is left afterwards. The owner removes it when it ends in good order.
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.killpg(os.getpgrp(), signal.SIGKILL)


def listen() -> socket.socket:
    """A port of the kernel's choice. Handed over bound, so that no other process can take the port in between."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    # From here on a request is queued, not refused, until the server answers it.
    listener.listen()
    return listener


def tell_port(port: int) -> None:
    print(port, flush=True)
    # The owner reads that line only; whatever else is printed belongs in the log.
    os.dup2(2, 1)
