from __future__ import annotations

import sys
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import InMemory, is_columns, is_table
from xadapt.data.readers.notes import RowError
from xadapt.data.records import ParallelPair

PAIRS = [("one", "moja"), ("two", "mbili"), ("three", "tatu")]
DICTS = [{"en": en, "sw": sw} for en, sw in PAIRS]
COLUMNS = {"en": [en for en, _ in PAIRS], "sw": [sw for _, sw in PAIRS]}
Named = namedtuple("Named", "en sw")


@dataclass
class Row:
    en: str
    sw: str


def rows(data: Any) -> list[Any]:
    return [row for _, row in InMemory(data).rows()]


def named_forms() -> dict[str, Any]:
    data_set = datasets.Dataset.from_list(DICTS)
    return {
        "dicts": DICTS,
        "columns": COLUMNS,
        "pandas": pd.DataFrame(COLUMNS),
        "arrow": pa.table(COLUMNS),
        "dataset": data_set,
        "formatted": data_set.with_format("numpy"),
        "stream": data_set.to_iterable_dataset(),
        "named tuples": [Named(*pair) for pair in PAIRS],
        "dataclasses": [Row(*pair) for pair in PAIRS],
        "generator": (row for row in DICTS),
    }


@pytest.mark.parametrize("form", named_forms())
def test_every_form_with_names_gives_the_same_rows(form: str) -> None:
    assert rows(named_forms()[form]) == DICTS


@pytest.mark.parametrize(
    "data",
    [PAIRS, [list(pair) for pair in PAIRS], pd.DataFrame(PAIRS), np.array(PAIRS), iter(PAIRS)],
    ids=["tuples", "lists", "frame", "array", "iterator"],
)
def test_columns_without_names_are_numbered(data: Any) -> None:
    assert rows(data) == [{"1": en, "2": sw} for en, sw in PAIRS]


def test_a_polars_frame_lazy_or_not() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(COLUMNS)
    assert rows(frame) == rows(frame.lazy()) == DICTS
    assert rows(frame["sw"]) == [{"1": sw} for _, sw in PAIRS]


def test_series_and_lists_of_text() -> None:
    wanted = [{"1": "a"}, {"1": "b"}]
    assert rows(["a", "b"]) == rows(pd.Series(["a", "b"])) == rows(np.array(["a", "b"])) == wanted


def test_rows_are_read_again_and_have_places() -> None:
    table = InMemory(row for row in PAIRS)
    assert list(table.rows()) == list(table.rows())
    assert [where for where, _ in table.rows()] == [f"in-memory:{n}" for n in (1, 2, 3)]
    record = ParallelPair("moja", "one", "sw")
    assert next(InMemory([record]).rows())[1] is record


def test_a_missing_value_of_a_frame_is_none() -> None:
    frame = pd.DataFrame({"text": ["a", None, float("nan")], "label": [1.0, 2.0, float("nan")]})
    assert rows(frame)[1:] == [{"text": None, "label": 2.0}, {"text": None, "label": None}]


def test_a_large_frame_is_read_in_blocks() -> None:
    frame = pd.DataFrame({"a": range(2500)})
    frame.index = frame.index[::-1]
    assert [row["a"] for row in rows(frame)] == list(range(2500))


def test_names_of_labels_come_from_the_data_set() -> None:
    labels = datasets.ClassLabel(names=["O", "B-PER"])
    features = datasets.Features(
        {"tokens": datasets.Sequence(datasets.Value("string")), "tags": datasets.Sequence(labels),
         "label": labels}
    )  # fmt: skip
    data = datasets.Dataset.from_dict({"tokens": [["a"]], "tags": [[1]], "label": [0]}, features)
    assert InMemory(data).labels == {"tags": ["O", "B-PER"], "label": ["O", "B-PER"]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "NoneType is no data"),
        (3, "int is no data"),
        ({"a", "b"}, "a set has no order"),
        ({}, "this dict is neither"),
        ({"en": ["a"], "sw": ["b", "c"]}, "this dict is neither"),
        (datasets.DatasetDict({"train": datasets.Dataset.from_list(DICTS)}), "splits 'train'"),
        ({"train": [1], "test": [1]}, r"Give one of them: data\['train'\]"),
    ],
)
def test_other_objects_are_refused(data: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        InMemory(data)


def test_a_strange_row_is_a_fault_of_the_row() -> None:
    found = rows([None, 3, ("a", "b")])
    assert [type(row) for row in found] == [RowError, RowError, dict]
    with pytest.raises(UserError, match="two columns are named 'a'"):
        rows(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_keys_become_text() -> None:
    assert rows([{0: "a", 1: "b"}]) == [{"0": "a", "1": "b"}]


def test_what_is_a_table_and_what_are_columns() -> None:
    assert all(map(is_table, (pd.DataFrame(), pa.table({}), datasets.Dataset.from_dict({}))))
    assert not any(map(is_table, (PAIRS, COLUMNS, "a.tsv", None)))
    assert is_columns(COLUMNS) and not is_columns({"sw": PAIRS}) and not is_columns({"sw": "a.tsv"})


def test_nothing_is_imported_for_a_list() -> None:
    before = set(sys.modules)
    rows(PAIRS)
    assert not {"polars", "pandas"} & (set(sys.modules) - before)
