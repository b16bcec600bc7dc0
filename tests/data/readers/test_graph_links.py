from __future__ import annotations

import hashlib

import pytest
from tiny_graphs import made, write

from xadapt.core.errors import UserError
from xadapt.data.graphs.opening import open_links
from xadapt.data.readers.graph_links import left_out, link_rows, links_of, links_sha256


def test_rows_have_parts(tmp_path):
    write(tmp_path, {"a.tsv": "1\t2\ttrain\n3\t4\tref\n", "b.tsv": "1\t2\n"})
    assert link_rows(str(tmp_path / "a.tsv")) == ({("1", "2"): 0, ("3", "4"): 2}, True)
    assert links_of(str(tmp_path / "b.tsv")) == ({("1", "2"): 2}, False)
    source = made(tmp_path / "kg", "kg")
    assert links_of(source) == ({("a", "b"): 0, ("b", "c"): 2}, True)


def test_hashes_of_files_and_graphs(tmp_path):
    write(tmp_path, {"a.tsv": "1\t2\n"})
    own = hashlib.sha256(b"1\t2\n").hexdigest()
    assert links_sha256(str(tmp_path / "a.tsv")) == own
    source = made(tmp_path / "kg", "kg")
    assert links_sha256(source) == open_links(source).sha256
    assert left_out({"exclude_links": str(tmp_path / "a.tsv")}) == {str(tmp_path / "a.tsv"): own}
    assert left_out({"exclude_links": None, "x": 1}) == {} == left_out({})
    with pytest.raises(UserError):
        links_sha256(str(tmp_path / "none.tsv"))
