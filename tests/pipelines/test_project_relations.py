"""Relations on translations: tags kept, lost, swapped; both directions; files and mistakes."""

from __future__ import annotations

import json
import re

import pytest
from tiny_commands import good, xadapt

import xadapt as package
from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.data.readers.relations import Relations
from xadapt.data.records import RelationExample
from xadapt.functional.entity_tags import LOOKALIKE, MISSING
from xadapt.pipelines.projection import LEFT_OUT, UNTRANSLATED

SAID = {
    "Ada": "Ada", "founded": "alianzisha", "Acme": "Akme", ".": ".", "in": "huko", "Rome": "Roma",
    "left": "aliondoka",
}  # fmt: skip
TOKEN = re.compile(r"</?\w+>|&\w+;|\w+|\S")


class Turned:
    """Translates word by word, in turned order; a name in `breaks` loses its tags."""

    def __init__(self, breaks=(), only=("b", "i", "H", "T")):
        self.breaks, self.only = breaks, only
        self.facts = {"translator": f"turned {breaks} {only}"}

    def translate(self, texts, source, target):
        if (source, target) != ("en", "sw"):
            raise UserError(f"no direction from {source} to {target}")
        return [self._one(text) for text in texts]

    def _one(self, text):
        if "nothing" in text:
            return ""
        groups, group = [], []
        for token in TOKEN.findall(text):
            tag = re.fullmatch(r"<(/?)(\w+)>", token)
            if tag is None:
                group.append(SAID.get(token, token))
                if not any(one.startswith("<") for one in group):
                    groups.append(" ".join(group))
                    group = []
            elif not tag[1]:
                group.append(token)
            else:
                name = " ".join(group[1:])
                kept = name not in self.breaks and tag[2] in self.only
                groups.append(f"{group[0]}{name}{token}" if kept else name)
                group = []
        return " ".join(reversed(groups))


ROWS = [
    RelationExample("Ada founded Acme", (0, 3), (12, 16), "founded", "en", ("PER", "ORG"), row="a"),
    RelationExample("Ada left Rome", (9, 13), (0, 3), "left", "en"),
]
GIVEN = {"source": "en", "target": "sw"}


def shown(row):
    return row.text, row.text[slice(*row.head)], row.text[slice(*row.tail)]


def test_entities_move_with_their_tags():
    made = package.project_relations(ROWS, translator=Turned(), **GIVEN)
    assert [shown(row) for row in made.rows] == [
        ("Akme alianzisha Ada", "Ada", "Akme"), ("Roma aliondoka Ada", "Roma", "Ada"),
    ]  # fmt: skip
    assert [(row.relation, row.lang, row.types, row.row) for row in made.rows] == [
        ("founded", "sw", ("PER", "ORG"), "a"), ("left", "sw", ("", ""), "2"),
    ]  # fmt: skip
    assert made.rate == 1 and made.to_dict() == {
        "source_rows": 2, "rows": 2, "projection_rate": 1.0, "found_by": {"b,i": 2}, "dropped": {},
    }  # fmt: skip


def test_the_next_tags_are_tried_where_the_first_are_lost():
    made = package.project_relations(ROWS, translator=Turned(only=("H", "T")), **GIVEN)
    assert made.ways == ["H,T", "H,T"] and made.rate == 1
    first = package.project_relations(
        ROWS, translator=Turned(only=("H", "T")), tags=["b,i"], **GIVEN
    )
    assert first.rows == [] and first.rate == 0
    assert {drop.reason for drop in first.drops} == {MISSING + LEFT_OUT}


def test_a_row_whose_tags_are_lost_is_dropped_or_found_by_its_words():
    broken = Turned(breaks=("Akme",))
    made = package.project_relations(ROWS, translator=broken, **GIVEN)
    [drop] = made.drops
    assert (drop.row, drop.relation, drop.reason) == (1, "founded", MISSING + LEFT_OUT)
    assert drop.text == "<e1>Ada</e1> founded <e2>Acme</e2>" and made.numbers == [2]
    assert drop.translation == "Akme alianzisha <b>Ada</b>"
    found = package.project_relations(ROWS, translator=broken, same_words=True, **GIVEN)
    assert found.ways == ["same words", "b,i"] and found.rate == 1
    assert shown(found.rows[0]) == ("Akme alianzisha Ada", "Ada", "Akme")


def test_faulty_rows_of_a_program_and_lookalikes():
    def row(text, head, tail):
        return RelationExample(text, head, tail, "x", "en")

    rows = [
        row("Ada left Rome", (0, 99), (9, 13)), row("Ada left Rome", (0, 6), (3, 13)), ROWS[0],
        row("<b> Ada <H> left Rome", (4, 7), (17, 21)), row("nothing left", (0, 7), (8, 12)),
        row("Ada < Rome", (0, 3), (6, 10)),
    ]  # fmt: skip
    made = package.project_relations(rows, translator=Turned(), **GIVEN)
    reasons = [(drop.row, drop.reason.partition(";")[0]) for drop in made.drops]
    assert made.numbers == [3, 6] and reasons == [
        (1, "the head 0-99 is empty or leaves a text of 13 characters"),
        (2, "the head and the tail cross each other"), (4, LOOKALIKE), (5, UNTRANSLATED),
    ]  # fmt: skip
    assert shown(made.rows[1])[1:] == ("Ada", "Roma") and "<" in made.rows[1].text


