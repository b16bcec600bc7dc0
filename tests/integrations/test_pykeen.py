from __future__ import annotations

import gc
import subprocess
import sys

import numpy as np
import pytest
import torch
from twin_graphs import family

from xadapt.core.errors import UserError

pytest.importorskip("pykeen")

from xadapt.integrations.pykeen import (
    PREFIX,
    TRIPLES,
    Training,
    judge,
    model_names,
    open_model,
    train_model,
)
from xadapt.tasks.kg.ranking import SIDES, filtered_ranks
from xadapt.tasks.kg.scorers import MostFrequent

GRAPH = family()
SIZES = (len(GRAPH.entities), len(GRAPH.relations))
QUERIES = np.array([[0, 0], [5, 1], [29, 0]])


def trained(model="TransE", **more):
    options = Training(model=model, **{"dim": 8, "epochs": 2, "every": 1, "batch_size": 16, **more})
    return train_model(GRAPH.facts("train"), GRAPH.facts("dev"), *SIZES, options)


def opened(made, **changes):
    tensors = {**made.tensors, **changes}
    return open_model(made.name, made.options, tensors, *SIZES, "folder")


@pytest.mark.parametrize("model", ["TransE", "RotatE", "ComplEx", "DistMult", "CompGCN"])
def test_a_model_is_rebuilt_exactly(model):
    made = trained(model)
    first, again = opened(made), opened(made)
    for side in SIDES:
        scores = first(QUERIES, side)
        assert scores.shape == (3, 30) and scores.dtype == np.float32
        assert np.isfinite(scores).all() and (scores == again(QUERIES, side)).all()
    assert made.measured["epochs"] <= 2 and len(made.measured["looks"]) >= 1
    assert all(not t.requires_grad for t in made.tensors.values())


def test_equal_seeds_give_equal_models_and_others_do_not():
    one, two, other = trained(seed=1), trained(seed=1), trained(seed=2)
    assert all(torch.equal(one.tensors[key], two.tensors[key]) for key in one.tensors)
    assert not torch.equal(*(t.tensors[next(k for k in t.tensors if k.startswith(PREFIX))]
                             for t in (one, other)))  # fmt: skip


def test_training_learns_and_is_stopped_by_validation():
    made = trained(epochs=40, every=5, dim=16, learning_rate=0.05)
    score = opened(made)
    ranks = filtered_ranks(score, GRAPH.facts("train"), GRAPH.triples, "tail")
    start = filtered_ranks(opened(trained(epochs=1)), GRAPH.facts("train"), GRAPH.triples, "tail")
    assert (1 / ranks).mean() > (1 / start).mean() + 0.1
    assert made.measured["epochs"] == 5 * len(made.measured["looks"])


def test_pykeens_evaluator_judges_as_we_rank():
    for score in (opened(trained()), MostFrequent(GRAPH.facts("train"), 30)):
        facts = GRAPH.facts("test")
        found = judge(score, facts, GRAPH.triples, batch=3)
        both = []
        for side in SIDES:
            ranks = filtered_ranks(score, facts, GRAPH.triples, side)
            both.append(ranks)
            assert found[side]["mrr"] == pytest.approx((1 / ranks).mean(), abs=1e-6)
            assert found[side]["hits@1"] == pytest.approx((ranks <= 1).mean())
            assert found[side]["hits@10"] == pytest.approx((ranks <= 10).mean())
        whole = np.concatenate(both)
        assert found["both"]["mrr"] == pytest.approx((1 / whole).mean(), abs=1e-6)
        assert set(found["both"]) == {"mrr", "hits@1", "hits@3", "hits@10"}


def test_collections_of_a_training_leave_out_what_was_there():
    frozen, seen = gc.get_freeze_count(), []
    look = lambda phase, info: seen.append(gc.get_freeze_count())  # noqa: E731
    gc.unfreeze()
    gc.callbacks.append(look)
    try:
        trained()
        assert seen and min(seen) > 1000 and gc.get_freeze_count() == 0
    finally:
        gc.callbacks.remove(look)
        if frozen:
            gc.freeze()


def test_names_of_models_and_a_wrong_one():
    assert {"TransE", "RotatE", "ComplEx", "CompGCN"} <= set(model_names())
    with pytest.raises(UserError, match="did you mean 'TransE'"):
        trained("TranseE")
    with pytest.raises(UserError, match="no training facts"):
        train_model(GRAPH.triples[:0], GRAPH.triples[:0], *SIZES)


def test_optimizers_of_other_packages_do_no_harm():
    """bitsandbytes has an AdamW of its own, which class_resolver would take for torch's."""
    pytest.importorskip("bitsandbytes")
    code = (
        "import bitsandbytes.optim; from xadapt.integrations.pykeen import model_names; "
        "assert 'TransE' in model_names(); import torch; "
        "from class_resolver.contrib.torch import optimizer_resolver as r; "
        "assert r.lookup('adamw') is torch.optim.AdamW"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_without_validation_facts_all_epochs_run():
    made = train_model(GRAPH.facts("train"), GRAPH.triples[:0], *SIZES,
                       Training(model="TransE", dim=4, epochs=2))  # fmt: skip
    assert made.measured == {"epochs": 2, "every": 5, "looks": []}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop(TRIPLES), "facts are missing"),
        (lambda t: t.update({TRIPLES: torch.zeros(0, 3, dtype=torch.int64)}), "beyond the graph"),
        (lambda t: t.update({TRIPLES: torch.full((1, 3), 99)}), "beyond the graph"),
        (lambda t: t.update({TRIPLES: torch.full((1, 3), -1)}), "beyond the graph"),
        (lambda t: t.update({TRIPLES: torch.zeros(1, 3)}), "facts are missing"),
        (lambda t: t.update({f"{PREFIX}other": torch.zeros(500)}), "not those of TransE"),
        (lambda t: [t.pop(key) for key in [*t] if key.startswith(PREFIX)], "too small"),
    ],
)
def test_wrong_tensors_are_one_line(change, said):
    made = trained()
    tensors = dict(made.tensors)
    change(tensors)
    with pytest.raises(UserError, match=said) as fault:
        open_model(made.name, made.options, tensors, *SIZES, "folder")
    assert fault.value.where == "folder" and "\n" not in str(fault.value)


@pytest.mark.parametrize("dim", [None, "8", 0, 2**20])
def test_a_wrong_dimension_is_refused_before_anything_is_made(dim):
    made = trained()
    options = {**made.options, "model_kwargs": {"embedding_dim": dim}}
    with pytest.raises(UserError, match="embedding_dim"):
        open_model(made.name, options, made.tensors, *SIZES, "folder")
