from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_counts import Counts
from tiny_models import tiny_encoder
from tiny_named_graph import graph_folder
from tiny_tagging import write_conll
from tiny_training import module_for, pairs, shaken, tagged

from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair, TaggedSentence
from xadapt.functional.tag_scheme import to_labels
from xadapt.heads.head import Head
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines import weight_search_loss as room
from xadapt.tasks.tagging import Tagger

ENCODER = tiny_encoder()


def adapted() -> AdaptedEncoder:
    return AdaptedEncoder(
        ENCODER, {n: shaken(module_for(ENCODER), i, 0.1) for i, n in enumerate("ab")}
    )


def test_ranking_is_info_nce_both_ways_against_the_bare_pivots() -> None:
    rows, model = pairs(6), adapted()
    text = model.encode([r.text for r in rows], compositions=["a"] * 6)
    pivot = model.encode([r.pivot for r in rows], [None] * 6)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (text, pivot)]
    cosine = unit[0] @ unit[1].T / 0.05
    losses = [
        math.log(np.exp(scores - scores[i]).sum())
        for way in (cosine, cosine.T)
        for i, scores in enumerate(way)
    ]
    assert room.ranking(model, rows)("a") == pytest.approx(np.mean(losses), rel=1e-4)
    assert room.ranking(model, rows)(None) != pytest.approx(np.mean(losses), rel=1e-4)


def test_a_text_with_two_translations_is_no_negative_of_itself() -> None:
    two = [ParallelPair("katze hund", "cat dog", "de"), ParallelPair("katze hund", "dog cat", "de")]
    assert room.ranking(adapted(), two)("a") == pytest.approx(
        np.mean([0, 0]), abs=1e-6
    )  # nothing is left to lose against


def by_hand(query: np.ndarray, names: np.ndarray, barred: set[tuple[int, int]]) -> float:
    """InfoNCE in one direction at temperature .1, without some names for some queries."""
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (query, names)]
    cosine = unit[0] @ unit[1].T / 0.1
    losses = []
    for i, own in enumerate(cosine):
        kept = [s for j, s in enumerate(own) if (i, j) not in barred]
        losses.append(math.log(np.exp(np.array(kept) - own[i]).sum()))
    return float(np.mean(losses))


def test_a_graph_is_judged_by_its_names_and_by_its_facts(tmp_path: Path) -> None:
    graph = f"kg:{graph_folder(tmp_path)}"
    parts = room.read_knowledge(graph, "de")
    assert {name: len(rows) for name, rows in parts.items()} == {
        "entity_label": 4, "triple_phrase": 2,
    }  # fmt: skip
    model, names = adapted(), parts["entity_label"]

    def encode(texts: list[str]) -> np.ndarray:
        return model.encode(texts, compositions=["a"] * len(texts))

    others = [row.others[0][1] for row in names]
    assert all(len(row.others) in (1, 2) for row in names)
    single = [row for row in names if len(row.others) == 1]
    found = room.knowledge(model, {"entity_label": single})("a")
    left = encode([row.text for row in single])
    right = encode([row.others[0][1] for row in single])
    assert found == pytest.approx(by_hand(left, right, set()), rel=1e-4) and others
    facts = parts["triple_phrase"]
    phrases = encode(["Berlin capital of", "Spree flows through"])
    wanted = {
        (a, b): by_hand(phrases, encode([a, b]), set())
        for a in ("Deutschland", "Germany") for b in ("Berlin", "Berlin City")
    }  # fmt: skip
    both = room.knowledge(model, {"triple_phrase": facts})("a")
    assert min(abs(both - one) for one in wanted.values()) < 1e-4
    every = room.knowledge(model, {"entity_label": single, "triple_phrase": facts})
    assert every("a") == pytest.approx((found + both) / 2, rel=1e-5)
    assert every(None) != pytest.approx(every("a"))


