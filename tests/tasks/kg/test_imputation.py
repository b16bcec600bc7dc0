from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from xadapt.tasks.kg.imputation import PRIOR, Autoencoder, guess_missing
from xadapt.tasks.kg.modalities import Modality

SIZE = 300
NOBODY = (np.zeros(SIZE, dtype=bool),) * 2


def world(gone=0.4):
    """Two modalities, of which the second follows from the first."""
    draw = np.random.default_rng(0)
    sides = [draw.normal(size=(SIZE, 6)) for _ in range(2)]
    turn = draw.normal(size=(6, 8))
    first, second = Modality.of(*sides), Modality.of(*(own @ turn for own in sides))
    missing = [draw.random(SIZE) < gone for _ in range(2)]
    return {"a": first, "b": second.without(*missing)}, second, missing


def test_an_autoencoder_guesses_better_than_the_mean():
    given, true, missing = world()
    found = {}
    for how in ("mean", "vae"):
        guess = guess_missing(given, how, NOBODY, epochs=60)["b"]
        found[how] = float((guess.left * true.left).sum(axis=1)[missing[0]].mean())
        lengths = np.linalg.norm(guess.left, axis=1)
        assert lengths == pytest.approx(np.ones(SIZE), abs=1e-5)
    assert found["vae"] > 0.8 > found["mean"] + 0.3


def test_the_mean_is_the_mean():
    given, _, _ = world()
    own = given["b"]
    sums = own.left.sum(axis=0) + own.right.sum(axis=0)
    found = guess_missing(given, "mean", NOBODY)["b"]
    assert found.left[3] == pytest.approx(sums / np.linalg.norm(sums), abs=1e-5)
    assert (found.left == found.right).all()


def test_there_is_nothing_to_guess_or_nothing_to_guess_from():
    given, _, _ = world(0.0)
    assert guess_missing(given, "vae", NOBODY) == {} == guess_missing(world()[0], "none", NOBODY)
    alone = {"b": world()[0]["b"]}
    assert guess_missing(alone, "vae", NOBODY) == {}
    less, _, _ = world(0.95)
    assert guess_missing(less, "vae", NOBODY) == {}  # too few to learn from
    some, _, _ = world()
    some["a"] = some["a"].without(np.arange(SIZE) < 10, ~np.ones(SIZE, bool))
    guess = guess_missing(some, "vae", NOBODY, epochs=1)["b"]
    assert not guess.left[:10].any() and guess.left[10:].any(axis=1).all()


def test_entities_that_are_left_out_teach_nothing():
    given, _, _ = world()
    out = (np.arange(SIZE) < 100, np.arange(SIZE) < 100)
    other = Modality(given["b"].left.copy(), given["b"].right.copy())
    there = [own[:100].any(axis=1) for own in (other.left, other.right)]
    other.left[:100][there[0]] = 1 / np.sqrt(8)
    other.right[:100][there[1]] = -1 / np.sqrt(8)
    for how in ("mean", "vae"):
        one = guess_missing(given, how, out, epochs=2)["b"]
        two = guess_missing({**given, "b": other}, how, out, epochs=2)["b"]
        assert (one.left == two.left).all() and (one.right == two.right).all()


def test_the_loss_is_the_formula_and_one_seed_gives_the_same():
    model = Autoencoder(3, 2)
    given, wanted = torch.randn(4, 3), torch.randn(4, 2)
    mean, log_variance = model(given)
    by_hand = (
        (1 - functional.cosine_similarity(mean, wanted))
        + (1 - functional.cosine_similarity(model.write(mean), given))
        + PRIOR * 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
    ).mean()
    found = model.loss(given, wanted, torch.zeros(4, 2))
    assert float(found) == pytest.approx(float(by_hand))
    one, two = (guess_missing(world()[0], "vae", NOBODY, epochs=2)["b"] for _ in range(2))
    assert (one.left == two.left).all()
