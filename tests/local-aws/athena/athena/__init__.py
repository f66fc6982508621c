"""An Athena for the local AWS. `engine` says how to use it without a server; `server` speaks Athena's protocol.

A statement goes: `statements` tells what it is; `dialect` parses queries; `planner` resolves names, views and WITH into relations (`plan`), with
`expressions`, `functions`, `aggregates` and `casts` for what stands in them; `constraints` carries conditions to the scans, `projection` chooses
partitions, `scan` reads their objects through `storage` and `serde`; DuckDB executes; `rendering` writes values as Athena does.
"""
