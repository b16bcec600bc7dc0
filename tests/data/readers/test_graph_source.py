from __future__ import annotations

import pytest
from tiny_graphs import made

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_source import file_name, is_graph, reader_of, split_source


def test_sources_by_prefix(tmp_path):
    assert split_source("dbp5l:a/b:c/ja") == ("dbp5l", "a/b:c/ja") and split_source("cldr")[1] == ""
    assert is_graph("kg:x") and is_graph("cldr") and not is_graph("kgs:x") and not is_graph("a.tsv")
    reader, place = reader_of("kg:DIR")
    assert type(reader).__name__ == "Kg" and place == "DIR"
    with pytest.raises(UserError, match="names no layout"):
        reader_of("a.tsv")


def test_names_hold_no_folder_of_the_machine(tmp_path):
    source = made(tmp_path / "five", "dbp5l")
    assert file_name(source) == "dbp5l:five" and file_name(f"{source}/ja") == "dbp5l:five-ja"
    assert file_name("/home/me/links.tsv") == "links.tsv" and file_name("kg:data") == "kg:data"
