from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.records import Question
from xadapt.evaluation.qa import OVERLAP, evaluate, exact, f1, normal, overlapping


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
    result = evaluate(rows, {"a": ["a dog", "two"], "b": ["dog", "one"]}, base="a", resamples=50)
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


def test_mistakes():
    with pytest.raises(UserError, match="no questions"):
        evaluate([], {})
    with pytest.raises(UserError, match="no answer") as caught:
        evaluate([question()], {"m": ["x"]})
    assert caught.value.where == "f:1"
    with pytest.raises(UserError, match="0 answers to 1"):
        evaluate([question("x")], {"m": []})
