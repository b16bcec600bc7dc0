"""Rows with named columns: the kinds of sources, their places, and names of classes."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows, parquet_columns, parquet_rows


def test_kinds():
    names = {"hf:org/x": "hf", "a.PARQUET": "parquet", "a.jsonl.zst": "jsonl", "a.ndjson": "jsonl"}
    assert {name: kind_of_rows(name) for name in names} == names
    assert kind_of_rows("a.tsv") == kind_of_rows("a.parquet.gz") == ""


def test_json_lines_have_their_places(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    rows = MappedRows(str(path))
    assert list(rows) == [(f"{path}:1", {"a": 1}), (f"{path}:3", {"a": 2})]
    assert rows.class_names() == {}


def test_parquet_streams_over_row_groups_with_chosen_columns(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"a": list(range(3000)), "b": ["x"] * 3000}), path, row_group_size=700)
    rows = list(parquet_rows(path, ["a"]))
    assert [row["a"] for _, row in rows] == list(range(3000)) and rows[-1][0] == f"{path}:3000"
    assert parquet_columns(path) == ["a", "b"]


@pytest.mark.parametrize("stored", ["{", "[]", json.dumps({"info": {"features": 3}})])
def test_a_damaged_description_of_columns_is_as_none(tmp_path, stored):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"a": [1]}).replace_schema_metadata({b"huggingface": stored.encode()})
    pq.write_table(table, tmp_path / "a.parquet")
    assert MappedRows(str(tmp_path / "a.parquet")).class_names() == {}
    with pytest.raises(UserError, match="no such file"):
        parquet_columns(str(tmp_path / "none.parquet"))
