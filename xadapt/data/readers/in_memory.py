"""Rows of Python objects: lists, dicts of columns, data frames, Arrow tables and data sets.

Data frames and data sets are recognised by their methods, so that pandas, polars, pyarrow and
datasets are imported only by a program that uses them. Rows are read in blocks; the data are never
copied as a whole, except for a generator, whose rows are kept because it can be read only once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import RowError
from xadapt.data.records import Record

NAME = "in-memory"
BLOCK = 1000
"""Number of rows that are taken from a frame or a data set at once."""
SPLITS = frozenset({"train", "training", "validation", "valid", "dev", "test"})
FORMS = (
    "Give a path, hf:org/name, a list of tuples or dicts, a DataFrame, a datasets.Dataset, or a "
    "dict of languages to these"
)


class InMemory:
    """Data of a running program, as a source of rows.

    Two objects are equal only if they are the same object.

    Args:
        data: A list of tuples, dicts, strings or records; a dict of columns; a pandas or polars
            frame; a pyarrow table; a ``datasets.Dataset`` or ``IterableDataset``; or any iterable
            of such rows.
        columns: The columns to read, in the order of the record's fields, or by field.
        name: Name of the data in notes, errors and the manifest.

    Attributes:
        labels: Names of the numbers in a column, by the column's name, where the data have them
            (``ClassLabel`` of datasets).

    Raises:
        UserError: If the object is no such data, or a dict of splits.
    """

    def __init__(
        self,
        data: Any,
        columns: str | Iterable[str] | Mapping[str, str] | None = None,
        name: str = NAME,
    ) -> None:
        _require_rows(data)
        once = isinstance(data, Iterator)
        self.data: Any = list(data) if once else data
        self.columns, self.name = columns, name
        features = getattr(data, "features", None) if is_data_set(data) else None
        self.labels = label_names(features or {})

    def __str__(self) -> str:
        return self.name

    def rows(self) -> Iterator[tuple[str, Any]]:
        """Yield each row with its place, such as ``in-memory:1``.

        A row is a record, a mapping, or a `RowError` if it is neither a list nor a mapping. The
        columns of a row without names are called ``1``, ``2`` and so on.

        Raises:
            UserError: If two columns have one name.
        """
        for number, row in enumerate(_rows(self.data), 1):
            where = f"{self.name}:{number}"
            yield where, _named(row, where)


def is_data_set(data: Any) -> bool:
    """Return whether an object is a ``Dataset`` or ``IterableDataset`` of datasets."""
    return hasattr(data, "features") and hasattr(data, "iter") and hasattr(data, "column_names")


def is_table(data: Any) -> bool:
    """Return whether an object is a data frame, an Arrow table or a data set."""
    return is_data_set(data) or any(f(data) for f in (_is_pandas, _is_polars, _is_arrow, _is_lazy))


def is_columns(data: Any) -> bool:
    """Return whether an object is a dict of columns: equally long lists of values, not of rows."""
    if not isinstance(data, Mapping) or not data:
        return False
    columns = list(data.values())
    if not all(isinstance(column, Collection) and not _is_one(column) for column in columns):
        return False
    first = [next(iter(column), None) for column in columns]
    same = len({len(column) for column in columns}) == 1
    return same and not any(isinstance(value, (tuple, Mapping, Record)) for value in first)


def _require_rows(data: Any) -> None:
    if isinstance(data, Mapping) and data and set(data) <= SPLITS:
        splits = ", ".join(map(repr, data))
        raise UserError(
            f"this is a dict of the splits {splits}",
            where=NAME,
            todo=f"Give one of them: data[{next(iter(data))!r}]",
        )
    if isinstance(data, (set, frozenset)):
        raise UserError(
            "a set has no order, so two runs would differ", where=NAME, todo="Give a list"
        )
    known = is_table(data) or is_columns(data)
    if known or (isinstance(data, Iterable) and not _is_one(data) and not isinstance(data, dict)):
        return
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not _is_one(data):
        if not isinstance(data, Mapping):
            return  # a data set of torch with __getitem__ alone
        raise UserError(
            "this dict is neither languages with their data nor equally long columns",
            where=NAME,
            todo='Give {"sw": [...], "de": [...]} or {"en": [...], "sw": [...]}',
        )
    raise UserError(f"{type(data).__name__} is no data", where=NAME, todo=FORMS)


def _is_one(value: Any) -> bool:
    return isinstance(value, (str, bytes))


def _is_pandas(data: Any) -> bool:
    return hasattr(data, "iloc") and hasattr(data, "columns") and hasattr(data, "to_dict")


def _is_polars(data: Any) -> bool:
    return hasattr(data, "iter_rows") and hasattr(data, "columns")


def _is_lazy(data: Any) -> bool:
    return hasattr(data, "collect") and hasattr(data, "collect_schema")


def _is_arrow(data: Any) -> bool:
    return hasattr(data, "to_batches") and hasattr(data, "column_names")


def _rows(data: Any) -> Iterator[Any]:
    if is_data_set(data):
        plain = data.with_format(None) if hasattr(data, "with_format") else data
        for block in plain.iter(batch_size=BLOCK):
            yield from _of_columns(block)
    elif _is_pandas(data):
        yield from _of_pandas(data)
    elif _is_lazy(data):
        yield from data.collect().iter_rows(named=True)
    elif _is_polars(data):
        yield from data.iter_rows(named=True)
    elif _is_arrow(data):
        for batch in data.to_batches(max_chunksize=BLOCK):
            yield from batch.to_pylist()
    elif isinstance(data, Mapping):
        yield from _of_columns(data)
    else:
        yield from data


def _of_columns(columns: Mapping[Any, Iterable[Any]]) -> Iterator[dict[Any, Any]]:
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _of_pandas(frame: Any) -> Iterator[Any]:
    names = list(frame.columns)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"two columns are named {twice!r}", where=NAME, todo="Rename one of them")
    unnamed = names == list(range(len(names)))
    for start in range(0, len(frame), BLOCK):
        block = frame.iloc[start : start + BLOCK]
        block = block.astype(object).where(block.notna(), None)  # a missing value is None
        for row in block.to_dict("records"):
            yield tuple(row.values()) if unnamed else row


def _named(row: Any, where: str) -> Any:
    """Return a row as a record, a mapping with text as keys, or a fault."""
    if isinstance(row, Record):
        return row
    if isinstance(row, Mapping):
        return row if all(isinstance(key, str) for key in row) else _by_text(row)
    if hasattr(row, "tolist"):
        row = row.tolist()
    if isinstance(row, str):
        return {"1": row}
    if isinstance(row, (list, tuple)) and not hasattr(row, "_asdict"):
        return {str(number): value for number, value in enumerate(row, 1)}
    if hasattr(row, "_asdict"):
        return row._asdict()
    if hasattr(row, "texts") and hasattr(row, "label"):  # an InputExample
        return {str(number): value for number, value in enumerate((*row.texts, row.label), 1)}
    if is_dataclass(row):
        return {field.name: getattr(row, field.name) for field in fields(row)}
    return RowError(
        f"this row is {'None' if row is None else type(row).__name__}",
        where=where,
        todo="A row is a tuple, a list, a dict, a text or a record of xadapt.data.records",
    )


def _by_text(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in row.items()}


def label_names(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of the numbers in each column of ``ClassLabel``, or of lists of them."""
    found = {}
    for column, feature in features.items():
        inner = getattr(feature, "feature", feature)
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if getattr(inner, "names", None):
            found[str(column)] = list(inner.names)
    return found


def plain_value(value: Any) -> Any:
    """Return a value of numpy or torch as one of Python, and a missing value as None."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and math.isnan(value):
        return None
    return None if type(value).__name__ in ("NAType", "NaTType") else value
