"""Tests of the local Athena's parts, without a server: `python -m unittest discover -s tests -t .` in the folder above.

`cargo test -p local-aws --test athena` runs them in the environment of requirements-athena.txt.
"""
