"""jq as far as printed commands use it: `jq [-c] FILTER`, from stdin to stdout. With jq's own library, so that the tests need no jq."""

import json
import sys

import jq

[*options, program] = sys.argv[1:]
if options not in ([], ["-c"]):
    sys.exit(f"run_jq.py knows no {options}")
for result in jq.compile(program).input_text(sys.stdin.read()):
    print(json.dumps(result))
