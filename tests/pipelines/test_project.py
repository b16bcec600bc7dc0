"""Projection of labels: by given links, by a base, and what is written."""

from __future__ import annotations

import json

import pytest
from tiny_commands import Place, good, xadapt
from tiny_server import write_module

import xadapt as package
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.data.readers.conll import Conll
from xadapt.data.readers.tagged_spans import TaggedSpans
from xadapt.data.records import TaggedSentence, TranslatedSentence
from xadapt.functional.span_projection import NO_LINK, PUNCTUATION, project_spans
from xadapt.pipelines.projection import OUTSIDE, OVERLAPPING, UNTRANSLATED, WITH_IT

ROWS = [
    TaggedSentence(tuple("Ada met Bo in New York".split()), ((0, 1, "PER"), (2, 3, "PER"), (4, 6, "LOC")), "en"),  # noqa: SIM905, E501
    TaggedSentence(("Rain", "fell"), (), "en"),
    TaggedSentence(("Bo", "left", "Rome"), ((0, 1, "PER"), (2, 3, "LOC")), "en"),
]  # fmt: skip
SAID = [tuple("Huko New York Ada alikutana na Bo".split()), ("Mvua", "ilinyesha"), ("Bo", ",")]  # noqa: SIM905
LINKS = [[(0, 3), (2, 6), (4, 1), (5, 2)], [(0, 0)], [(0, 0), (2, 1)]]
GIVEN = {"source": "en", "target": "sw", "translations": SAID, "links": LINKS}


def test_spans_move_with_their_links_and_the_rest_is_logged():
    made = package.project(ROWS, **GIVEN)
    assert [row.words for row in made.rows] == SAID
    assert {row.lang for row in made.rows} == {"sw"}
    assert [row.spans for row in made.rows] == [
        ((1, 3, "LOC"), (3, 4, "PER"), (6, 7, "PER")), (), ((0, 1, "PER"),)
    ]  # fmt: skip
    [drop] = made.drops
    assert (drop.row, drop.text, drop.type, drop.start, drop.end) == (3, "Rome", "LOC", 2, 3)
    assert drop.reason == PUNCTUATION and made.rate == pytest.approx(4 / 5)
    assert made.to_dict() == {
        "sentences": 3, "source_spans": 5, "spans": 4, "projection_rate": 0.8,
        "dropped": {PUNCTUATION: 1},
    }  # fmt: skip
    whole = package.project(ROWS, **GIVEN, whole=True)
    assert whole.numbers == [1, 2] and whole.rows == made.rows[:2] and whole.rate == made.rate


def test_a_sentence_without_translation_is_left_out_and_named():
    made = package.project(
        ROWS, **GIVEN | {"translations": [SAID[0], (), SAID[2]]}, same_words=True
    )
    assert made.numbers == [1, 3] and len(made.drops) == 1
    made = package.project(ROWS, **GIVEN | {"translations": [SAID[0], SAID[1], ()]})
    assert made.numbers == [1, 2] and {drop.reason for drop in made.drops} == {UNTRANSLATED}
    empty = [TaggedSentence(("Rain",), (), "en")]
    made = package.project(empty, source="en", target="sw", translations=[["Mvua"]], links=[[]])
    assert made.rate == 1.0


def test_translations_may_come_with_the_rows_or_from_a_translator():
    rows = [
        TranslatedSentence(row.words, row.spans, "en", words)
        for row, words in zip(ROWS, SAID, strict=True)
    ]
    given = {"source": "en", "target": "sw", "links": LINKS}
    wanted = package.project(ROWS, **GIVEN).rows
    assert package.project(rows, **given).rows == wanted

    class Known:
        facts = {"translator": "test of projection"}  # noqa: RUF012

        def translate(self, texts, source, target):
            known = {
                " ".join(row.words): " ".join(said) for row, said in zip(ROWS, SAID, strict=True)
            }
            return [known[text] for text in texts]

    assert package.project(ROWS, translator=Known(), **given).rows == wanted


