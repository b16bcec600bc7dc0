from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_heads import published
from tiny_models import tiny_encoder, tiny_folder
from tiny_training import questions

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import tokenize_windows
from xadapt.core.errors import UserError
from xadapt.data.records import Question
from xadapt.heads.head import Head
from xadapt.tasks import AnswerFinder
from xadapt.tasks.qa import OVERLAP, Part, answers, best_span, exact, f1, normal, overlapping


@pytest.mark.parametrize(
    ("lang", "text", "wanted"),
    [
        ("en", "  The  Cat, and a dog's. ", "cat and dogs"),
        ("en", "re–use", "re–use"),  # SQuAD's script knows ASCII's punctuation alone
        ("en", "theatre", "theatre"),
        ("es", "¿La casa de los Pérez?", "casa de pérez"),
        ("de", "„Das Haus“ – eines Manns", "haus manns"),
        ("vi", "những con mèo", "con mèo"),
        ("hi", "बिल्ली।", "बिल्ली"),
        ("zh", "在2016年，ABC公司", "在 2016 年 abc 公 司"),
        ("zh-Hant", "貓。", "貓"),
        ("ru", "The Кот!", "the кот"),
        ("ar", "الكتاب", "كتاب"),
    ],
)
def test_answers_are_normalised_by_language(lang, text, wanted):
    assert normal(text, lang) == wanted


def test_f1_and_exact_match_by_hand():
    assert f1("the black cat", "a black dog and cat") == pytest.approx(2 * 2 / (2 + 4))
    assert f1("cat cat", "cat") == pytest.approx(2 / 3)  # each word as often as in both
    assert f1("cat", "dog") == f1("", "") == f1("the", "a") == 0
    assert exact("The cat!", "cat") == 1 and exact("", "the") == 1 and exact("cats", "cat") == 0
    assert f1("公司", "公元", "zh") == pytest.approx(0.5) and f1("公司", "公元", "en") == 0


def question(*answers, lang="en", asked="Who sat on the mat?", passage="x"):
    return Question(asked, passage, tuple((0, a) for a in answers), lang, origin="f:1")


def test_the_best_of_a_questions_answers_counts():
    rows = [question("black cat", "the dog"), question("one", "two three")]
    result = Part.evaluate(
        rows, {"a": ["a dog", "two"], "b": ["dog", "one"]}, base="a", resamples=50
    )
    assert result["a"].scores["exact match"].mean == 0.5
    assert result["a"].scores["f1"].mean == pytest.approx((1 + 2 / 3) / 2)
    assert result["b"].gains["f1"].mean == pytest.approx(1 / 6)
    assert result.measures[0] == "f1" and result.rows[-1].system == OVERLAP


def test_the_control_finds_the_window_of_shared_words():
    passage = "Once there was rain. The fat cat sat on a mat. Then it left."
    found = overlapping(question(passage=passage))
    assert found == "sat on a mat."
    assert overlapping(question(passage="Only this")) == "Only this"
    assert overlapping(question(passage=" ")) == ""
    chinese = question(lang="zh", asked="猫在哪里", passage="狗走了。猫在垫子上")
    assert overlapping(chinese) == "了。猫在"


def test_questions_without_an_answer_are_not_scored():
    rows = [question("x"), question(), question("y")]
    alone = Part.evaluate(rows[::2], {"m": ["x", "z"]})
    both = Part.evaluate(rows, {"m": ["x", "y", "z"]})
    assert (
        alone.to_dict() == both.to_dict() if hasattr(alone, "to_dict") else str(alone) == str(both)
    )


def test_mistakes():
    with pytest.raises(UserError, match="no questions"):
        Part.evaluate([], {})
    with pytest.raises(UserError, match="no questions with an answer"):
        Part.evaluate([question()], {"m": ["x"]})
    with pytest.raises(UserError, match="0 answers to 1"):
        Part.evaluate([question("x")], {"m": []})


ASKED = [(row.question, row.passage) for row in questions(8, seed=3)]
LONG = ("die katze", " \ufeffein hund läuft im park " * 20)


