from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from maps.spaces import named, rotated

from xadapt.core.errors import UserError
from xadapt.maps.contract import LinearMaps
from xadapt.maps.dictionary import Gold
from xadapt.maps.precision import nearest_words
from xadapt.maps.word_vectors import WordVectors
from xadapt.pipelines.map_embeddings import build_method, chooser, map_vectors, parts_of
from xadapt.pipelines.map_run import map_embeddings

PAIRS = [(f"s{i}", f"t{i}") for i in range(250)]
METHODS = [
    ("procrustes", {}),
    ("refine", {"n_iters": 2}),
    ("rcsls", {"niter": 2}),
    ("rcsls", {"niter": 2, "model": "spectral"}),
    ("vecmap", {}),
]


@pytest.fixture(scope="module")
def sides():
    source, target, _ = rotated(words=300, dim=10, noise=0.05)
    return source, target


@pytest.mark.parametrize(("method", "options"), METHODS)
def test_every_method_finds_words_it_has_not_seen_and_a_shuffled_dictionary_does_not(
    sides, method, options
):
    result = map_embeddings(*sides, PAIRS, method=method, options=options, controls=True)
    for way in ("nn", "csls"):
        assert result.precision(1, way) > 0.9
        assert result.precision(1, way, "identity") < 0.1
        assert result.precision(1, way, "shuffled dictionary") < 0.1
    assert result.gold.words == 50 and result.gold.coverage == 1


def test_held_out_words_choose_the_step_and_test_words_never_do(sides):
    parts = parts_of(PAIRS, source=sides[0], target=sides[1])
    words = [
        {w for pair in part.pairs for w in pair} for part in (parts.train, parts.dev, parts.test)
    ]
    assert not words[0] & words[1] and not words[0] & words[2] and not words[1] & words[2]
    lines = []
    map_vectors(*sides, parts, method="refine", options={"n_iters": 2}, report=lines.append)
    scored = [line for line in lines if "held-out" in line]
    dev, test = len(parts.dev.sources), len(parts.test.sources)
    assert len(scored) == 2 and dev == 25 and test == 50
    for line in scored:  # a share of 25 words, not of 50
        rate = float(line.split()[2])
        assert abs(rate * dev - round(rate * dev)) < 1e-2


def test_a_step_is_chosen_by_csls_among_the_first_words(sides):
    x, y = (torch.from_numpy(side.vectors) for side in sides)
    gold = Gold({0: frozenset({0, 250}), 9: frozenset({260}), 270: frozenset({1})}, 3, (), (), 4, 4)
    none = LinearMaps(torch.eye(10))
    right = nearest_words(x[:100], y[:100], [0], 1, csls=10).indices[0, 0] == 0
    assert chooser(gold, x, y, first=100)(none) == float(right)
    beyond = Gold({270: frozenset({1})}, 1, (), (), 1, 1)
    assert chooser(beyond, x, y, first=100) is None


def test_training_pairs_that_share_a_word_with_a_given_test_are_left_out_and_told(sides):
    test = [("s0", "t1"), ("s2", "other")]
    parts = parts_of(PAIRS, test, source=sides[0], target=sides[1], dev=0)
    sources = {pair[0] for pair in parts.train.pairs}
    assert not {"s0", "s1", "s2"} & sources and len(parts.train) == 247
    assert parts.notes == ("3 training pairs share a word with the test pairs: left out",)


def test_words_without_vectors_are_told(sides):
    given = [*PAIRS, *((f"none{i}", f"t{i}") for i in range(251, 281))]
    result = map_embeddings(*sides, given, held_out=0.5)
    missing = len(result.gold.no_source)
    assert missing > 0 and result.gold.words == len(result.gold.targets) + missing
    assert f"{missing} have no vector" in str(result)
    assert result.to_dict()["coverage"]["without_source_vector"] == missing


def test_reversed_and_identical(sides):
    backward = map_embeddings(*sides, [pair[::-1] for pair in PAIRS], reverse=True)
    assert backward.precision(1) > 0.9
    source, target = sides
    same = WordVectors(source.words, target.vectors)
    assert map_embeddings(source, same, "identical_char").precision(1) > 0.9


