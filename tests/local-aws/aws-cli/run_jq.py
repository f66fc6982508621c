"""`jq [-c] FILTER` from stdin to stdout, with jq's library, so that the tests need no jq program. It has only the options of doctor's commands."""

import json
import sys

import jq

[*options, program] = sys.argv[1:]
if options not in ([], ["-c"]):
    sys.exit(f"run_jq.py does not support {options}")
for result in jq.compile(program).input_text(sys.stdin.read()):
    print(json.dumps(result))
