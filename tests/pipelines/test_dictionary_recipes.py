"""The recipes with a dictionary or translations, from the command to a folder that is measured."""

from __future__ import annotations

import math

import pytest
from tiny_commands import Place, good, xadapt
from tiny_training import WORDS, WORTE

from xadapt.core.files import read_json
from xadapt.hub.opening import read_manifest
from xadapt.training.metrics_log import read_metrics

SMALL = {
    "align_mlm": (
        "module.rank=2",
        "module.row_rank=2",
        "module.lora_rank=2",
        "data.dictionary.batch_size=8",
    ),
    "dict_mlm": ("module.rank=2", "objectives.dict_mlm.skip=0", "objectives.dict_mlm.pieces=first"),
    "tlm": ("module.rank=2",),
    "dap": ("module.rank=2",),
    "ml_ctl": ("module.rank=2",),
    "word_alignment": ("module.rank=2",),
    "word_alignment_acc": ("module.width=4",),
}
TEXT = ("align_mlm", "dict_mlm")
PAIRS = ("tlm", "dap", "word_alignment", "word_alignment_acc")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("place"), mlm=True)
    folder = made.data.parent
    lines = made.data.read_text(encoding="utf-8").splitlines()
    (folder / "de.txt").write_text("".join(f"{line.split(chr(9))[1]}\n" for line in lines))
    entries = [(p, w) for p, w in zip(WORDS, WORTE, strict=True)]
    entries += [(f"{p} {q}", f"{w} {v}") for p, w in entries for q, v in entries]
    (folder / "en-de.tsv").write_text("".join(f"{p}\t{w}\n" for p, w in entries), encoding="utf-8")
    return made


def command(place, name, out, *more):
    folder = place.data.parent
    data = ("--data", folder / "de.txt" if name in TEXT else place.data)
    if name not in PAIRS:
        data += ("--data", f"dictionary={folder / 'en-de.tsv'}")
    small = [x for s in (*SMALL[name], "train.batch_size=30") for x in ("--set", s)]
    return ("train", name, "--base", place.base, "--lang", "de", "--out", out, *data, *small, *more)


@pytest.mark.parametrize("name", SMALL)
def test_a_recipe_makes_a_folder_that_is_measured_and_taken_again(place, tmp_path, name):
    out = tmp_path / "m"
    good(*command(place, name, out))
    manifest = read_manifest(out)
    wanted = {"dap": "representation_translation", "word_alignment_acc": "word_alignment"}
    assert wanted.get(name, name) in manifest.objectives
    rows = [row for row in read_metrics(out / "run" / "metrics.jsonl") if "loss" in row]
    assert rows and all(math.isfinite(row["loss"]) for row in rows)
    below_zero = ("ml_ctl", "word_alignment_acc")  # CZ-NCE, and less the probabilities of links
    assert name in below_zero or all(row["loss"] > 0 for row in rows)
    dictionary = place.data.parent / "en-de.tsv"
    given = ("--base", place.base, "--module", out, "--json", tmp_path / "r.json")
    good("evaluate", "dictionary", *given, "--data", dictionary, "--lang", "de")
    held = read_json(tmp_path / "r.json")
    assert [row["system"] for row in held["rows"]] == ["frozen base", "module, language side only"]
    good("evaluate", "bitext", *given, "--data", place.test)
    assert "holds the finished module already" in good(*command(place, name, out, "--resume")).err


def test_the_entries_of_a_run_are_in_the_manifest_and_the_same_in_every_run(place, tmp_path):
    shares = []
    for number in (0, 1):
        out = tmp_path / str(number)
        more = ("--loaders", "none", "--set", f"seed={number}")
        done = good(*command(place, "align_mlm", out, *more))
        assert "entries of the dictionary (train)" in done.err
        [share] = [s for s in read_manifest(out).data if s.name == "en-de.tsv"]
        shares.append((share.rows, share.sha256))
    assert shares[0] == shares[1]


def test_mistakes_are_one_line(place, tmp_path):
    folder = place.data.parent
    (tmp_path / "one.tsv").write_text("word\nword2\n")
    (tmp_path / "empty.tsv").write_text("")
    text = ("--data", folder / "de.txt")
    given = ("--base", place.base, "--lang", "de", "--out", tmp_path / "m")
    for arguments, said in (
        (("align_mlm", *text), "wants data 'dictionary' and none is given"),
        (("dict_mlm", *text), "wants data 'dictionary' and none is given"),
        (("align_mlm", *text, "--data", f"dictionary={tmp_path / 'one.tsv'}"), "one column"),
        (("align_mlm", *text, "--data", f"dictionary={tmp_path / 'empty.tsv'}"), "empty.tsv"),
        (("align_mlm", *text, "--data", f"dictionary={tmp_path / 'none.tsv'}"), "none.tsv"),
        (
            (*command(place, "align_mlm", tmp_path / "m")[1:2], *text,
             "--data", f"dictionary={folder / 'en-de.tsv'}", "--set", "module={kind: lora}"),
            "can't learn from it",
        ),
        (("ml_ctl", "--data", place.data), "wants data 'dictionary' and none is given"),
        (("ml_ctl", "--data", place.data, "--data", f"dictionary={place.data}", "--columns", "a,b"),
         "column"),
        (("dap", "--data", place.data, "--columns", "en,xx"), "column"),
        (("dap", "--data", place.data, "--set", "module={kind: token_rows}"), "token_rows"),
        (("word_alignment", *text), ""),
        (("tlm", *text), ""),
    ):  # fmt: skip
        done = xadapt("train", *arguments, *given)
        assert done.code == 2 and len(done.lines) == 1 and said in done.err, (said, done.err)
        assert not (tmp_path / "m").exists()
