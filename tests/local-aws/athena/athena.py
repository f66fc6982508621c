"""The engine of the local Athena: sqlglot translates the SQL, DuckDB plans and executes it, over Glue and S3 (boto3 clients).

`EXPLAIN` over empty tables shows which conditions DuckDB pushes down to each scan, through views, joins, groups and windows. These
conditions select the partitions to read. With a condition that is not recognised, the engine reads more partitions, or refuses the query.

It refuses all SQL that it does not support, and all SQL whose result would differ from Athena's.
"""

import base64
import functools
import gzip
import itertools
import json
import logging
import math
import os
import re
import tempfile
import uuid
from collections import namedtuple
from decimal import Decimal
from pathlib import Path

import duckdb
import sqlglot
from botocore.exceptions import ClientError
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # sqlglot warns about statements that it does not parse, such as UNLOAD.

PARQUET = "org.apache.hadoop.hive.ql.io.parquet."
PARQUET_SERDE = f"{PARQUET}serde.ParquetHiveSerDe"
REGEX_SERDE = "org.apache.hadoop.hive.serde2.RegexSerDe"
JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe"
# The functions that the project's SQL and docs/athena.md call. Each gives Athena's result, or REFUSED refuses it.
FUNCTIONS = set(
    """array_agg array_join avg chr coalesce concat_ws count count_if date_trunc element_at from_iso8601_timestamp from_unixtime
    if json_extract_scalar json_parse length lower lpad max min regexp_extract regexp_like regexp_replace round row_number split split_part
    starts_with strpos sum try with_timezone""".split()
)
# Keywords and types before a parenthesis.
SYNTAX = set("and as by case cast else from in join not on or over partition select then timestamp try_cast values when where with".split())
# The supported kinds of expressions in sqlglot's tree.
NODES = set(
    """Add Alias And Anonymous ArrayAgg ArrayToString AtTimeZone Avg Between Boolean Bracket CTE Case Cast Chr Coalesce Column ConcatWs Count CountIf DPipe DataType
    DataTypeParam Distinct Div EQ From FromISO8601Timestamp GT GTE Group Having Identifier If In Is JSONExtractScalar JSONPath JSONPathKey
    JSONPathRoot Join LT LTE Length Like Limit Literal Lower Max Min Mul NEQ Neg Not Null Or Order Ordered Pad Paren ParseJSON RegexpExtract RegexpLike
    RegexpReplace Round RowNumber Select Split SplitPart Star StartsWith StrPosition Sub Subquery Sum Table TableAlias TimestampTrunc Try TryCast
    Union UnixToTime Var Where Window WindowSpec With""".split()
)
FOREIGN = {sqlglot.TokenType.DCOLON, sqlglot.TokenType.GLOB, sqlglot.TokenType.ILIKE, sqlglot.TokenType.RLIKE}
# Functions that sqlglot does not translate exactly.
MACROS = """
CREATE MACRO with_timezone(t, zone) AS timezone(zone, CAST(t AS TIMESTAMP));
CREATE MACRO iso_time(t) AS CAST(CASE WHEN regexp_full_match(t, '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d[.]\\d{3}Z') THEN t
  ELSE 'not a time in UTC with milliseconds: ' || t END AS TIMESTAMPTZ);
CREATE MACRO regexp_group(t, p, g) AS CASE WHEN regexp_matches(t, p) THEN regexp_extract(t, p, g) END;
CREATE MACRO json_scalar(j, p) AS CASE WHEN json_type(j, p) NOT IN ('OBJECT', 'ARRAY') THEN j ->> p END;
CREATE MACRO number_text(x, p) AS CASE WHEN regexp_full_match(x::VARCHAR, p) THEN x::VARCHAR ELSE 'INVALID_CAST_ARGUMENT: ' || x::VARCHAR END;
"""
INTEGER = "[+-]?[0-9]+"
NUMBERS = {"INT": INTEGER, "BIGINT": INTEGER, "DOUBLE": "[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?"}
TYPES = {"VARCHAR": "varchar", "INTEGER": "integer", "HUGEINT": "bigint", "TIMESTAMP WITH TIME ZONE": "timestamp(3) with time zone", '"NULL"': "unknown"}
HIVE_TYPES = {"varchar": "string", "integer": "int", "timestamp(3)": "timestamp", "bigint": "bigint", "double": "double", "boolean": "boolean", "date": "date"}
FAMILIES = {"text": exp.DataType.TEXT_TYPES, "number": exp.DataType.NUMERIC_TYPES, "time": exp.DataType.TEMPORAL_TYPES}
FAMILIES |= {"boolean": {exp.DType.BOOLEAN}, "array": exp.DataType.ARRAY_TYPES}
JOINABLE = exp.DataType.TEXT_TYPES | exp.DataType.INTEGER_TYPES
# The types of functions that sqlglot's DuckDB dialect lacks. The only anonymous function is with_timezone.
TYPES_BY_NODE = dict.fromkeys((exp.JSONExtractScalar, exp.Pad, exp.RegexpExtract, exp.RegexpReplace, exp.SplitPart), {"returns": exp.DType.VARCHAR})
TYPES_BY_NODE |= dict.fromkeys((exp.Anonymous, exp.AtTimeZone, exp.FromISO8601Timestamp), {"returns": exp.DType.TIMESTAMPTZ})
TYPES_BY_NODE |= {exp.Split: {"returns": exp.DataType.build("ARRAY<VARCHAR>")}, exp.Try: {"annotator": lambda self, e: self._annotate_by_args(e, "this")}}

