from __future__ import annotations

import time

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers import cldr_graph
from xadapt.data.readers.cldr_graph import MIN_NAMES, build, languages, resolve
from xadapt.data.readers.cldr_split import PARTS, name_key
from xadapt.data.records import Triple


@pytest.fixture(scope="module")
def graph():
    return build()


def test_size(graph):
    counts = languages()
    assert len(counts) > 200
    assert sum(count > 1000 for count in counts.values()) >= 90
    assert min(counts.values()) >= MIN_NAMES
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert counts == {tag: len(graph.labels[tag]) for tag in counts}
    assert 1400 < len(graph.entities) < 1600


def test_every_language_on_offer_can_be_asked_for():
    assert all(resolve(tag) == tag for tag in languages())


def test_known_facts(graph):
    facts = set(graph.triples)
    assert Triple("territory:JP", "currency", "currency:JPY") in facts
    assert Triple("territory:DE", "currency", "currency:EUR") in facts
    assert Triple("territory:DE", "currency", "currency:DEM") not in facts, "withdrawn"
    assert Triple("territory:CH", "official_language", "language:rm") not in facts, "regional"
    assert Triple("territory:CH", "official_language", "language:it") in facts
    assert Triple("territory:DZ", "spoken_language", "language:fr") in facts
    assert Triple("language:ru", "script", "script:Cyrl") in facts
    assert Triple("language:zh-Hant", "script", "script:Hant") in facts
    assert Triple("language:sw", "main_territory", "territory:TZ") in facts
    assert not any(t.tail == "territory:001" for t in facts)
    assert len({(t.head, t.relation) for t in facts if t.relation == "script"}) == sum(
        t.relation == "script" for t in facts
    )


def test_triples_name_entities_of_the_right_kind(graph):
    kinds = {
        "official_language": ("territory", "language"),
        "spoken_language": ("territory", "language"),
        "currency": ("territory", "currency"),
        "script": ("language", "script"),
        "main_territory": ("language", "territory"),
    }
    entities = set(graph.entities)
    assert {t.relation for t in graph.triples} == set(kinds)
    for t in graph.triples:
        assert (t.head.split(":")[0], t.tail.split(":")[0]) == kinds[t.relation]
        assert t.head in entities and t.tail in entities
    assert list(graph.triples) == sorted(
        graph.triples, key=lambda t: (t.head, t.relation, t.tail)
    ) and len(set(graph.triples)) == len(graph.triples)


def test_no_name_stands_in_two_parts(graph):
    assert set(graph.split) == set(graph.entities)
    for labels in graph.labels.values():
        parts: dict[str, set[str]] = {}
        for entity, label in labels.items():
            parts.setdefault(name_key(label), set()).add(graph.split[entity])
        assert all(len(found) == 1 for found in parts.values())


def test_pairs_of_parts_make_the_whole(graph):
    whole = graph.pairs("sw", "en", None)
    parts = {part: graph.pairs("sw", "en", part) for part in PARTS}
    assert sorted(p.origin for p in whole) == sorted(p.origin for ps in parts.values() for p in ps)
    assert len(parts["train"]) > 600 and min(map(len, parts.values())) > 60
    texts = {part: {name_key(p.text) for p in pairs} for part, pairs in parts.items()}
    assert not texts["train"] & texts["test"] and not texts["train"] & texts["dev"]
    france = next(p for p in whole if p.origin == "cldr:territory:FR")
    assert (france.text, france.pivot, france.lang, france.pivot_lang) == (
        *("Ufaransa", "France"),
        *("sw", "en"),
    )


def test_drop_copies(graph):
    kept = graph.pairs("de", "en", "test", drop_copies=True)
    assert 0 < len(kept) < len(graph.pairs("de", "en", "test"))
    assert all(p.text.casefold() != p.pivot.casefold() for p in kept)


def test_facts_of_parts(graph):
    facts = {part: graph.facts(part) for part in PARTS}
    assert sum(map(len, facts.values())) == len(graph.triples)
    for t in facts["train"]:
        assert graph.split[t.head] == graph.split[t.tail] == "train"
    for t in facts["test"]:
        assert "test" in (graph.split[t.head], graph.split[t.tail])
    for t in facts["dev"]:
        ends = {graph.split[t.head], graph.split[t.tail]}
        assert "dev" in ends and "test" not in ends


def test_a_small_graph_is_the_same_but_for_its_names(graph):
    small = build(["sw", "en", "swh"])
    assert list(small.labels) == ["sw", "en"]
    assert (small.entities, small.triples, small.split) == (
        *(graph.entities, graph.triples),
        graph.split,
    )
    assert small.pairs("sw") == graph.pairs("sw")
    assert build(["sw", "en"]) is small
    with pytest.raises(UserError, match="built without 'de'"):
        small.pairs("de")


def test_records_carry_the_tag_asked_for(graph):
    assert {p.lang for p in graph.pairs("swh")} == {"swh"}
    assert {n.lang for n in graph.names("nb", "dev")} == {"nb"}


def test_shared_data_can_not_be_changed(graph):
    with pytest.raises(TypeError):
        graph.labels["de"]["territory:DE"] = "x"
    with pytest.raises(TypeError):
        graph.split["territory:DE"] = "test"


@pytest.mark.parametrize(
    ("tag", "near"), [("pt-PT", "'pt'"), ("en-GB", "'en'"), ("arz", "'ar'"), ("aa", "'")]
)
def test_unknown_or_too_small_language_names_the_nearest(tag, near):
    with pytest.raises(UserError, match=f"nearest it has is {near}"):
        build([tag])


def test_no_language_tag():
    with pytest.raises(UserError, match="unknown language tag"):
        resolve("not a tag")


def test_unknown_part(graph):
    for call in (graph.facts, lambda p: graph.pairs("sw", "en", p), lambda p: graph.names("sw", p)):
        with pytest.raises(UserError, match="unknown part 'valid'"):
            call("valid")


def test_building_again_takes_seconds():
    for cached in ("_catalogue", "_build", "_entities_and_split", "_triples"):
        getattr(cldr_graph, cached).cache_clear()
    cldr_graph.own_labels.cache_clear()
    start = time.process_time()
    build()
    assert time.process_time() - start < 15
