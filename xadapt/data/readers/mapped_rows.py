"""Stream rows with named columns: JSON lines, Parquet files and ``hf:`` data sets.

Parquet is read through pyarrow one batch of a row group at a time, so that the memory does not grow
with the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from xadapt.core.errors import UserError, missing_extra
from xadapt.data.readers.hub_dataset import Streamed
from xadapt.data.readers.jsonl import parse_object
from xadapt.data.readers.lines import LINE_CHARS, has_suffix, read_lines

Located = Iterator[tuple[str, Mapping[str, Any]]]
BATCH = 1024
"""Rows of a Parquet file that are in memory at a time."""


def kind_of_rows(source: str) -> str:
    """Return ``hf``, ``parquet`` or ``jsonl`` by the name of a source; empty for other sources."""
    if source.startswith("hf:"):
        return "hf"
    if source.lower().endswith(".parquet"):
        return "parquet"
    return "jsonl" if has_suffix(source, ".jsonl", ".ndjson") else ""


class MappedRows:
    """The rows of a source with named columns, each with its place, one at a time.

    Args:
        source: A ``.jsonl`` or ``.parquet`` file, or ``hf:org/name[/config][:split]``.
        limit: The longest line of JSON, in characters.

    Raises:
        UserError: If the source can't be read, or a package that reads it is not installed.
    """

    def __init__(self, source: str, limit: int = LINE_CHARS) -> None:
        self.source, self.limit = source, limit
        self.kind = kind_of_rows(source)
        self._streamed = Streamed(source) if self.kind == "hf" else None

    def __iter__(self) -> Located:
        if self._streamed is not None:
            return iter(self._streamed)
        return parquet_rows(self.source) if self.kind == "parquet" else self._jsonl()

    def class_names(self) -> dict[str, list[str]]:
        """Return the names of the classes that ``datasets`` stores as numbers, by column."""
        if self._streamed is not None:
            features = self._streamed.features
        elif self.kind == "parquet":
            features = _stored_features(self.source)
        else:
            return {}
        found = {column: _names(feature) for column, feature in features.items()}
        return {column: names for column, names in found.items() if names}

    def _jsonl(self) -> Located:
        for number, line in read_lines(self.source, limit=self.limit):
            if line.strip():
                where = f"{self.source}:{number}"
                yield where, parse_object(line, where)


def parquet_rows(path: str, columns: Iterable[str] | None = None) -> Located:
    """Stream the rows of a Parquet file.

    Args:
        path: The file.
        columns: Top columns to read; without them all.

    Raises:
        UserError: If pyarrow is not installed, or the file can't be read.
    """
    number = 0
    wanted = None if columns is None else list(columns)
    with _Opened(path) as file:
        for batch in file.iter_batches(BATCH, columns=wanted):
            for record in batch.to_pylist():
                number += 1
                yield f"{path}:{number}", record


def parquet_columns(path: str) -> list[str]:
    """Return the names of the top columns of a Parquet file.

    Raises:
        UserError: If pyarrow is not installed, or the file can't be read.
    """
    with _Opened(path) as file:
        return list(file.schema_arrow.names)


class _Opened:
    """An open Parquet file, with the errors of pyarrow as ours."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> Any:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise missing_extra("pyarrow", "data") from None
        self._errors = (pyarrow.ArrowException, OSError, ValueError)
        try:
            self._file = parquet.ParquetFile(self.path)
        except self._errors as error:
            raise self._refusal(error) from None
        return self._file

    def __exit__(self, kind: Any, error: Any, _: Any) -> None:
        self._file.close()
        if error is not None and isinstance(error, self._errors):
            raise self._refusal(error) from None

    def _refusal(self, error: Any) -> UserError:
        if isinstance(error, FileNotFoundError):
            return UserError("there is no such file", where=self.path, todo="Check the path")
        first = (str(error).splitlines() or [""])[0][:200]
        return UserError(
            f"can't read this Parquet file ({first})", where=self.path, todo="Check the file"
        )


def _stored_features(path: str) -> dict[str, Any]:
    """Return the features that ``datasets`` wrote into a Parquet file."""
    with _Opened(path) as file:
        raw = (file.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    try:
        info = json.loads(raw).get("info", {})
        features = info.get("features", {})
        return dict(features) if isinstance(features, dict) else {}
    except (ValueError, AttributeError, RecursionError):
        return {}


def _names(feature: Any) -> list[str]:
    """Return the names of a ``ClassLabel``, or of a sequence of them, stored or as an object."""
    for _ in range(3):
        names = feature.get("names") if isinstance(feature, dict) else getattr(feature, "names", 0)
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return names
        inner = feature.get("feature") if isinstance(feature, dict) else None
        feature = inner if inner is not None else getattr(feature, "feature", None)
    return []
