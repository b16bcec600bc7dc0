from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.cldr_graph import build
from xadapt.data.records import ParallelPair, RelationExample, TaggedSentence, Triple
from xadapt.data.transforms.frames import load_frames
from xadapt.data.transforms.verbalise import parallel, relations, tagged

FRAMES = load_frames()
LANGS = list(FRAMES.patterns)
GRAPH = build()
FACTS = [*GRAPH.triples[::40], Triple("territory:KN", "currency", "currency:XCD")]
YEN = Triple("territory:JP", "currency", "currency:JPY")
NAMES = {
    "en": {"territory:JP": "Japan", "currency:JPY": "Japanese Yen"},
    "sw": {"territory:JP": "Japani", "currency:JPY": "Yen ya Japani"},
    "zh": {"territory:JP": "日本", "currency:JPY": "日 元"},
    "hi": {"territory:JP": "जापान", "currency:JPY": "जापानी येन"},
}


def test_parallel_by_hand():
    made = parallel([YEN], NAMES, "sw", per_triple=9)
    assert sorted((p.text, p.pivot) for p in made) == [
        ("Japani. Sarafu: Yen ya Japani.", "Japan. Currency: Japanese Yen."),
        (
            "Sarafu ya eneo la “Japani”: Yen ya Japani.",
            "Currency of the territory “Japan”: Japanese Yen.",
        ),
        (
            "“Yen ya Japani” ni sarafu ya eneo la “Japani”.",
            "“Japanese Yen” is a currency of the territory “Japan”.",
        ),
    ]
    assert all(isinstance(p, ParallelPair) and (p.lang, p.pivot_lang) == ("sw", "en") for p in made)


def test_tagged_by_hand():
    by_key = {t.origin.split()[-1]: t for t in tagged([YEN], NAMES, "hi", per_triple=3)}
    assert by_key["is"] == TaggedSentence(
        ("मुद्रा", "“", "जापानी", "येन", "”", "क्षेत्र", "“", "जापान", "”", "में", "चलती", "है", "।"),
        ((2, 4, "CURRENCY"), (7, 8, "TERRITORY")),
        "hi",
    )
    by_key = {t.origin.split()[-1]: t for t in tagged([YEN], NAMES, "zh", per_triple=3)}
    assert by_key["row"] == TaggedSentence(
        ("日", "本", "。", "货", "币", "：", "日", "元", "。"),
        ((0, 2, "TERRITORY"), (6, 8, "CURRENCY")),
        "zh",
    )


@pytest.mark.parametrize("lang", LANGS)
def test_spans_are_the_names(lang):
    """In every frame of every language, and the tagged words are the sentence."""
    names = GRAPH.labels[lang]
    by_id = {(t.head, t.relation, t.tail): t for t in FACTS}
    examples = relations(FACTS, GRAPH.labels, lang, per_triple=3)
    sentences = tagged(FACTS, GRAPH.labels, lang, per_triple=3)
    assert len(examples) == len(sentences) > 100
    assert {e.relation for e in examples} == set(FRAMES.types)
    for example, sentence in zip(examples, sentences, strict=True):
        assert isinstance(example, RelationExample) and example.origin == sentence.origin
        fact = by_id[tuple(example.origin.split()[:3])]
        assert example.text[slice(*example.head)] == names[fact.head]
        assert example.text[slice(*example.tail)] == names[fact.tail]
        assert "".join(sentence.words) == "".join(example.text.split())
        said = {kind: "".join(sentence.words[a:b]) for a, b, kind in sentence.spans}
        types = FRAMES.types[fact.relation]
        assert said == {
            kind: "".join(names[end].split())
            for kind, end in zip(types, (fact.head, fact.tail), strict=True)
        }


@pytest.mark.parametrize("lang", [lang for lang in LANGS if lang != "en"])
def test_both_sides_say_the_same_fact_by_the_same_frame(lang):
    pairs = parallel(FACTS, GRAPH.labels, lang, per_triple=2)
    ours = {e.origin: e.text for e in relations(FACTS, GRAPH.labels, lang, per_triple=3)}
    english = {e.origin: e.text for e in relations(FACTS, GRAPH.labels, "en", per_triple=3)}
    assert len(pairs) > 60
    for pair in pairs:
        assert (pair.text, pair.pivot) == (ours[pair.origin], english[pair.origin])


def test_between_any_two_languages():
    made = parallel(FACTS, GRAPH.labels, "ja", "fi")
    assert made and {(p.lang, p.pivot_lang) for p in made} == {("ja", "fi")}


def test_the_seed_decides_and_the_order_does_not():
    first = parallel(FACTS, GRAPH.labels, "ru", seed=1)
    assert parallel(FACTS, GRAPH.labels, "ru", seed=1) == first
    assert parallel(FACTS, GRAPH.labels, "ru", seed=2) != first
    assert parallel(FACTS[::-1], GRAPH.labels, "ru", seed=1) == first[::-1]
    assert {p.origin.split()[-1] for p in first} == {"row", "of", "is"}


def test_names_that_break_frames():
    """Swedish writes S:t Kitts: no frame with a colon takes it."""
    saint = FACTS[-1]
    assert ":" in GRAPH.labels["sv"][saint.head]
    keys = {p.origin.split()[-1] for p in parallel([saint], GRAPH.labels, "sv", per_triple=3)}
    assert keys == {"is"}
    broken = {**NAMES, "sw": {**NAMES["sw"], "territory:JP": "“a: b”"}}
    assert parallel([YEN], broken, "sw", per_triple=3) == []
    braces = {**NAMES, "sw": {**NAMES["sw"], "territory:JP": "{tail} %s \\1"}}
    assert len(parallel([YEN], braces, "sw", per_triple=3)) == 3


def test_a_fact_without_names_is_passed_over():
    assert parallel([Triple("territory:XX", "currency", "currency:JPY"), YEN], NAMES, "sw") == (
        parallel([YEN], NAMES, "sw")
    )


def test_tags_that_mean_the_same():
    assert [p.text for p in parallel([YEN], NAMES, "swh")] == [
        p.text for p in parallel([YEN], NAMES, "sw")
    ]
    assert {p.lang for p in parallel([YEN], NAMES, "swh")} == {"swh"}
    assert tagged([YEN], NAMES, "zh-Hans")[0].words == tagged([YEN], NAMES, "zh")[0].words


def test_errors():
    with pytest.raises(UserError, match="no names in 'de'"):
        parallel([YEN], NAMES, "de")
    with pytest.raises(UserError, match="no sentence frames in 'is'"):
        parallel([YEN], {**NAMES, "is": NAMES["en"]}, "is")
    with pytest.raises(UserError, match="relation 'capital'"):
        relations([Triple("a", "capital", "b")], NAMES, "sw")
    with pytest.raises(UserError, match="both sides"):
        parallel([YEN], NAMES, "en", "eng")
