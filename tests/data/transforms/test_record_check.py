"""Sources whose texts can't be what they are read as."""

from __future__ import annotations

from itertools import count, islice

import pytest

from xadapt.core.errors import UserError
from xadapt.data.records import (
    EntityLabel,
    LabelledPair,
    LabelledText,
    ParallelPair,
    PlainText,
    Question,
    ScoredPair,
    TaggedSentence,
)
from xadapt.data.transforms.record_check import SAMPLE, checked

RU, EN, HI, ZH = "Дом стоит у реки", "The house stands", "घर नदी के पास है", "房子在河边"


def judge(records):
    notes = []
    found = list(checked(records, "a.tsv", lambda source, line: notes.append(line)))
    assert found == list(records)
    return notes


def pairs(text, pivot, lang, n=20):
    return [ParallelPair(f"{text} {i}", f"{pivot} {i}", lang) for i in range(n)]


@pytest.mark.parametrize(
    ("text", "pivot", "lang"),
    [
        (RU, EN, "ru"),
        (HI, EN, "hi"),
        (ZH, EN, "zh"),
        ("Kuća stoji", EN, "sr"),
        ("Кућа стоји", EN, "sr"),
        ("ghar nadi ke paas", EN, "hi-Latn"),
        ("nyumba iko", EN, "sw"),
    ],
)
def test_sides_in_their_languages_scripts(text, pivot, lang):
    assert judge(pairs(text, pivot, lang)) == []


def test_swapped_sides_are_refused():
    with pytest.raises(UserError, match="the en side is in the script of ru, and the other way"):
        judge(pairs(EN, RU, "ru"))
    with pytest.raises(UserError, match="Swap the sides"):
        judge([ScoredPair(RU, EN, 1.0, "en", "ru")] * 10)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (pairs(EN, EN, "ru"), "most ru texts are in the script Latn, not Cyrl"),
        (pairs(RU, HI, "ru"), "most en texts are in the script Deva, not Latn"),
        ([PlainText(RU, "sw")] * 20, "most sw texts are in the script Cyrl"),
        ([TaggedSentence((ZH, ZH), (), "de")] * 20, "most de texts are in the script Hani"),
        ([LabelledText(EN, "x", "el")] * 20, "most el texts .* not Grek"),
        ([PlainText(f"{i}.5", "sw") for i in range(20)], "100% of the sw texts are numbers"),
        (pairs("12", EN, "sw"), "100% of the sw texts are numbers"),
        ([PlainText(f"a sentence\there {i}", "sw") for i in range(20)], "have tabs"),
        ([PlainText(f"neno{'x' * i}", "sw") for i in range(20)], "is a list, not running text"),
    ],
)
def test_what_texts_cannot_be(records, said):
    with pytest.raises(UserError, match=said) as caught:
        judge(records)
    assert caught.value.where == "a.tsv" and caught.value.todo
    assert judge(records[:9]) == []  # too few to tell


def test_half_may_be_strange():
    assert judge(pairs(RU, EN, "ru") + pairs(EN, EN, "ru")) == []
    with pytest.raises(UserError):
        judge(pairs(RU, EN, "ru") + pairs(EN, EN, "ru", 21))


def test_names_are_fine_as_pairs_and_said():
    (line,) = judge([ParallelPair("Дом", "house", "ru")] * 20)
    assert line.startswith("nearly every side is one word")
    assert judge([PlainText(ZH, "zh")] * 20) == []  # a sentence without spaces


def test_records_of_no_one_language_are_let_pass():
    assert judge([Question(RU, EN, ((0, "T"),), "en")] * 20) == []
    assert judge([EntityLabel("Q1", RU, "en")] * 20) == []
    assert judge([]) == []
    assert judge([PlainText("ꯃꯅꯤꯄꯨꯔ ꯃꯅꯤ", "und")] * 20) == []


def test_only_the_first_records_are_held():
    stream = (PlainText(f"{RU} {i}", "ru") for i in count())
    assert len(list(islice(checked(stream, "a", print), 3 * SAMPLE))) == 3 * SAMPLE
    wrong = (PlainText(f"{EN} {i}", "ru") for i in count())
    with pytest.raises(UserError):
        list(islice(checked(wrong, "a", print), 3 * SAMPLE))


def test_the_second_text_of_a_labelled_pair_may_be_in_another_language():
    rows = [LabelledPair(f"東京都{i}", f"Tokyo {i}", "same", "ja") for i in range(20)]
    assert judge(rows) == []
    with pytest.raises(UserError, match="script"):
        judge([LabelledPair(f"Tokyo {i}", f"東京都{i}", "same", "ja") for i in range(20)])
