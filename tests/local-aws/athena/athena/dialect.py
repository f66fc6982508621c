"""Reads Athena's SQL. sqlglot's parser for Trino, told to leave every function as it is written: what one means is for `functions` to say."""

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino

from .errors import NotSupportedLocally, QueryError

# Functions with a syntax of their own, and no other.
SYNTAX = ("CAST", "TRY_CAST", "EXTRACT", "TRIM", "POSITION", "LISTAGG")


class Queries(Trino):
    # Subscripts stay as they are written: counted from 1.
    INDEX_OFFSET = 0

    class Parser(Trino.Parser):
        FUNCTIONS = {}
        FUNCTION_PARSERS = {name: parser for name, parser in Trino.Parser.FUNCTION_PARSERS.items() if name in SYNTAX}


def parse_query(sql: str) -> exp.Query:
    try:
        statements = Queries().parse(sql.rstrip().rstrip(";"))
    except sqlglot.errors.SqlglotError as error:
        raise QueryError("SYNTAX_ERROR", _first_problem(error)) from error
    if len(statements) != 1 or statements[0] is None:
        raise QueryError("SYNTAX_ERROR", "Only one sql statement is allowed")
    if not isinstance(statements[0], exp.Query):
        raise NotSupportedLocally(f"the statement {sql.split()[0].upper()}")
    return statements[0]


def _first_problem(error: sqlglot.errors.SqlglotError) -> str:
    problems = getattr(error, "errors", None)
    if not problems:
        return str(error)
    first = problems[0]
    return f"line {first['line']}:{first['col']}: mismatched input '{first['highlight']}'. {first['description']}"
