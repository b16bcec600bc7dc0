from __future__ import annotations

import pytest
from tiny_graphs import write

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_files import (
    find_file,
    json_rows,
    language_of_uri,
    languages_of_folder,
    name_of_uri,
    need_file,
    rows,
    split_place,
    tidy,
    whole_number,
    without_ending,
)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("http://dbpedia.org/resource/AC/DC", "AC/DC"),
        ("<http://fr.dbpedia.org/resource/Caf%C3%A9_(lieu)>", "Café (lieu)"),
        ("http://x/y/Some_Thing/", "Some Thing"),
        ("http://x/onto#Part", "Part"),
        ("bare_name", "bare name"),
        ("http://dbpedia.org/resource/Cafe\u0301", "Café"),
        ("http://dbpedia.org/resource/%FF%00", "\ufffd"),
    ],
)
def test_names_of_uris(uri, name):
    assert name_of_uri(uri) == name


def test_languages():
    assert language_of_uri("http://ja.dbpedia.org/resource/x", "und") == "ja"
    assert language_of_uri("<http://dbpedia.org/resource/x>", "und") == "en"
    assert language_of_uri("http://www.wikidata.org/entity/Q1", "xx") == "xx"
    assert languages_of_folder("a/EN_FR_15K_V2") == ("en", "fr")
    assert languages_of_folder("a/dbp15k_ja_en") == ("ja", "en")
    assert languages_of_folder("a/things") == ("und-x-1", "und-x-2")


def test_files_and_places(tmp_path):
    write(tmp_path, {"a.tsv.gz": "x\n", "b/c.tsv": "y\n"})
    assert find_file(str(tmp_path), "z.tsv", "a.tsv") == str(tmp_path / "a.tsv.gz")
    assert find_file(str(tmp_path), "c.tsv") is None and without_ending("a.tsv.gz") == "a.tsv"
    assert split_place(f"{tmp_path}/b") == (f"{tmp_path}/b", None)
    assert split_place(f"{tmp_path}/ja/") == (str(tmp_path), "ja")
    assert split_place("a/3", ("1", "2")) == ("a/3", None) and split_place("a") == ("a", None)
    with pytest.raises(UserError, match="there is no x or y in this folder"):
        need_file(str(tmp_path), "write it so", "x", "y")
    with pytest.raises(UserError, match="there is no such folder"):
        need_file(f"{tmp_path}/\0", "write it so", "x")


def test_rows_have_their_columns(tmp_path):
    write(tmp_path, {"a": "1\t2 \r\n\n 3\t4\n", "b": "1\t\n", "c": "1\n", "d": ""})
    assert [cells for _, cells in rows(str(tmp_path / "a"), 2, "two")] == [["1", "2"], ["3", "4"]]
    for name, said in (("b", "a cell"), ("c", "1 column instead of 2"), ("d", "is empty")):
        with pytest.raises(UserError, match=said):
            list(rows(str(tmp_path / name), 2, "two"))
    (tmp_path / "e").write_bytes("é\tx\n".encode("utf-16"))
    with pytest.raises(UserError, match="not UTF-8"):
        list(rows(str(tmp_path / "e"), 2, "two"))
    write(tmp_path, {"j": '{"a": 1}\n\n{"a": 2}\n', "k": "5\n"})
    assert [row["a"] for _, row in json_rows(str(tmp_path / "j"), "x")] == [1, 2]
    with pytest.raises(UserError, match="no JSON object"):
        list(json_rows(str(tmp_path / "k"), "x"))


def test_numbers_and_texts():
    assert whole_number("12", "here") == 12 and whole_number("3931.0", "here", floats=True) == 3931
    for wrong in ("-1", "1.0", "x", "", "1" * 30, "²"):
        with pytest.raises(UserError, match="is no id"):
            whole_number(wrong, "here")
    assert tidy("  a\t b\u00a0 e\u0301 ") == "a b é"
