from __future__ import annotations

import shutil

import pytest
from tiny_commands import Place, good, xadapt
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder
from tiny_training import pairs

from xadapt.config.recipe import DataSpec
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source, load_records
from xadapt.data.records import (
    EntityLabel,
    LabelledText,
    ParallelPair,
    ParsedSentence,
    PlainText,
    Question,
    RelationExample,
    ScoredPair,
    TaggedSentence,
    TextPair,
    Triple,
    WordPair,
)
from xadapt.hub.folder import write_folder
from xadapt.hub.opening import read_manifest
from xadapt.hub.text_filter import FILE, MAX_FILTERS
from xadapt.hub.training_texts import CHANCE, Overlap, SeenTexts, training_texts


def rows(start: int, stop: int) -> list[PlainText]:
    return [PlainText(f"line number {n}", "en") for n in range(start, stop)]


RECORDS = {
    PlainText("a", "de"): ("a",),
    ParallelPair("a", "b", "de"): ("a", "b"),
    WordPair("a", "b", "de"): ("a\nb",),
    EntityLabel("Q1", "a", "de"): ("a",),
    TaggedSentence(("a", "b"), (), "de"): ("a b",),
    ParsedSentence(("a", "b"), ("X", "X"), (0, 1), ("r", "d"), "de"): ("a b",),
    LabelledText("a", "x", "de"): ("a",),
    ScoredPair("a", "b", 1.0, "de", "de", row="7"): ("a", "b"),
    TextPair("a", "b", ("c",), "de", row="7"): ("a", "b"),
    Question("q", "a", ((0, "a"),), "de"): ("a",),
    RelationExample("a", (0, 1), (0, 1), "x", "de"): ("a",),
    Triple("h", "r", "t"): (),
}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_the_texts_of_every_kind_of_record(record):
    """A number of a row is no text: rows of two data sets have the same numbers."""
    assert record.seen_texts() == RECORDS[record]


def test_overlap_counts_texts_and_rows():
    known = SeenTexts.of(rows(0, 1000))
    none = known.overlap(rows(2000, 3000))
    assert (none.texts, none.found, none.real) == (1000, 0, False)
    one = known.overlap([*rows(2000, 2010), *rows(5, 7), *rows(5, 6)])
    assert (one.found, one.rows, one.first) == (3, 3, (10, "line number 5")) and one.real
    both = SeenTexts.of([ParallelPair("a", "b", "de")]).overlap([ParallelPair("A!", "b", "de")] * 2)
    assert (both.texts, both.found, both.rows) == (4, 4, 2)
    assert known.overlap([]).real is False


@pytest.mark.parametrize(
    ("texts", "found", "rate", "real"),
    [
        (1000, 1, 1e-6, True),
        (100_000, 1, 1e-6, False),  # probability .095
        (100_000, 3, 1e-6, True),  # .00015
        (1000, 12, 0.01, False),  # 10 expected
        (1000, 30, 0.01, True),
        (10, 10, 1.0, False),
    ],
)
def test_what_chance_explains_is_no_overlap(texts, found, rate, real):
    assert Overlap(texts, found, found, rate).real is real
    assert CHANCE == 0.01


def test_modules_behind_a_module_count_too():
    first, second = SeenTexts.of(rows(0, 10)), SeenTexts.of(rows(10, 20))
    own = SeenTexts.of(rows(20, 30), earlier=[first, second])
    assert all(own.seen(f"line number {n}") for n in range(30)) and own.complete
    assert own.said.texts == 30 and own.rate <= first.rate + second.rate + 2e-6
    assert not SeenTexts.of(rows(20, 30), earlier=[first, None]).complete
    many = SeenTexts.joined([first] * (MAX_FILTERS + 1))
    assert len(many.filters) == MAX_FILTERS and not many.complete


def test_in_a_folder(tmp_path):
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora")
    known = SeenTexts.of(rows(0, 50))
    made = manifest_of(encoder, module)
    manifest = write_folder(tmp_path / "m", module, encoder, made, verify={}, texts=known)
    assert manifest.training_texts == known.said and FILE in manifest.integrity.files
    assert training_texts(tmp_path / "m", manifest).seen("Line number 3.")
    raw = bytearray((tmp_path / "m" / FILE).read_bytes())
    raw[-1] ^= 1
    (tmp_path / "m" / FILE).write_bytes(bytes(raw))
    with pytest.raises(UserError, match="not what was published"):
        training_texts(tmp_path / "m", manifest)
    (tmp_path / "m" / FILE).unlink()
    assert training_texts(tmp_path / "m", manifest) is None
    without = write_folder(tmp_path / "n", module, encoder, made, verify={})
    assert without.training_texts is None and not (tmp_path / "n" / FILE).exists()


def test_training_on_and_composing_keep_what_was_seen(place: Place, tmp_path):
    """Of a module that goes on, and of a merged one, the first texts are known as well."""
    good(*place.train(tmp_path / "first"))
    given = ["--base", place.base, "--data", place.test, "--lang", "de"]
    good("train", "translation_ranking", *given, "--set", "module.rank=2", "--set",
         f"module.init={tmp_path / 'first'}", "--out", tmp_path / "second")  # fmt: skip
    folder = tmp_path / "second"
    known = training_texts(folder, read_manifest(folder))
    assert known.complete and len(known.filters) == 2
    assert known.overlap(pairs(60)).found == 120 and known.overlap(pairs(40, seed=9)).found == 80
    good("compose", f"mix({tmp_path / 'first'}:.5, {folder}:.5)", "--base", place.base, "--out",
         tmp_path / "both")  # fmt: skip
    both = training_texts(tmp_path / "both", read_manifest(tmp_path / "both"))
    assert both.complete and both.overlap(pairs(60)).found == 120
    shutil.copytree(tmp_path / "first", tmp_path / "bare")
    (tmp_path / "bare" / FILE).unlink()
    good("train", "translation_ranking", *given, "--set", "module.rank=2", "--set",
         f"module.init={tmp_path / 'bare'}", "--out", tmp_path / "third")  # fmt: skip
    assert not read_manifest(tmp_path / "third").training_texts.complete
    done = good("evaluate", "bitext", "--base", place.base, "--module", tmp_path / "third",
                "--data", place.data, "--evidence")  # fmt: skip
    assert "of a module behind this one are not known" in done.err
    done = xadapt("evaluate", "bitext", "--base", place.base, "--module", tmp_path / "both",
                  "--data", place.data, "--evidence")  # fmt: skip
    assert done.code == 2 and "trained on" in done.err


def test_records_are_kept_as_they_were_before_transforms_of_training_records(place: Place):
    source = Source(str(place.data), "de")
    plain = load_records([source], {"train": DataSpec(dev=10)})
    assert plain.originals == []
    changing = DataSpec(dev=10, transforms=[{"name": "shuffle"}])
    loaded = load_records([source], {"train": changing})
    assert loaded.records["train"] != loaded.originals
    assert {row.text for row in loaded.originals} == {row.text for row in plain.records["train"]}
    assert set(loaded.originals) <= set(pairs(60))