def test_faulty_rows_of_a_program_are_left_out_and_named():
    words = ("Ada", "met", "Bo")
    rows = [
        TaggedSentence(words, ((0, 1, "PER"), (2, 4, "PER")), "en"),
        TaggedSentence(words, ((0, 1, "PER"),), "en"),
        TaggedSentence(words, ((2, 3, "PER"), (1, 3, "X"), (0, 0, "PER")), "en"),
    ]
    made = package.project(
        rows, source="en", target="sw", translations=[words] * 3, links=[[(0, 0)]] * 3
    )
    assert made.numbers == [2] and made.rows[0].spans == ((0, 1, "PER"),)
    assert [(drop.row, drop.text, drop.reason) for drop in made.drops] == [
        (1, "Ada", WITH_IT), (1, "Bo", OUTSIDE), (3, "Bo", OVERLAPPING), (3, "met Bo", WITH_IT),
        (3, "", OUTSIDE),
    ]  # fmt: skip


def test_links_of_a_base_are_those_of_align_words(place: Place):
    base = str(place.base)
    pairs = [(row.words, said) for row, said in zip(ROWS, SAID, strict=True)]
    for way, more in (("argmax", {}), ("itermax", {"layer": 1})):
        links = package.align_words(pairs, base=base, method=way, dtype="float32", **more)
        given = {"source": "en", "target": "sw", "translations": SAID}
        made = package.project(ROWS, base=base, dtype="float32", links_by=way, **given, **more)
        wanted = [
            project_spans(row.spans, own, said).spans
            for row, own, said in zip(ROWS, links, SAID, strict=True)
        ]
        assert [row.spans for row in made.rows] == wanted


def test_a_module_of_either_language_acts_on_both_sides(place: Place, tmp_path):
    encoder = Encoder.from_pretrained(str(place.base), dtype="float32", device="cpu")
    module = str(write_module(tmp_path / "m", encoder, "bottleneck", 1, "de"))
    pairs = [(row.words, said) for row, said in zip(ROWS, SAID, strict=True)]
    given = {"base": str(place.base), "dtype": "float32", "method": "itermax"}
    links = package.align_words(pairs, modules=module, **given)
    assert links != package.align_words(pairs, **given)
    wanted = [
        project_spans(row.spans, own, said).spans
        for row, own, said in zip(ROWS, links, SAID, strict=True)
    ]
    for source, target in (("en", "de"), ("de", "en")):
        rows = [TaggedSentence(row.words, row.spans, source) for row in ROWS]
        made = package.project(
            rows, source=source, target=target, translations=SAID, base=str(place.base),
            modules=module, dtype="float32", links_by="itermax",
        )  # fmt: skip
        assert [row.spans for row in made.rows] == wanted, source