def test_a_dictionary_with_capitals_needs_lower(sides):
    capitals = [(a.upper(), b.upper()) for a, b in PAIRS]
    with pytest.raises(UserError, match="the case of its words"):
        map_embeddings(*sides, capitals)
    result = map_embeddings(*sides, capitals, test=capitals[:9], lower=True)
    assert result.gold.coverage == 1 and result.gold.words == 9


def test_nothing_held_out_measures_nothing(sides):
    result = map_embeddings(*sides, PAIRS, dev=0, held_out=0)
    assert result.scores == {} and result.gold is None and "no words were held out" in str(result)
    with pytest.raises(UserError, match="was not measured"):
        result.precision()


def test_files_and_a_folder(tmp_path, sides):
    for name, side in zip("ab", sides, strict=True):
        rows = (
            f"{w} {' '.join(map(str, v))}" for w, v in zip(side.words, side.vectors, strict=True)
        )
        (tmp_path / f"{name}.vec").write_text("\n".join(rows) + "\n")
    (tmp_path / "d.tsv").write_text("".join(f"{a}\t{b}\ttag\n" for a, b in PAIRS))
    result = map_embeddings(
        tmp_path / "a.vec", tmp_path / "b.vec", tmp_path / "d.tsv", out=tmp_path / "map"
    )
    facts = json.loads((tmp_path / "map" / "map.json").read_text())
    assert facts["source"] == "a.vec" and facts["method"] == "procrustes"
    assert facts["evidence"]["procrustes"]["csls"]["P@1"]["mean"] == result.precision(1)
    assert str(tmp_path) not in json.dumps(facts)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["folder"] == "map"
    from xadapt import EmbeddingMap

    again = EmbeddingMap.from_pretrained(tmp_path / "map")
    assert np.array_equal(again.transform(sides[0].vectors), result.map.transform(sides[0].vectors))
    with pytest.raises(UserError, match="not empty"):
        map_embeddings(*sides, PAIRS, out=tmp_path / "map")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "procrust"}, "did you mean 'procrustes'"),
        ({"options": {"lr": 1}}, "unknown option 'lr'"),
        ({"method": "rcsls", "options": {"nitre": 1}}, "did you mean 'niter'"),
        ({"method": "rcsls", "options": {"model": "spectrum"}}, "did you mean 'spectral'"),
        ({"method": "rcsls", "options": {"knn": "many"}}, "rcsls.knn"),
        ({"normalize": "unit,centre"}, "did you mean 'center'"),
        ({"dictionary": None}, "no dictionary was given"),
        ({"dictionary": [("x", "y")]}, "no pair of the dictionary"),
        ({"dictionary": []}, "empty"),
        ({"source": None}, "no word vectors"),
        ({"source": "nowhere.vec"}, "no such file"),
        ({"dev": 0.6, "held_out": 0.6}, "leave nothing to fit on"),
        ({"lang": "de"}, "lang does nothing without a base"),
        ({"layer": 3}, "layer does nothing without a base"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(tmp_path, sides, change, said):
    given = {"source": sides[0], "target": sides[1], "dictionary": PAIRS, **change}
    with pytest.raises(UserError, match=said) as raised:
        map_embeddings(**given, out=tmp_path / "out")
    assert "\n" not in str(raised.value) and not (tmp_path / "out").exists()


def test_other_widths_and_one_row_only(sides):
    with pytest.raises(UserError, match="10 values and target vectors 3"):
        map_embeddings(sides[0], named("t", np.ones((5, 3))), PAIRS)
    one = map_embeddings(*sides, PAIRS[:1], dev=0, held_out=0)
    assert np.allclose(one.map.W @ one.map.W.T, np.eye(10), atol=1e-5)


def test_the_wrong_direction_of_a_dictionary_is_told(sides):
    with pytest.raises(UserError, match="Check the direction of the dictionary"):
        map_embeddings(*sides, [pair[::-1] for pair in PAIRS])


def test_methods_are_documented():
    from xadapt.core import registry
    from xadapt.core.part_source import read_part

    assert registry.names("maps") == ("procrustes", "rcsls", "refine", "vecmap")
    for name in registry.names("maps"):
        part = read_part("maps", name)
        assert "https://" in part.text and part.facts["scores"] and part.facts["differences"]
        assert all(option.help for option in part.options)
        assert build_method(name)