Result = namedtuple("Result", "columns rows scanned")


class QueryError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


def refuse(condition, description):
    if condition:
        raise QueryError("NOT_SUPPORTED", f"{description} is not supported locally")


class Dialect(DuckDB):
    class Generator(DuckDB.Generator):
        def unsupported(self, message):
            refuse(True, message)

        def cast_sql(self, expression, safe_prefix=None):
            if (target := expression.to.this.name) not in NUMBERS:
                return super().cast_sql(expression, safe_prefix)
            return f"{safe_prefix or ''}CAST(number_text({self.sql(expression.this)}, '{NUMBERS[target]}') AS {target})"

        TRANSFORMS = DuckDB.Generator.TRANSFORMS | {
            exp.FromISO8601Timestamp: lambda g, e: g.func("iso_time", e.this),
            exp.RegexpExtract: lambda g, e: g.func("regexp_group", e.this, e.expression, e.args.get("group") or exp.Literal.number(0)),
            exp.JSONExtractScalar: lambda g, e: g.func("json_scalar", e.this, e.expression),
            # A timestamp without a zone is in UTC. DuckDB would read it in the given zone.
            exp.AtTimeZone: lambda g, e: f"(CAST({g.sql(e.this)} AS TIMESTAMPTZ) AT TIME ZONE {g.sql(e, 'zone')})",
            exp.Div: lambda g, e: f"{g.sql(e.this)} / {g.sql(e.expression)}",
        }


def is_unsupported_regex(node):
    """A supported pattern is a literal with the same meaning in Java and in RE2."""
    pattern = node.expression
    plain = re.sub(r"\\[bdswDSW.$|()\[\]t\\-]|\[[^\]\\]*\]", "", pattern.name)
    return not pattern.is_string or re.search(r"[.$\\]|\(\?", plain)


def is_unsupported_group(node):
    plain, group = re.sub(r"\\.|\[[^\]]*\]", "", node.expression.name), int(node.args["group"].name) if node.args.get("group") else 0
    return group > plain.count("(") or re.search(r"\)[?*{]|\|", plain)


def has_type(node, types):
    return node.type and node.type.this in types


def family(node):
    return next((name for name, types in FAMILIES.items() if has_type(node, types)), None)


def is_unsupported_cast(cast):
    source, target = cast.this, cast.to.this.name
    if target in ("TIMESTAMP", "DATE"):
        return family(source) != "time" and not source.is_string
    if target in ("VARCHAR", "TEXT"):
        return not has_type(source, exp.DataType.INTEGER_TYPES | exp.DataType.TEXT_TYPES)
    return target not in NUMBERS or family(source) == "time" or target != "DOUBLE" and has_type(source, exp.DataType.REAL_TYPES)


