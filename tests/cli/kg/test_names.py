from __future__ import annotations

import json

from tiny_commands import good, xadapt
from tiny_graphs import lines, write

FILES = {
    "a.jsonl": lines({"wikidata_id": "Q1", "values": ["Erde"]}),
    "b.tsv": "Q1\tErde\nQ2\tMond\n",
    "gold.jsonl": lines(
        {"wikidata_id": "Q1", "correct_values": ["Erde"], "incorrect_values": ["Mond"]}
    ),
}


def test_names_are_voted_measured_and_written(tmp_path):
    write(tmp_path, FILES)
    given = ("kg", "names", "--lang", "de", "--source", f"{tmp_path}/a.jsonl,b={tmp_path}/b.tsv")
    out, page, told = (tmp_path / name for name in ("out.jsonl", "page.html", "told.json"))
    done = good(*given, "--out", out, "--gold", tmp_path / "gold.jsonl", "--report", page,
                "--json", told)  # fmt: skip
    assert "coverage" in done.out and str(page) in done.out
    assert json.loads(out.read_text())["values"] == [[2, "Erde", False]]
    value = json.loads(told.read_text(encoding="utf-8"))
    assert value["command"] == "kg names" and value["scores"]["check F1"]["mean"] == 1
    assert value["entities"] == {"all": 2, "written": 1}
    again = xadapt(*given, "--out", out)
    assert again.code == 2 and "such a file already" in again.err
    good(*given, "--out", out, "--force", "--min-votes", 1)
    assert len(out.read_text().splitlines()) == 2


def test_a_translator_of_a_file(tmp_path):
    write(tmp_path, {**FILES, "kg/entities.tsv": "Q2\n", "kg/names_en.tsv": "Q2\tmoon\n",
                     "words.tsv": "moon\tMond\n"})  # fmt: skip
    out = tmp_path / "out.jsonl"
    good("kg", "names", "--lang", "de", "--source", tmp_path / "b.tsv", "--graph",
         f"kg:{tmp_path}/kg", "--from", "en", "--translator", f"file:{tmp_path}/words.tsv",
         "--out", out)  # fmt: skip
    assert json.loads(out.read_text())["sources"] == [["b.tsv", "words.tsv en"]]


def test_mistakes_are_one_line_and_leave_nothing(tmp_path):
    write(tmp_path, FILES)
    out = tmp_path / "out.jsonl"
    for more, said in (
        (("--source", tmp_path / "nothing"), "no such file"),
        (("--source", f"{tmp_path}/a.jsonl", "--merge", ".9"), "--base"),
        (("--source", f"{tmp_path}/a.jsonl", "--report", out), "one file"),
        (("--source", f"{tmp_path}/a.jsonl", "--lang", "not a tag"), "tag"),
        (("--source", "kg:"), "no folder is named"),
        ((), "no source gives a name"),
    ):
        done = xadapt("kg", "names", "--lang", "de", "--out", out, *more)
        assert done.code == 2 and said in done.err, (said, done.err)
        assert "Traceback" not in done.err and not out.exists()
        assert len(done.err.strip().splitlines()) == 1