def head_for(encoder: Encoder) -> Head:
    torch.manual_seed(0)
    return Head("span_extraction", ("start", "end"), encoder.width)


def test_answers_are_parts_of_passages() -> None:
    encoder = tiny_encoder()
    found = answers(encoder, head_for(encoder), [*ASKED, LONG], most_tokens=5)
    for (_, passage), answer in zip([*ASKED, LONG], found, strict=True):
        assert answer.text and passage[answer.start :].startswith(answer.text)
        assert answer.text == answer.text.strip() and answer.score < 0
    empty = answers(encoder, head_for(encoder), [("die katze", " "), ("x", "")])
    assert [answer.text for answer in empty] == ["", ""]


def test_the_best_window_wins() -> None:
    """A slow twin: every window alone, every span tried."""
    encoder = tiny_encoder()
    head = head_for(encoder)
    (found,) = answers(encoder, head, [LONG], most_tokens=4)
    tried = []
    for window in tokenize_windows(encoder, [LONG[0]], [LONG[1]], 128):
        tokens, mask = encoder.batch([window.ids])
        with torch.no_grad():
            logs = head(encoder.run(encoder.embed(tokens, mask), mask))[0].log_softmax(0)
        own = [i for i, place in enumerate(window.places) if place]
        tried += [
            (float(logs[i, 0] + logs[j, 1]), window.places[i][0], window.places[j][1])
            for i in own
            for j in own
            if i <= j < i + 4
        ]
    score, start, stop = max(tried)
    assert (found.text, found.start) == (LONG[1][start:stop], start)
    assert found.score == pytest.approx(score, abs=1e-4)


numbers = st.lists(st.integers(-3, 3), min_size=6, max_size=6)


@given(numbers, numbers, st.lists(st.booleans(), min_size=6, max_size=6), st.integers(1, 6))
def test_best_span_equals_a_slow_twin(
    starts: list[int], ends: list[int], own: list[bool], most: int
) -> None:
    places = [(10 * i, 10 * i + 5) if there else None for i, there in enumerate(own)]
    found = best_span(np.array(starts, float), np.array(ends, float), places, most)
    every = [
        starts[i] + ends[j]
        for i in range(6)
        for j in range(i, min(6, i + most))
        if own[i] and own[j]
    ]
    if not every:
        assert found is None
        return
    assert found is not None and found[0] == max(every)
    i, j = found[1] // 10, found[2] // 10
    assert own[i] and own[j] and 0 <= j - i < most and starts[i] + ends[j] == found[0]


def test_each_question_has_its_own_composition(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    encoder = Encoder.from_pretrained(base, dtype="float32")
    published(tmp_path / "m", encoder, "span_extraction", 2)
    published(tmp_path / "de", encoder, seed=1)
    finder = AnswerFinder.load(
        base,
        f"m={tmp_path}/m",
        f"de={tmp_path}/de",
        compose="by_language(de = de + m, * = m)",
        dtype="float32",
    )
    asked, tags = [LONG, *ASKED, LONG], ["de", "sw"] * 5
    mixed = finder.answer(asked, tags)
    apart = [finder.answer([q], [g])[0] for q, g in zip(asked, tags, strict=True)]
    assert [a.text for a in mixed] == [a.text for a in apart]
    np.testing.assert_allclose([a.score for a in mixed], [a.score for a in apart], atol=1e-4)
    other = finder.answer(asked, ["sw"] * 10)
    assert all(abs(a.score - b.score) > 1e-3 for a, b in zip(other[::2], mixed[::2], strict=True))


@pytest.mark.parametrize("wrong", ["was?", ("was?", "die katze"), ["ab"], [("a", 3)]])
def test_text_is_no_question_with_its_passage(tmp_path: Path, wrong: Any) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    published(tmp_path / "m", Encoder.from_pretrained(base, dtype="float32"), "span_extraction", 2)
    finder = AnswerFinder.load(base, tmp_path / "m", dtype="float32")
    with pytest.raises(UserError, match=r"question"):
        finder.answer(wrong)
