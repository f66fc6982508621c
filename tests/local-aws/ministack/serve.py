"""Runs ministack for one owner process, and never outlives it (see owner.py).

stdout: one line, the port. Everything else goes to stderr.
"""

import asyncio
import os

import owner


def main() -> None:
    owner.end_with_owner()
    listener = owner.listen()
    port = listener.getsockname()[1]
    # ministack's modules read it when they are imported.
    os.environ["GATEWAY_PORT"] = str(port)

    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    import athena_integration
    import athena_queries
    import bucket_owners
    import conditions
    import jsonata_fixes
    import log_events
    import log_groups
    import map_runs
    import metric_math
    import named_queries
    import nested_runs
    import nested_stacks
    import schedules
    import simulated_policies
    import subscriptions

    corrections = (
        bucket_owners, conditions, jsonata_fixes, log_events, log_groups, map_runs, metric_math, named_queries, nested_runs,
        nested_stacks, schedules, simulated_policies, subscriptions,
    )
    for correction in corrections:
        correction.correct()
    if "AWS_ENDPOINT_URL" in os.environ:
        athena_integration.install()
        athena_queries.install()

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"

    async def run() -> None:
        owner.tell_port(port)
        await serve(app, config)

    asyncio.run(run())


if __name__ == "__main__":
    main()