# Supported kinds of expressions that are refused under a condition, each with its description.
REFUSED = {
    exp.Anonymous: (lambda e: e.name.lower() != "with_timezone" or e.expressions[-1].sql() != "'UTC'", "a function of another engine, or a zone but 'UTC'"),
    exp.ArrayToString: (lambda e: e.args.get("null") or not e.this.type.expressions or e.this.type.expressions[0].this not in JOINABLE, "array_join of these"),
    exp.AtTimeZone: (lambda e: not isinstance(e.parent, exp.Cast), "AT TIME ZONE without a CAST around it"),
    exp.Bracket: (lambda e: not e.args.get("safe") or e.expressions[0].name == "0", "a subscript"),
    **dict.fromkeys((exp.Cast, exp.TryCast), (is_unsupported_cast, "a CAST between these types")),
    exp.Distinct: (lambda e: e.args.get("on"), "DISTINCT ON"),
    exp.Div: (lambda e: not re.search(r"\de\d|DOUBLE", e.expression.sql()), "a division by what is no double"),
    exp.Group: (lambda e: e.args.get("all") or e.args.get("totals"), "GROUP BY ALL"),
    exp.Is: (lambda e: not isinstance(e.expression, exp.Null), "IS other than IS NULL"),
    exp.Join: (lambda e: e.args.get("method") or e.args.get("using") or e.text("kind") in ("SEMI", "ANTI"), "this kind of join"),
    exp.RegexpExtract: (lambda e: is_unsupported_regex(e) or is_unsupported_group(e), "this regular expression"),
    exp.RegexpLike: (is_unsupported_regex, "this regular expression"),
    exp.RegexpReplace: (lambda e: is_unsupported_regex(e) or re.search(r"[$\\]", e.text("replacement")), "this regular expression or replacement"),
    exp.Split: (lambda e: not e.expression.name or e.args.get("limit"), "a split at nothing or with a limit"),
    exp.SplitPart: (lambda e: e.text("part_index") != "1", "split_part of another part than the first"),
    exp.Sub: (lambda e: family(e.this) == family(e.expression) == "time", "a difference of times"),
    exp.TimestampTrunc: (lambda e: not has_type(e.this, exp.DataType.TEMPORAL_TYPES - {exp.DType.DATE}), "date_trunc of what is no timestamp"),
    exp.Union: (lambda e: e.args.get("distinct"), "UNION without ALL"),
    exp.UnixToTime: (lambda e: any(value for name, value in e.args.items() if name != "this"), "from_unixtime with a zone"),
}


def parse(sql):
    """The tree of a single statement."""
    try:
        trees, tokens = sqlglot.parse(sql, read="athena"), sqlglot.tokenize(sql, read="athena")
    except sqlglot.errors.SqlglotError as error:
        raise QueryError("SYNTAX_ERROR", str(error)) from error
    if len(trees) != 1 or trees[0] is None or isinstance(trees[0], (exp.Alias, exp.Column)):
        raise QueryError("SYNTAX_ERROR", f"mismatched input '{sql.strip()[:40]}'")
    tree = trees[0]
    query = tree if isinstance(tree, exp.Query) else tree.expression if isinstance(tree, exp.Create) else None
    if query is None:
        return tree
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], tokens[-1]]):
        name = token.text.lower()
        is_alias = before is not None and before.text.lower() == "as"  # AS t (x)
        is_call = after.token_type == sqlglot.TokenType.L_PAREN and re.fullmatch(r"\w+", name) and not is_alias
        refuse(is_call and name not in FUNCTIONS | SYNTAX, f"the function {name}")
        if token.token_type in FOREIGN or sql[token.start] == "`" or sql[token.start : token.end + 1] in ("==", "!"):
            raise QueryError("SYNTAX_ERROR", f"mismatched input '{token.text}'")
    for node in query.walk():
        refuse(type(node).__name__ not in NODES or node.key == "column" and node.is_star, f"{type(node).__name__} in a query")
    for cast in query.find_all(exp.Cast):
        if cast.this.is_string and cast.is_type(*exp.DataType.TEMPORAL_TYPES) and not re.fullmatch(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d{1,3})?)?)?", cast.this.name):
            raise QueryError("INVALID_LITERAL", f"{cast.this} is not a valid literal")
    return tree


# translate() does not change the tree.
parse_view = functools.cache(parse)


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def split(path):
    """The bucket and the prefix of an S3 URI."""
    bucket, _, key = path.removeprefix("s3://").partition("/")
    return bucket, key if key.endswith("/") else key + "/"


@functools.cache
def duckdb_type(hive):
    return exp.DataType.build(hive, dialect="hive").sql("duckdb").replace("TEXT", "VARCHAR") if hive != "timestamp" else "TIMESTAMP_MS"


def trino_type(type_):
    if type_.endswith("[]") or type_.startswith("STRUCT"):
        return "array" if type_.endswith("[]") else "row"
    return "timestamp(3)" if type_.startswith("TIMESTAMP") and "ZONE" not in type_ else TYPES.get(type_, type_.lower())