def test_back_translates_the_target_into_the_source():
    class Back(Turned):
        def translate(self, texts, source, target):
            return super().translate(texts, target, source)

    rows = [RelationExample("Ada left Rome", (9, 13), (0, 3), "left", "sw")]
    made = package.project_relations(
        rows, translator=Back(only=("b", "i")), direction="back", **GIVEN
    )
    assert made.rows[0].lang == "en" and shown(made.rows[0])[1:] == ("Roma", "Ada")
    with pytest.raises(UserError, match="no direction from sw to en"):
        package.project_relations(rows, translator=Turned(), direction="back", **GIVEN)


def pairs(path):
    """A file of translations, made by hand."""
    rows = [
        ("<b>Ada</b> founded <i>Acme</i>.", "<i>Akme</i> ya <b>Ada</b>."),
        ("<i>Ada</i> left <b>Rome</b>", "Ada aliondoka <b>Roma</b>"),
        ("<T>Ada</T> left <H>Rome</H>", "Ada aliondoka <H>Roma</H>"),
        ("Ada left Rome", "Ada aliondoka Roma"), ("Ada", "Ada"), ("Rome", "Roma"),
    ]  # fmt: skip
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    return path


def test_the_verb_reads_and_writes(tmp_path):
    data, said = tmp_path / "a.tsv", pairs(tmp_path / "pairs.tsv")
    data.write_text(
        "1\t<e1>Ada</e1> founded <e2>Acme</e2>.\tfounded\n"
        "2\t<e2>Ada</e2> left <e1>Rome</e1>\tleft\n"
        "3\t<e1>Ada left Rome\tleft\n", encoding="utf-8",
    )  # fmt: skip
    out, counts = tmp_path / "sw.jsonl", tmp_path / "c.json"
    given = ("project", "--task", "re", "--data", data, "--source", "en", "--target", "sw",
             "--translator", f"file:{said}")  # fmt: skip
    done = good(*given, "--out", out, "--json", counts)
    assert "1 of 3 rows (33.3%)" in done.out and read_json(counts)["projection_rate"] == 1 / 3
    assert f"1 dropped: {MISSING}{LEFT_OUT}; first in row 2" in done.err
    assert "first in row 3" in done.err and "sw.drops.jsonl" in done.err
    [row] = Relations().read(str(out), "und")
    assert shown(row) == ("Akme ya Ada.", "Ada", "Akme") and row.lang == "sw" and row.row == "1"
    drops = [json.loads(line) for line in (tmp_path / "sw.drops.jsonl").read_text().splitlines()]
    assert [drop["row"] for drop in drops] == [2, 3] and drops[0]["where"].endswith("a.tsv:2")
    again = xadapt(*given, "--out", out)
    assert again.code == 2 and "such a file already" in again.err
    table = tmp_path / "sw.tsv"
    done = good(*given, "--out", table, "--same-words", "--log", tmp_path / "log.jsonl",
                "--tags", "b,i", "--tags", "H,T")  # fmt: skip
    assert table.read_text(encoding="utf-8") == (
        "1\t<e2>Akme</e2> ya <e1>Ada</e1>.\tfounded\n"
        "2\t<e2>Ada</e2> aliondoka <e1>Roma</e1>\tleft\n"
    )
    assert [shown(row) for row in Relations().read(str(table), "sw")][1] == (
        "Ada aliondoka Roma", "Roma", "Ada"
    )  # fmt: skip


def test_mistakes_are_one_line_and_leave_nothing(tmp_path):
    data, said = tmp_path / "a.tsv", pairs(tmp_path / "pairs.tsv")
    data.write_text("<e1>Ada</e1> founded <e2>Acme</e2>.\tfounded\n", encoding="utf-8")
    plain, out = tmp_path / "plain.tsv", tmp_path / "out.jsonl"
    plain.write_text("a\tb\n", encoding="utf-8")
    usual = {"--task": "re", "--data": data, "--source": "en", "--target": "sw",
             "--translator": f"file:{said}", "--out": out}  # fmt: skip
    for changes, text in (
        ({"--task": "srl"}, "the task is ner or re, not 'srl'"),
        ({"--task": "ner", "--direction": "back"}, "this is for the task re"),
        ({"--method": "codec"}, "--method: this is not for the task re"),
        ({"--base": "mini"}, "--base: this is not for the task re"),
        ({"--translations": said}, "--translations: this is not for the task re"),
        ({"--direction": "up"}, "the direction is forward or back, not 'up'"),
        ({"--tags": "H"}, "'H' are no names of two tags"),
        ({"--tags": "h,H"}, "the same tag"),
        ({"--translator": None}, "relations need a translator"),
        ({"--translator": "apertiun"}, "unknown translator"),
        ({"--data": tmp_path / "none"}, "no such file"),
        ({"--data": plain}, "no text with tags"),
        ({"--target": "xx-nothing"}, "unknown language"),
        ({"--out": data, "--force": True}, "read by the same command"),
        ({"--log": out}, "one file"),
    ):
        words = [part for key, value in (usual | changes).items() if value is not None
                 for part in ((key,) if value is True else (key, value))]  # fmt: skip
        done = xadapt("project", *words)
        assert done.code == 2 and text in done.err, (text, done.err)
        assert "Traceback" not in done.err and not out.exists()
        assert not list(tmp_path.glob("*.drops.jsonl"))
    for rows, text in (([], "no text with a relation"), ([("a", "b")], "no RelationExample")):
        with pytest.raises(UserError, match=text):
            package.project_relations(rows, translator=Turned(), **GIVEN)
    with pytest.raises(UserError, match="there are no tags"):
        package.project_relations(ROWS, translator=Turned(), tags=[], **GIVEN)
