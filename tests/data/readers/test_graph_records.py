from __future__ import annotations

import pytest
from tiny_graphs import made, write

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_records import GraphRecords
from xadapt.data.readers.notes import Notes


def test_training_links_join_and_test_links_are_left_out(tmp_path):
    source = made(tmp_path / "pets", "kg")
    notes = Notes()
    joined = GraphRecords().graph(source, notes)
    assert joined.entities == ("a", "c")  # a - b is a training link, b - c a test link
    assert notes.lines == ["pets: entities of 1 links joined"]
    assert GraphRecords(links="none").graph(source, notes).entities == ("a", "b", "c")
    write(tmp_path, {"test.tsv": "b\tc\n"})
    out = GraphRecords(exclude_links=str(tmp_path / "test.tsv")).graph(source, Notes())
    assert out.entities == ("a",)  # the training link a - b has an excluded entity
    notes = Notes()
    own = GraphRecords(exclude_links=source).graph(source, notes)
    assert own.entities == ("a",)
    assert "2 entities of the 1 links in pets left out" in notes.lines[0]


def test_links_of_a_file_with_parts(tmp_path):
    source = made(tmp_path / "pets", "kg")
    write(tmp_path, {"l.tsv": "a\tc\ttrain\nb\tc\tdev\n", "all.tsv": "a\tc\n"})
    for name in ("l.tsv", "all.tsv"):
        graph = GraphRecords(links=str(tmp_path / name)).graph(source, Notes())
        assert graph.entities == ("a", "b")
    dev = GraphRecords(links="none", exclude_links=str(tmp_path / "l.tsv")).graph(source, Notes())
    assert dev.entities == ("a",)


def test_strangers_and_nothing_left(tmp_path):
    source = made(tmp_path / "pets", "kg")
    write(tmp_path, {"l.tsv": "a\tz\n", "all.tsv": "a\tb\nc\tc\n"})
    for options in ({"links": "l.tsv"}, {"exclude_links": "l.tsv"}):
        given = {key: str(tmp_path / value) for key, value in options.items()}
        with pytest.raises(UserError, match="pets has no entity 'z'"):
            GraphRecords(**given).graph(source, Notes())
    with pytest.raises(UserError, match="no entity is left"):
        GraphRecords(exclude_links=str(tmp_path / "all.tsv")).graph(source, Notes())
