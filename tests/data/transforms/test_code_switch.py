"""Code-switching: one language a sentence, by intersection, with unmapped mentions left alone."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.records import LinkedSentence
from xadapt.data.transforms.code_switch import CodeSwitch
from xadapt.data.transforms.protocol import Services

TABLE = {
    "en": {"Q1": ("Germany",), "Q2": ("Berlin",), "Q3": ("cat",)},
    "de": {"Q1": ("Deutschland",), "Q2": ("Berlin",), "Q3": ("Katze", "Mieze")},
    "fr": {"Q1": ("Allemagne",), "Q2": ("Berlin",)},
    "sw": {"Q1": ("Ujerumani",), "Q3": ("paka",)},
    **{tag: {"Q1": (f"Q1 {tag}",)} for tag in ("es", "it", "pt", "nl", "fi")},
}


def sentence(*names):
    text, mentions = "", []
    for word in names:
        name, _, entity = word.partition("|")
        text += " " if text else ""
        if entity:
            mentions.append((len(text), len(text) + len(name), entity))
        text += name
    return LinkedSentence(text, tuple(mentions), "en", origin="x:1")


def run(rows, lang="en", **options):
    log = []
    services = Services(lang, callables={"names": lambda source: TABLE}, log=log.append)
    return CodeSwitch(**options).apply(rows, services), log


def test_all_entities_take_one_language_that_all_have():
    row = sentence("a", "cat|Q3", "in", "Germany|Q1", ".")
    found, _ = run([row])
    assert {(r.lang, r.text) for r in found} == {
        ("de", "a Katze in Deutschland ."), ("sw", "a paka in Ujerumani ."),
    }  # fmt: skip
    for one in found:
        spans = [(one.text[a:b], i) for a, b, i in one.mentions]
        assert [i for _, i in spans] == ["Q3", "Q1"] and spans[0][0] in ("Katze", "paka")
        assert one.row == row.text and not set(one.text) & set("<>")


def test_unmapped_mentions_stay_and_are_no_mentions():
    row = sentence("Amina|Q99", "left", "Berlin|Q2")
    found, log = run([row], languages=("fr",))
    [one] = found
    assert one.text == "Amina left Berlin" and [m[2] for m in one.mentions] == ["Q2"]
    assert "1 mentions have no name" in log[0]


def test_of_many_languages_five_are_drawn():
    row = sentence("in", "Germany|Q1")
    found, _ = run([row])
    assert len(found) == len({r.lang for r in found}) == 5 and "en" not in {r.lang for r in found}
    assert run([row])[0] == found
    assert len(run([row], most=2)[0]) == 2
    other, _ = run([sentence("to", "Germany|Q1")])
    assert {r.lang for r in other} != {r.lang for r in found}


def test_the_language_of_a_run_is_the_one_into_which_is_switched():
    row = sentence("in", "Germany|Q1")
    assert [r.lang for r in run([row], "sw")[0]] == ["sw"]
    assert {r.lang for r in run([row], "en", languages=("de", "fr"))[0]} == {"de", "fr"}


def test_sentences_without_a_language_are_left_out_or_kept():
    rows = [sentence("a", "cat|Q3", "in", "Berlin|Q2"), sentence("no", "link")]
    assert [r.lang for r in run(rows)[0]] == ["de"]
    kept, _ = run(rows, keep_original=True)
    assert [r.lang for r in kept] == ["en", "de", "en"] and kept[0] == rows[0]


def test_smoothing_keeps_more_of_rare_languages():
    rows = [sentence(f"{i}", "Berlin|Q2") for i in range(16)]  # de and fr
    rows += [sentence(f"{i}", "cat|Q3") for i in range(100, 104)]  # de and sw
    every, _ = run(rows)
    counts = {lang: sum(r.lang == lang for r in every) for lang in ("de", "fr", "sw")}
    assert counts == {"de": 20, "fr": 16, "sw": 4}
    half, _ = run(rows, smoothing=0.5)
    counts = {lang: sum(r.lang == lang for r in half) for lang in ("de", "fr", "sw")}
    assert counts == {"de": 9, "fr": 8, "sw": 4}  # 4 * sqrt(5), 4 * sqrt(4), 4


def test_a_language_without_names_is_refused():
    with pytest.raises(UserError, match="no names in 'ja'"):
        run([sentence("in", "Germany|Q1")], languages=("ja",))
