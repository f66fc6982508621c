"""Reads Athena's DDL: statements that sqlglot's dialects read as something else, or not at all."""

import re
from dataclasses import dataclass, field

from .errors import NotSupportedLocally, QueryError

TOKEN = re.compile(
    r"""\s+|--[^\n]*|/\*.*?\*/|(?P<string>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")*"|`[^`]*`)|(?P<word>[A-Za-z_]\w*)|(?P<number>\d+(?:\.\d+)?)|(?P<sign><=|>=|<>|!=|.)""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


def tokens_of(sql: str) -> list[Token]:
    return [Token(match.lastgroup, match[0], match.start(), match.end()) for match in TOKEN.finditer(sql) if match.lastgroup is not None]


class Reader:
    """Takes a statement word by word."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.tokens = tokens_of(sql)
        self.index = 0

    @property
    def ended(self) -> bool:
        return self.index >= len(self.tokens)

    def peek(self) -> Token:
        return Token("end", "<EOF>", len(self.sql), len(self.sql)) if self.ended else self.tokens[self.index]

    def next(self) -> Token:
        token = self.peek()
        self.index += 1
        return token

    def fail(self) -> QueryError:
        token = self.peek()
        before = self.sql[: token.start]
        line, column = before.count("\n") + 1, token.start - before.rfind("\n")
        return QueryError("SYNTAX_ERROR", f"line {line}:{column}: mismatched input '{token.text}'")

    def takes(self, words: str) -> bool:
        """Whether these words follow; they are taken if so."""
        wanted = words.upper().split()
        found = [token.text.upper() for token in self.tokens[self.index : self.index + len(wanted)] if token.kind in ("word", "sign")]
        if found != wanted:
            return False
        self.index += len(wanted)
        return True

    def expect(self, words: str) -> None:
        if not self.takes(words):
            raise self.fail()

    def name(self) -> str:
        token = self.next()
        if token.kind == "word":
            return token.text.lower()
        if token.kind == "quoted":
            return token.text[1:-1].lower()
        self.index -= 1
        raise self.fail()

    def table(self, database: str) -> tuple[str, str]:
        names = [self.name()]
        while self.takes("."):
            names.append(self.name())
        if len(names) == 3 and names[0] == "awsdatacatalog":
            names = names[1:]
        if len(names) > 2:
            raise NotSupportedLocally(f"the catalog {names[0]}")
        return (names[0], names[1]) if len(names) == 2 else (database, names[0])

    def text(self) -> str:
        token = self.next()
        if token.kind != "string":
            self.index -= 1
            raise self.fail()
        return token.text[1:-1].replace("''", "'")

    def value(self) -> str:
        token = self.peek()
        return self.text() if token.kind == "string" else self.next().text

    def rest(self) -> str:
        return self.sql[self.peek().start :]

    def end(self) -> None:
        self.takes(";")
        if not self.ended:
            raise self.fail()

    def properties(self) -> dict[str, str]:
        """('key' = 'value', ...)"""
        self.expect("(")
        found = {}
        while True:
            key = self.text()
            self.expect("=")
            found[key] = self.text()
            if self.takes(")"):
                return found
            self.expect(",")

    def partition(self) -> dict[str, str]:
        """(key = 'value', ...)"""
        self.expect("(")
        found = {}
        while True:
            key = self.name()
            if not self.takes("="):
                raise NotSupportedLocally(f"a condition other than = on the partition column {key}")
            found[key] = self.value()
            if self.takes(")"):
                return found
            self.expect(",")

    def columns(self) -> list[tuple[str, str]]:
        """(name type COMMENT '...', ...)"""
        self.expect("(")
        found = []
        while True:
            name, depth, parts = self.name(), 0, []
            while depth or not (self.peek().text in (",", ")") or self.peek().text.upper() == "COMMENT"):
                token = self.next()
                if token.kind == "end":
                    raise self.fail()
                depth += (token.text in "<(") - (token.text in ">)")
                parts.append(token.text.lower())
            found.append((name, "".join(parts)))
            if self.takes("COMMENT"):
                self.text()
            if self.takes(")"):
                return found
            self.expect(",")


@dataclass
class CreateTableAs:
    database: str
    name: str
    if_not_exists: bool
    properties: dict[str, "str | list[str]"]
    query: str
    with_data: bool = True


@dataclass
class CreateTable:
    database: str
    name: str
    if_not_exists: bool
    columns: list[tuple[str, str]]
    partition_keys: list[tuple[str, str]] = field(default_factory=list)
    serde: str = ""
    serde_properties: dict[str, str] = field(default_factory=dict)
    input_format: str = "org.apache.hadoop.mapred.TextInputFormat"
    output_format: str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
    location: str = ""
    properties: dict[str, str] = field(default_factory=dict)


def create_table_as(reader: Reader, database: str) -> CreateTableAs:
    """After CREATE TABLE."""
    if_not_exists = reader.takes("IF NOT EXISTS")
    database, name = reader.table(database)
    properties: dict[str, str | list[str]] = {}
    if reader.takes("WITH"):
        reader.expect("(")
        while not reader.takes(")"):
            key = reader.name()
            reader.expect("=")
            properties[key] = _array(reader) if reader.takes("ARRAY") else reader.value()
            reader.takes(",")
    reader.expect("AS")
    query = reader.rest().rstrip().rstrip(";").rstrip()
    suffix = re.search(r"\bWITH\s+(NO\s+)?DATA$", query, re.IGNORECASE)
    if suffix:
        query = query[: suffix.start()].rstrip()
    return CreateTableAs(database, name, if_not_exists, properties, query, not (suffix and suffix[1]))


def _array(reader: Reader) -> list[str]:
    reader.expect("[")
    items = []
    while not reader.takes("]"):
        items.append(reader.text())
        reader.takes(",")
    return items


PARQUET = "org.apache.hadoop.hive.ql.io.parquet."


def create_table(reader: Reader, database: str) -> CreateTable:
    """After CREATE EXTERNAL TABLE."""
    if_not_exists = reader.takes("IF NOT EXISTS")
    database, name = reader.table(database)
    table = CreateTable(database, name, if_not_exists, reader.columns())
    while not reader.ended and not reader.takes(";"):
        if reader.takes("COMMENT"):
            table.properties["comment"] = reader.text()
        elif reader.takes("PARTITIONED BY"):
            table.partition_keys = reader.columns()
        elif reader.takes("ROW FORMAT SERDE"):
            table.serde = reader.text()
        elif reader.takes("WITH SERDEPROPERTIES"):
            table.serde_properties = reader.properties()
        elif reader.takes("STORED AS PARQUET"):
            table.serde = f"{PARQUET}serde.ParquetHiveSerDe"
            table.input_format, table.output_format = f"{PARQUET}MapredParquetInputFormat", f"{PARQUET}MapredParquetOutputFormat"
        elif reader.takes("STORED AS INPUTFORMAT"):
            table.input_format = reader.text()
            reader.expect("OUTPUTFORMAT")
            table.output_format = reader.text()
        elif reader.takes("STORED AS TEXTFILE"):
            pass
        elif reader.takes("LOCATION"):
            table.location = reader.text()
        elif reader.takes("TBLPROPERTIES"):
            table.properties |= reader.properties()
        else:
            raise NotSupportedLocally(f"{reader.peek().text.upper()} in CREATE EXTERNAL TABLE")
    return table