def hive_type(type_):
    refuse(trino_type(type_) not in HIVE_TYPES, f"a column of the type {type_} in a table")
    return HIVE_TYPES[trino_type(type_)]


def text(value, null=None):
    """A value in Athena's results."""
    if isinstance(value, (str, type(None))):
        return null if value is None else value
    if isinstance(value, float):  # As in Java.
        if value == 0 or 1e-3 <= abs(value) < 1e7 or not math.isfinite(value):
            return repr(value).replace("nan", "NaN").replace("inf", "Infinity")
        sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
        rest = "".join(map(str, digits[1:])) or "0"
        return f"{'-' * sign}{digits[0]}.{rest}E{exponent + len(digits) - 1}"
    if hasattr(value, "hour"):
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
    if isinstance(value, list):
        return "[" + ", ".join(text(item, "null") for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={text(item, 'null')}" for name, item in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def lines(path, body):
    """The lines of a text object. A newline, a carriage return, or both end a line."""
    body = (gzip.decompress(body) if path.endswith(".gz") else body).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return [line.decode(errors="replace") for line in body[: None if body[-1] else -1]]


def regex_rows(serde, text_lines):
    """RegexSerDe's rows: the groups of a line, or NULLs if the whole line does not match."""
    regex = re.compile(serde["Parameters"]["input.regex"], re.DOTALL | re.ASCII)
    return [list(match.groups()) if (match := regex.fullmatch(line)) else [None] * regex.groups for line in text_lines]


def run(glue, s3, sql, database="default"):
    with tempfile.TemporaryDirectory() as folder:
        return Query(glue, s3, database, folder).run(sql)


class Query:
    def __init__(self, glue, s3, database, folder):
        self.glue, self.s3, self.database, self.folder = glue, s3, database, folder
        self.scanned = 0
        self.definitions, self.tables = {}, {}  # Glue's tables and views by name; the tables among them
        # With one thread, rows keep the order in which they were read. The disabled optimizers would use the contents of the empty tables.
        self.db = duckdb.connect(config={"threads": 1, "temp_directory": folder})
        self.db.execute("SET TimeZone = 'UTC'; SET disabled_optimizers = 'statistics_propagation,empty_result_pullup,common_subplan'")
        self.db.execute(MACROS)

    def run(self, sql):
        tree = parse(sql)
        try:
            if isinstance(tree, exp.Query):
                for number, item in enumerate(tree.selects):
                    if not item.output_name and not item.is_star:
                        item.replace(exp.alias_(item.copy(), f"_col{number}"))
                result = self.db.execute(self.prepare(tree))
                unsupported = re.search("ZONE|INTERVAL|JSON", " ".join(str(item[1]) for item in result.description))
                refuse(unsupported, "a time with a zone (CAST it AS timestamp(3)), an interval or JSON in a result")
                columns = [(item[0].lower(), trino_type(str(item[1]))) for item in result.description]
                return Result(columns, [[text(value) for value in row] for row in result.fetchall()], self.scanned)
            statement = tree.name.upper() if isinstance(tree, exp.Command) else f"{tree.key.upper()} {tree.args.get('kind')}"
            statements = {"ALTER TABLE": self.alter, "DROP TABLE": self.drop, "DROP VIEW": self.drop, "UNLOAD": self.unload}
            statements |= {"CREATE VIEW": self.create_view, "CREATE TABLE": self.create_table}
            refuse(statement not in statements, f"the statement {statement}")
            statements[statement](tree)
        except duckdb.Error as error:
            raise QueryError("GENERIC_USER_ERROR", str(error)) from error
        return Result([], [], self.scanned)

    def prepare(self, tree):
        """DuckDB's SQL. Loads the rows that it reads."""
        sql = self.translate(tree)
        (_, plan), *_ = self.db.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()
        self.load(json.loads(plan))
        return sql

    def translate(self, tree):
        """DuckDB's SQL. Defines the tables and views that it names. The tables are empty."""
        tree = tree.copy()
        ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            refuse(table.catalog or table.db not in ("", self.database), "another database")
            if table.name.lower() not in ctes or table.db:
                self.define(table.name.lower())
            table.set("db", None)
        self.check(tree)
        for query in tree.find_all(exp.Select):
            sources = [source.this for source in (query.args.get("from_"), *(query.args.get("joins") or [])) if source]
            reads_table = any(isinstance(source, exp.Table) and source.name in self.tables for source in sources)
            for item in query.expressions if reads_table else ():
                if isinstance(item, exp.Star):
                    item.set("except_", [exp.to_identifier("$path", quoted=True)])
            for window in query.find_all(exp.Window):
                if isinstance(window.this, exp.RowNumber) and not window.args.get("order") and window.parent_select is query:
                    refuse(not reads_table or len(sources) > 1, "row_number() without ORDER BY, but of a table's lines")
                    # The rows of a table are in the order of their object.
                    window.set("order", exp.Order(expressions=[exp.column("rowid")]))
        return tree.sql(Dialect)

    def check(self, tree):
        """Refuses SQL that Trino refuses and DuckDB accepts, and SQL with different results."""
        schema = {name: {quoted(row[0]): row[1] for row in self.db.execute(f"DESCRIBE {quoted(name)}").fetchall()} for name in self.definitions}
        try:
            # In Trino, only ORDER BY can use the aliases of SELECT.
            typed = qualify(tree.copy(), schema=schema, dialect="duckdb", expand_alias_refs=False, quote_identifiers=False)
        except sqlglot.errors.OptimizeError as error:
            raise QueryError("COLUMN_NOT_FOUND", str(error)) from error
        typed = annotate_types(typed, schema=schema, dialect="duckdb", expression_metadata=DuckDB.EXPRESSION_METADATA | TYPES_BY_NODE)
        for node in typed.walk():
            condition, description = REFUSED.get(type(node), (bool, ""))
            if description and condition(node):
                refuse(True, f"{description} ({node.sql('athena')})")
            if isinstance(node, (exp.Binary, exp.In, exp.Between, exp.Coalesce, exp.ConcatWs)):
                families = {family(child) for child in node.iter_expressions() if isinstance(child, exp.Condition)} - {None}
                if len(families) > 1 or isinstance(node, (exp.DPipe, exp.ConcatWs)) and families - {"text"}:
                    raise QueryError("TYPE_MISMATCH", f"Cannot apply operator to {' and '.join(sorted(families))}: {node.sql('athena')}")

    def find(self, name):
        try:
            return self.glue.get_table(DatabaseName=self.database, Name=name)["Table"]
        except ClientError:
            return None

    def require(self, name):
        table = self.find(name)
        if table is None:
            raise QueryError("TABLE_NOT_FOUND", f"Table 'awsdatacatalog.{self.database}.{name}' does not exist")
        return table

    def require_absent(self, name):
        if self.find(name):
            raise QueryError("TABLE_ALREADY_EXISTS", f"Table 'awsdatacatalog.{self.database}.{name}' already exists")

    def define(self, name):
        if name in self.definitions:
            return
        table = self.require(name)
        if table.get("TableType") == "VIRTUAL_VIEW":
            view = json.loads(base64.b64decode(table["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")))
            self.db.execute(f"CREATE VIEW {quoted(name)} AS {self.translate(parse_view(view['originalSql']))}")
            found = [(column[0], trino_type(column[1])) for column in self.db.execute(f"DESCRIBE {quoted(name)}").fetchall()]
            if found != (declared := [(column["name"], column["type"]) for column in view["columns"]]):
                raise QueryError("INVALID_VIEW", f"View '{name}' is stale: it has {found} and declares {declared}")
            self.definitions[name] = table
            return
        columns = ", ".join(f"{quoted(c['Name'])} {duckdb_type(c['Type'])}" for c in table["StorageDescriptor"]["Columns"] + table.get("PartitionKeys", []))
        self.db.execute(f'CREATE TABLE {quoted(name)} ({columns}, "$path" VARCHAR)')
        self.definitions[name] = self.tables[name] = table

    def load(self, plan):
        """Loads the partitions of each scan in the plan, selected by the conditions that DuckDB pushed down to it."""
        selected, nodes = {}, list(plan)
        while nodes:
            node = nodes.pop()
            nodes += node["children"]
            name = node["extra_info"].get("Table", "").split(".")[-1]
            if name in self.tables:
                filters = node["extra_info"].get("Filters", [])
                selected.setdefault(name, {}).update(self.partitions(self.tables[name], [filters] if isinstance(filters, str) else filters))
        for name, partitions in selected.items():
            self.read(name, self.tables[name], partitions)

    def partitions(self, table, filters):
        """The locations to read, with their values of the partition columns."""
        keys = table.get("PartitionKeys", [])
        if not keys:
            return {table["StorageDescriptor"]["Location"]: ()}
        parameters = table["Parameters"]
        projected = parameters.get("projection.enabled") == "true"
        registered = [] if projected else self.glue.get_partitions(DatabaseName=self.database, TableName=table["Name"])["Partitions"]
        allowed = []
        for index, key in enumerate(keys):
            name = key["Name"]
            conditions = [item.removeprefix("optional: ") for item in filters if re.match(rf"(optional: )?\(+{name} ", item)]
            values = self.candidates(parameters, name, conditions) if projected else list({item["Values"][index] for item in registered})
            sql = f"SELECT {name} FROM (SELECT unnest($1)::{duckdb_type(key['Type'])} AS {name}) WHERE {' AND '.join(conditions) or 'true'}"
            allowed.append([row[0] for row in self.db.execute(sql, [[str(value) for value in values]]).fetchall()])
        if not projected:
            locations = {item["StorageDescriptor"]["Location"]: tuple(item["Values"]) for item in registered}
            return {location: values for location, values in locations.items() if all(v in map(str, a) for v, a in zip(values, allowed))}
        found = {}
        for values in itertools.product(*allowed):
            location = parameters["storage.location.template"]
            for key, value in zip(keys, values):
                digits = int(parameters.get(f"projection.{key['Name']}.digits", 0))
                location = location.replace(f"${{{key['Name']}}}", str(value).zfill(digits))
            found[location] = values
        return found

    @staticmethod
    def candidates(parameters, name, conditions):
        kind = parameters[f"projection.{name}.type"]
        if kind == "integer":
            refuse(f"projection.{name}.interval" in parameters, "an interval in partition projection")
            first, last = parameters[f"projection.{name}.range"].split(",")
            return range(int(first), int(last) + 1)
        refuse(kind != "injected", f"partition projection of the type {kind}")
        equalities = [item for item in conditions if re.search(r" (=|IN) ", item) and not re.search(r" (<|>|!=|<=|>=) ", item)]
        if not equalities:
            only = f"For the injected projected partition column {name}, the WHERE clause must contain only static equality conditions"
            raise QueryError("CONSTRAINT_VIOLATION", f"{only}, and at least one such condition must be present.")
        return [value.replace("''", "'") for value in re.findall(r"'((?:[^']|'')*)'", equalities[0])]

    def list_keys(self, bucket, prefix):
        request, keys, answer = {"Bucket": bucket, "Prefix": prefix}, [], {"IsTruncated": True}
        while answer["IsTruncated"]:
            answer = self.s3.list_objects_v2(**request)
            keys += [item["Key"] for item in answer.get("Contents", [])]
            request["ContinuationToken"] = answer.get("NextContinuationToken")
        return keys

    def objects(self, locations):
        """(location, path, bytes) of the objects that are not hidden, sorted by key."""
        bucket, prefix = split(os.path.commonprefix(list(locations)).rpartition("/")[0])
        keys = self.list_keys(bucket, prefix) if locations else []
        for location in locations:
            start = split(location)[1]
            for key in sorted(key for key in keys if key.startswith(start)):
                if not any(part.startswith(("_", ".")) for part in key[len(start) :].split("/")) and not key.endswith("/"):
                    body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                    self.scanned += len(body)
                    yield location, f"s3://{bucket}/{key}", body

    def read(self, name, table, partitions):
        keys, columns = table.get("PartitionKeys", []), table["StorageDescriptor"]["Columns"]
        serde = table["StorageDescriptor"]["SerdeInfo"]
        library, file = serde["SerializationLibrary"], f"{self.folder}/object"
        refuse(library not in (PARQUET_SERDE, JSON_SERDE, REGEX_SERDE), f"the SerDe {library}")
        for location, path, body in self.objects(partitions):
            tail = [f"{literal(str(value))}::{duckdb_type(key['Type'])}" for key, value in zip(keys, partitions[location])] + [literal(path)]
            insert = f"INSERT INTO {quoted(name)} SELECT {{}}, {', '.join(tail)} FROM {{}}"
            names = ", ".join(quoted(column["Name"]) for column in columns)
            if library == REGEX_SERDE:
                rows = regex_rows(serde, lines(path, body))
                refuse(any(len(row) != len(columns) for row in rows[:1]), "a regular expression with more or fewer groups than columns")
                items = ", ".join(f"r[{number}]" for number in range(1, len(columns) + 1))
                self.db.execute(insert.format(items, "(SELECT unnest($1::VARCHAR[][]) AS r)"), [rows])
                continue
            Path(file).write_bytes(body if library == PARQUET_SERDE else "\n".join(lines(path, body)).encode())
            if library == PARQUET_SERDE:
                self.db.execute(insert.format(names, f"read_parquet({literal(file)})"))
            else:
                types = ", ".join(f"{quoted(column['Name'])}: {literal(duckdb_type(column['Type']))}" for column in columns)
                ignores = serde.get("Parameters", {}).get("ignore.malformed.json", "false")
                options = f"format = 'newline_delimited', ignore_errors = {ignores}, columns = {{{types}}}"
                self.db.execute(insert.format(names, f"read_json({literal(file)}, {options})"))

    def write(self, query, location, kind="PARQUET", compression="GZIP", delimiter="\x01"):
        """Writes the rows as one object to an empty location. Without rows, it writes none. Returns the columns."""
        bucket, prefix = split(location)
        if self.list_keys(bucket, prefix):
            raise QueryError("HIVE_PATH_ALREADY_EXISTS", f"Target directory already exists: {location}")
        if not all(item.output_name for item in query.selects):
            raise QueryError("MISSING_COLUMN_NAME", "a column has no name")
        file = f"{self.folder}/out"
        self.db.execute(f"CREATE TEMP TABLE written AS {self.prepare(query)}")
        columns = [(row[0].lower(), hive_type(row[1])) for row in self.db.execute("DESCRIBE written").fetchall()]
        if kind == "PARQUET":
            casts = ", ".join(f"CAST({quoted(name)} AS {duckdb_type(type_)}) AS {quoted(name)}" for name, type_ in columns)
            self.db.execute(f"COPY (SELECT {casts} FROM written) TO {literal(file)} (FORMAT parquet, COMPRESSION {compression})")
            body = Path(file).read_bytes()
        else:
            json_types, body = (bool, int, float, type(None)), ""
            for row in self.db.execute("SELECT * FROM written").fetchall():
                if kind == "JSON":
                    fields = {name: value if isinstance(value, json_types) else text(value) for (name, _), value in zip(columns, row)}
                    body += json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"
                else:
                    body += delimiter.join("\\N" if value is None else text(value) for value in row) + "\n"
            body = gzip.compress(body.encode()) if compression == "GZIP" else body.encode()
        if self.db.execute("SELECT count(*) FROM written").fetchone()[0]:
            suffix = ".parquet" if kind == "PARQUET" else ".gz" if compression == "GZIP" else ""
            self.s3.put_object(Bucket=bucket, Key=f"{prefix}{uuid.uuid4()}{suffix}", Body=body)
        return columns

    def unload(self, tree):
        match = re.fullmatch(r"\s*\((.*)\)\s*TO\s*'(s3://[^']+)'\s*WITH\s*\(((?:\s*\w+\s*=\s*'[^']*'\s*,?)*)\)\s*", tree.text("expression"), re.I | re.S)
        refuse(not match, "UNLOAD other than UNLOAD (SELECT ...) TO 's3://...' WITH (format = '...')")
        options = dict(re.findall(r"(\w+)\s*=\s*'([^']*)'", match[3]))
        kind, delimiter, compression = options.pop("format", "").upper(), options.pop("field_delimiter", "\x01"), options.pop("compression", "GZIP").upper()
        allowed = {"PARQUET": ("GZIP", "ZSTD", "SNAPPY"), "JSON": ("GZIP", "NONE"), "TEXTFILE": ("GZIP", "NONE")}
        refuse(options or compression not in allowed.get(kind, ()) or len(delimiter) != 1, f"UNLOAD with ({match[3].strip()})")
        query = parse(match[1])
        refuse(not isinstance(query, exp.Query), "UNLOAD of what is no query")
        self.write(query, match[2], kind, compression, delimiter)

    @staticmethod
    def properties(tree):
        found = tree.args["properties"].expressions if tree.args.get("properties") else []
        return {item.name.lower(): item.args["value"].name for item in found if type(item) is exp.Property}

    def create(self, name, columns, keys, location, serde, parameters, formats, **more):
        self.require_absent(name)
        described = [[{"Name": name, "Type": type_} for name, type_ in items] for items in (columns, keys)]
        storage = {"Columns": described[0], "Location": location, "InputFormat": formats[0], "OutputFormat": formats[1], "SerdeInfo": serde}
        table = {"Name": name, "TableType": "EXTERNAL_TABLE", "Parameters": parameters, "PartitionKeys": described[1], "StorageDescriptor": storage}
        self.glue.create_table(DatabaseName=self.database, TableInput=table | more)

    def create_table(self, tree):
        def columns(schema):
            return [(column.name, column.args["kind"].sql("hive").lower()) for column in schema.expressions]

        row_format, location = tree.find(exp.RowFormatSerdeProperty), tree.find(exp.LocationProperty)
        partitioned = tree.find(exp.PartitionedByProperty)
        refuse(not (tree.find(exp.ExternalProperty) and row_format and location), "CREATE TABLE other than EXTERNAL with a ROW FORMAT SERDE and a LOCATION")
        parameters = {item.name: item.args["value"].name for item in row_format.args["serde_properties"].expressions}
        serde = {"SerializationLibrary": row_format.name, "Parameters": parameters}
        formats = "org.apache.hadoop.mapred.TextInputFormat", "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
        keys = columns(partitioned.this) if partitioned else []
        self.create(tree.this.this.name, columns(tree.this), keys, location.name, serde, {"EXTERNAL": "TRUE"} | self.properties(tree), formats)

    def create_view(self, tree):
        self.db.execute(self.translate(tree.expression))
        columns = [(item[0], trino_type(str(item[1]))) for item in self.db.description]
        view = {"originalSql": tree.expression.sql("athena"), "catalog": "awsdatacatalog", "schema": self.database}
        view["columns"] = [{"name": name, "type": type_} for name, type_ in columns]
        encoded = f"/* Presto View: {base64.b64encode(json.dumps(view).encode()).decode()} */"
        if tree.args.get("replace"):
            self.drop(exp.Drop(tables=[tree.this], exists=True))
        hive_columns = [(name, HIVE_TYPES.get(type_, type_)) for name, type_ in columns]
        more = {"TableType": "VIRTUAL_VIEW", "ViewOriginalText": encoded, "ViewExpandedText": "/* Presto View */"}
        self.create(tree.this.name, hive_columns, [], "", {"SerializationLibrary": "-"}, {"presto_view": "true"}, ("", ""), **more)

    def drop(self, tree):
        for table in tree.args["tables"]:
            if not tree.args.get("exists") or self.find(table.name):
                self.glue.delete_table(DatabaseName=self.database, Name=self.require(table.name)["Name"])

    def alter(self, tree):
        name = {"DatabaseName": self.database, "TableName": tree.this.name}
        table = self.require(tree.this.name)
        if len(tree.args["actions"]) != 1:
            raise QueryError("SYNTAX_ERROR", "mismatched input ','")
        (action,) = tree.args["actions"]
        is_move = isinstance(action, exp.AlterSet) and set(filter(action.args.get, action.args)) == {"location"} and tree.this.args.get("partition")
        refuse(not is_move and not isinstance(action, (exp.AddPartition, exp.DropPartition)), f"ALTER TABLE {action.sql()}")
        partition_values = {pair.this.name: pair.expression.name for pair in (tree.this.args["partition"] if is_move else action).find_all(exp.EQ)}
        values = [partition_values.get(key["Name"]) for key in table["PartitionKeys"]]
        if None in values or len(partition_values) != len(values):
            raise QueryError("FAILED", f"the partition {partition_values} does not name every partition column")
        exists = any(item["Values"] == values for item in self.glue.get_partitions(**name)["Partitions"])
        adds = isinstance(action, exp.AddPartition)
        if exists == adds:
            if is_move or not action.args.get("exists"):
                raise QueryError("FAILED", f"Partition {'already exists' if exists else 'not found'}: {partition_values}")
        elif isinstance(action, exp.DropPartition):
            self.glue.delete_partition(**name, PartitionValues=values)
        else:
            storage = table["StorageDescriptor"] | {"Location": action.args["location"].name}
            partition = {"Values": values, "StorageDescriptor": storage}
            if is_move:
                # ministack has no UpdatePartition.
                self.glue.batch_update_partition(**name, Entries=[{"PartitionValueList": values, "PartitionInput": partition}])
            else:
                self.glue.create_partition(**name, PartitionInput=partition)
