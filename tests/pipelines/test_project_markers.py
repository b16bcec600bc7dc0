"""Markers that a translator carries along: what is read, and what is lost."""

from __future__ import annotations

import json

import pytest
from tiny_commands import good

import xadapt as package
from xadapt.core.errors import UserError
from xadapt.data.readers.conll import Conll
from xadapt.data.records import TaggedSentence
from xadapt.functional.marker_text import BRACKETS, EMPTY, MISSING, TANGLED, UNLIKE
from xadapt.pipelines.projection import LEFT_OUT, OUTSIDE, OVERLAPPING, UNTRANSLATED, WITH_IT

ROWS = [
    TaggedSentence(("Ada", "met", "Bo"), ((0, 1, "PER"), (2, 3, "PER")), "en"),
    TaggedSentence(("Ada", "saw", "London"), ((0, 1, "PER"), (2, 3, "LOC")), "en"),
    TaggedSentence(("Rain", "[", "fell", "]"), (), "en"),
    TaggedSentence(("Bo", "left", "[", "sic", "]"), ((0, 1, "PER"),), "en"),
    TaggedSentence(("Bo", "left"), ((0, 1, "PER"),), "en"),
    TaggedSentence(("Bo", "came"), ((0, 1, "PER"),), "en"),
    TaggedSentence(("Bo", "sat"), ((0, 1, "PER"),), "en"),
    TaggedSentence(("Bo", "saw", "Rome"), ((0, 1, "PER"), (2, 3, "LOC")), "en"),
    TaggedSentence(("Bo", "ran"), ((0, 1, "PER"),), "en"),
    TaggedSentence(("Bo",), ((0, 2, "PER"),), "en"),
    TaggedSentence(("Bo", "and"), ((0, 2, "PER"), (1, 2, "PER")), "en"),
]
SAID = {
    "[ Ada ] met [ Bo ]": "[Ada] alikutana na [ Bo ].",
    "[ Ada ] saw [ London ]": "[ Londres ] , iliyoonwa na [ Ada ]",
    "Rain [ fell ]": "Mvua ilinyesha [ ]",
    "[ Bo ] left": "Bo aliondoka",
    "[ Bo ] came": "] Bo [ alikuja",
    "[ Bo ] sat": "[ ] aliketi",
    "[ Bo ] saw [ Rome ]": "[ Yeye ] aliona [ mji ]",
    "[ Bo ] ran": "",
    "Ada": "Ada", "London": "Londres", "Bo": "Bo", "Rome": "Roma",
}  # fmt: skip
REASONS = {
    4: [BRACKETS + LEFT_OUT], 5: [MISSING + LEFT_OUT], 6: [TANGLED + LEFT_OUT],
    7: [EMPTY + LEFT_OUT], 8: [UNLIKE + LEFT_OUT] * 2, 9: [UNTRANSLATED], 10: [OUTSIDE],
    11: [WITH_IT, OVERLAPPING],
}  # fmt: skip


class Known:
    """A translator that knows these sentences alone."""

    facts = {"translator": "test of markers"}  # noqa: RUF012

    def translate(self, texts, source, target):
        assert (source, target) == ("en", "sw")
        return [SAID[text] for text in texts]


def test_markers_become_spans_and_every_loss_has_its_reason():
    made = package.project(ROWS, method="markers", translator=Known(), source="en", target="sw")
    assert made.numbers == [1, 2, 3]
    assert made.rows[0].words == ("Ada", "alikutana", "na", "Bo", ".")
    assert made.rows[0].spans == ((0, 1, "PER"), (3, 4, "PER"))
    assert made.rows[1].spans == ((0, 1, "LOC"), (4, 5, "PER")), "the translation swapped them"
    assert made.rows[2].words == ("Mvua", "ilinyesha", "[", "]") and not made.rows[2].spans
    found: dict[int, list[str]] = {}
    for drop in made.drops:
        found.setdefault(drop.row, []).append(drop.reason)
    assert found == REASONS
    assert made.rate == pytest.approx(4 / 14)


def test_the_verb_by_a_file_of_translations(tmp_path):
    data, pairs, out = (tmp_path / name for name in ("en.jsonl", "pairs.tsv", "sw.conll"))
    lines = [json.dumps({"tokens": row.words, "spans": row.spans}) for row in ROWS]
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [f"{source}\t{said}\n" for source, said in SAID.items() if said]
    pairs.write_text("".join(rows), encoding="utf-8")
    lines.pop(8)  # a file of translations has no empty ones
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = good(
        "project", "--method", "markers", "--translator", f"file:{pairs}", "--data", data,
        "--source", "en", "--target", "sw", "--out", out,
    )  # fmt: skip
    assert len(list(Conll().read(str(out), "sw"))) == 3
    drops = [json.loads(line) for line in out.with_suffix(".drops.jsonl").read_text().splitlines()]
    assert [drop["row"] for drop in drops] == [4, 5, 6, 7, 8, 8, 9, 10, 10]
    assert drops[6]["where"].endswith("en.jsonl:9") and drops[6]["reason"] == OUTSIDE
    assert f"1 dropped: {MISSING}{LEFT_OUT}" in done.err


def test_mistakes_are_named():
    given = {"method": "markers", "source": "en", "target": "sw"}
    with pytest.raises(UserError, match=r"markers needs a translator.*--translator"):
        package.project(ROWS, **given)
    with pytest.raises(UserError, match="markers makes translations of its own"):
        package.project(ROWS, translator=Known(), translations=[["a"]] * len(ROWS), **given)
    with pytest.raises(UserError, match="module: this is for the method align and codec"):
        package.project(ROWS, translator=Known(), modules="sw", **given)