def test_a_graph_without_facts_or_names_is_judged_by_the_other(tmp_path: Path) -> None:
    folder = graph_folder(tmp_path)
    for name in ("train.tsv", "dev.tsv"):
        (folder / name).unlink()
    assert list(room.read_knowledge(f"kg:{folder}", "de")) == ["entity_label"]
    (folder / "names_en.tsv").unlink()
    (folder / "names_sw.tsv").unlink()
    (folder / "names_de.tsv").write_text("Q1\tBerlin\n")
    with pytest.raises(UserError, match="no two names in de"):
        room.read_knowledge(f"kg:{folder}", "de")
    with pytest.raises(UserError, match="no names in 'fr'"):
        room.read_knowledge(f"kg:{folder}", "fr")


def tagger() -> Tagger:
    torch.manual_seed(0)
    return Tagger(adapted(), Head("tagging", ("O", "B-ANIMAL", "I-ANIMAL"), ENCODER.width))


def test_cross_entropy_is_the_mean_over_words() -> None:
    model, rows = tagger(), tagged(5)
    by_hand = []
    for row in rows:
        one = room.cross_entropy(model, [row])("a")
        by_hand += [one] * len(row.words)
    assert room.cross_entropy(model, rows)("a") == pytest.approx(np.mean(by_hand), rel=1e-5)
    with torch.no_grad():
        model.head.linear.weight.zero_()
        model.head.linear.bias.copy_(torch.tensor([0.0, math.log(2), 0.0]))
    right = [{"O": 0.25, "B-ANIMAL": 0.5}[label]
             for row in rows for label in to_labels(len(row.words), row.spans, "bio")]  # fmt: skip
    assert room.cross_entropy(model, rows)("a") == pytest.approx(-np.log(right).mean(), rel=1e-5)


def test_words_beyond_the_bases_length_are_left_out() -> None:
    model = tagger()
    long = TaggedSentence(("katze",) * 100, ((99, 100, "ANIMAL"),), "de")
    assert room.cross_entropy(model, [long])("a") < 10


def test_labels_the_head_lacks_are_refused() -> None:
    other = TaggedSentence(("die", "katze"), ((1, 2, "TOWN"),), "de")
    with pytest.raises(UserError, match="can't give these labels"):
        room.cross_entropy(tagger(), [other])


def test_one_pair_ranks_nothing(tmp_path: Path) -> None:
    (tmp_path / "one.tsv").write_text("cat\tkatze\n")
    with pytest.raises(UserError, match="one pair alone"):
        room.open_examples(str(tmp_path / "one.tsv"), "de", "base", parse("mix(a, b)"), {})
    write_conll(tmp_path / "x.conll", tagged(2))
    with pytest.raises(UserError, match="has a task head"):
        room.open_examples(str(tmp_path / "x.conll"), "de", "base", None, {})


@pytest.mark.parametrize("tagging", [False, True])
def test_trials_share_what_lies_below_the_mixture(
    tagging: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    upper = {
        n: shaken(module_for(ENCODER, rank=2, layers=[2, 4]), i, 0.1) for i, n in enumerate("ab")
    }
    model, rows = AdaptedEncoder(ENCODER, upper, parse("mix(a: .5, b: .5)")), pairs(6, seed=7)
    torch.manual_seed(0)
    head = Head("tagging", ("O", "B-ANIMAL", "I-ANIMAL"), ENCODER.width)
    measured = [parse("mix(a: .5, b: .5)"), parse("mix(a: 1.5, b: -1)"), parse("b")]

    def losses() -> list[float]:
        made = (
            room.cross_entropy(Tagger(model, head), tagged(6, seed=7))
            if tagging
            else room.ranking(model, rows)
        )
        return [made(one) for one in measured]

    with monkeypatch.context() as patch:
        patch.setattr(room, "repeated_cache", lambda _: None)
        expected = losses()
    counts = Counts(monkeypatch)
    assert losses() == pytest.approx(expected, abs=1e-5)
    assert counts.taken() == {0: 6, 2: 3 * 6}