def test_the_verb_reads_and_writes(place: Place, tmp_path):
    data, said, links = (tmp_path / name for name in ("a.jsonl", "sw.txt", "a.links"))
    out, counts = tmp_path / "sw.conll", tmp_path / "c.json"
    lines = [json.dumps({"tokens": row.words, "spans": row.spans}) for row in ROWS]
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    said.write_text("".join(" ".join(words) + "\n" for words in SAID), encoding="utf-8")
    text = "".join(" ".join(f"{i}-{j}" for i, j in own) + "\n" for own in LINKS)
    links.write_text(text, encoding="utf-8")
    given = ("project", "--data", data, "--source", "en", "--target", "sw")
    more = ("--translations", said, "--links", links)
    done = good(*given, *more, "--out", out, "--json", counts)
    assert (
        "3 sentences, 4 of 5 spans (80.0%)" in done.out and f"1 dropped: {PUNCTUATION}" in done.err
    )
    found = list(Conll().read(str(out), "sw"))
    wanted = package.project(ROWS, **GIVEN).rows
    assert [(row.words, row.spans) for row in found] == [(row.words, row.spans) for row in wanted]
    [drop] = [json.loads(line) for line in (tmp_path / "sw.drops.jsonl").read_text().splitlines()]
    assert drop["where"].endswith("a.jsonl:3") and drop["reason"] == PUNCTUATION
    assert read_json(counts)["projection_rate"] == 0.8
    again = xadapt(*given, *more, "--out", out)
    assert again.code == 2 and "such a file already" in again.err
    spans = tmp_path / "sw.jsonl"
    good(*given, *more, "--out", spans, "--whole", "--gap", 0, "--log", tmp_path / "log.jsonl")
    assert [row.spans for row in TaggedSpans().read(str(spans), "sw")] == [
        row.spans for row in wanted
    ][:2]
    # words a line as translations, and a base
    words = tmp_path / "sw.bio"
    words.write_text(out.read_text(encoding="utf-8"), encoding="utf-8")
    good(*given, "--translations", words, "--base", place.base, "--out", tmp_path / "b.conll",
         "--same-words", "--links-by", "itermax")  # fmt: skip


def test_mistakes_are_one_line_and_leave_nothing(place: Place, tmp_path):
    data, said, links = (tmp_path / name for name in ("a.conll", "sw.txt", "a.links"))
    data.write_text("Ada B-PER\nmet O\n\nBo B-PER\n", encoding="utf-8")
    said.write_text("alikutana na Ada\nBo\n", encoding="utf-8")
    links.write_text("0-2\n0-0\n", encoding="utf-8")
    short, far, bad = (tmp_path / name for name in ("short.txt", "far.links", "bad.links"))
    short.write_text("Ada\n", encoding="utf-8")
    far.write_text("0-7\n0-0\n", encoding="utf-8")
    bad.write_text("0-2\nx\n", encoding="utf-8")
    out = tmp_path / "out.conll"
    usual = {"--data": data, "--source": "en", "--target": "sw", "--translations": said,
             "--links": links, "--out": out}  # fmt: skip
    for changes, text in (
        ({"--method": "mt"}, "the method is align, codec, tprojection or markers, not 'mt'"),
        ({"--data": tmp_path / "none"}, "no such file"),
        ({"--translations": short}, "1 translations and 2 labelled sentences"),
        ({"--translations": None}, "there are no translations"),
        ({"--translator": "apertium"}, "Give one of them"),
        ({"--links": None}, "either a base links the words, or links are given"),
        ({"--base": place.base}, "Give one"),
        ({"--links": short}, "is no link"),
        ({"--links": far}, "links of sentence 1: the link 0-7 leaves a target of 3 words"),
        ({"--links": bad}, "bad.links:2"),
        ({"--source": "xx-nothing"}, "unknown language"),
        ({"--gap": "-1"}, "--gap"),
        ({"--out": said, "--force": True}, "read by the same command"),
        ({"--log": out}, "one file"),
    ):
        words = [part for key, value in (usual | changes).items() if value is not None
                 for part in ((key,) if value is True else (key, value))]  # fmt: skip
        done = xadapt("project", *words)
        assert done.code == 2 and text in done.err, (text, done.err)
        assert "Traceback" not in done.err and not out.exists()
        assert not list(tmp_path.glob("*.drops.jsonl"))
    with pytest.raises(UserError, match="labelled sentence"):
        package.project([], **GIVEN)
    with pytest.raises(UserError, match="links of 1 sentences, and 3"):
        package.project(ROWS, **GIVEN | {"links": LINKS[:1]})
    with pytest.raises(UserError, match="no option"):
        package.project(
            ROWS, source="en", target="sw", translations=SAID, base=str(place.base), layers=3
        )
    drops = package.project(ROWS, **GIVEN | {"links": [[], [], []]}).drops
    assert {drop.reason for drop in drops} == {NO_LINK} and len(drops) == 5
