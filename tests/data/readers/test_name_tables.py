"""Names by language: of graphs, and of dictionaries from English."""

from __future__ import annotations

import pytest
from tiny_named_graph import graph_folder

from xadapt.core.errors import UserError
from xadapt.data.readers.name_tables import read_name_table


def test_names_of_a_graph(tmp_path):
    table = read_name_table(f"kg:{graph_folder(tmp_path)}")
    assert table["de"]["Q4"] == ("Katze", "Hauskatze") and table["sw"]["Q2"] == ("Ujerumani",)


def test_words_of_dictionaries(tmp_path):
    (tmp_path / "en-de.tsv").write_text("cat\tKatze\ncat\tMieze\ndog\tHund\n", encoding="utf-8")
    (tmp_path / "en-sw.tsv").write_text("cat\tpaka\nlion\tsimba\n", encoding="utf-8")
    (tmp_path / "other.tsv").write_text("x\ty\n", encoding="utf-8")
    table = read_name_table(f"{tmp_path}/en-{{lang}}.tsv")
    assert set(table) == {"en", "de", "sw"}
    assert table["de"] == {"cat": ("Katze", "Mieze"), "dog": ("Hund",)}
    assert set(table["en"]) == {"cat", "dog", "lion"}


def test_other_sources_are_refused(tmp_path):
    with pytest.raises(UserError, match="no source of names"):
        read_name_table("names.tsv")
    with pytest.raises(UserError, match="no dictionary has such a name"):
        read_name_table(f"{tmp_path}/en-{{lang}}.tsv")
