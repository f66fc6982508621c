"""Runs moto's Step Functions, and nothing else of moto, for one owner process, and never outlives it (see owner.py).

Environment: MOTO_ACCOUNT_ID, the account that every state machine is in; STACK_ENDPOINT_URL, where tasks call AWS; WAIT_SCALE, by which
Wait and Retry delays are multiplied.
stdout: one line, the port, when requests are answered. Everything else goes to stderr.
"""

import logging
import os

import owner


def main() -> None:
    owner.end_with_owner()
    # A line for each request would bury what goes wrong.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    import engine

    engine.adapt(
        endpoint_url=os.environ["STACK_ENDPOINT_URL"],
        account_id=os.environ["MOTO_ACCOUNT_ID"],
        wait_scale=float(os.environ["WAIT_SCALE"]),
    )

    from moto.core.config import default_user_config
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    # The interpreter, instead of executions that only pretend to run.
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    listener = owner.listen()
    host, port = listener.getsockname()
    server = make_server(
        host,
        port,
        create_backend_app("stepfunctions"),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=listener.fileno(),
    )
    owner.tell_port(port)
    server.serve_forever()


if __name__ == "__main__":
    main()
