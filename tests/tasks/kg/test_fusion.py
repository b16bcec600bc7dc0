from __future__ import annotations

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.functional import metrics
from xadapt.tasks.kg.fusion import LEAST, Guess, Weighing, by_variance, fit_fusion, fuse
from xadapt.tasks.kg.modalities import Modality
from xadapt.vectors import matching

SIZE = 240
LINKS = np.stack([np.arange(SIZE)] * 2, axis=1)
DEV, TEST = LINKS[:80], LINKS[80:]


def world(noises=(0.6, 0.9), gone=(0.0, 0.0), seed=0, dim=12):
    """Modalities of one world, each with its noise and its share of missing vectors."""
    draw = np.random.default_rng(seed)
    true = draw.normal(size=(SIZE, dim))
    found = {}
    for number, (noise, share) in enumerate(zip(noises, gone, strict=True)):
        sides = [true + noise * draw.normal(size=true.shape) for _ in range(2)]
        missing = [draw.random(SIZE) < share for _ in range(2)]
        found[f"m{number}"] = Modality.of(*sides).without(*missing)
    return found


def slow(modalities, fusion, guesses=None):
    """The scores of all pairs, by the formula."""
    total = np.zeros((SIZE, SIZE))
    for name, one in modalities.items():
        how, guess = fusion[name], (guesses or {}).get(name)
        for i in range(SIZE):
            for j in range(SIZE):
                a, b = one.left[i], one.right[j]
                made = 0
                if guess is not None and not a.any():
                    a, made = guess.left[i], made + 1
                if guess is not None and not b.any():
                    b, made = guess.right[j], made + 1
                if a.any() and b.any():
                    middle = how.guessed_middle if made else how.middle
                    total[i, j] += how.weight * how.share**made * (a @ b - middle)
    return total


def scores(view):
    return matching.cosine(view.left, view.right).rows(0, SIZE).numpy()


def hits_of(view):
    found = matching.cosine(view.left[TEST[:, 0]], view.right)
    return metrics.hits(metrics.ranks(found, TEST[:, 1], np.arange(SIZE)), 1).mean()


def test_weights_by_hand():
    # means .8 and .2, variances .01 and .03: g = .6 / .02 = 30, c = .5
    same, other = np.array([0.7, 0.9]), 0.2 + np.sqrt(0.03) * np.array([-1, 1])
    found = by_variance(same, other)
    assert found.weight == pytest.approx(30) and found.middle == pytest.approx(0.5)
    # the log of the odds of two normal distributions with one variance
    x = 0.65
    odds = (-((x - 0.8) ** 2) + (x - 0.2) ** 2) / (2 * 0.02)
    assert found.weight * (x - found.middle) == pytest.approx(odds)
    assert by_variance(other, same) == Weighing(0.0, 0.0)
    assert by_variance(same[:1], other).weight == 0


def test_cosines_of_the_fused_vectors_are_the_formula_up_to_one_factor():
    given = world(gone=(0.3, 0.2))
    fusion = {"m0": Weighing(3.0, 0.4), "m1": Weighing(2.0, -0.1)}
    found, wanted = scores(fuse(given, fusion)), slow(given, fusion)
    factor = (found * wanted).sum() / (wanted**2).sum()
    assert factor > 0 and found == pytest.approx(factor * wanted, abs=1e-5)


def test_guesses_count_their_share_in_the_fused_vectors():
    given = world(gone=(0.4, 0.3))
    draw = np.random.default_rng(5)
    guesses = {"m1": Guess(*(_units(draw) for _ in range(2)))}
    guesses["m1"].left[::7] = 0  # some could not be guessed
    fusion = {"m0": Weighing(3.0, 0.4), "m1": Weighing(2.0, 0.3, 0.5, 0.1)}
    found, wanted = scores(fuse(given, fusion, guesses)), slow(given, fusion, guesses)
    factor = (found * wanted).sum() / (wanted**2).sum()
    assert factor > 0 and found == pytest.approx(factor * wanted, abs=1e-5)


def _units(draw):
    made = draw.normal(size=(SIZE, 12))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def test_guesses_change_nothing_where_nothing_is_missing():
    given = world()
    draw = np.random.default_rng(5)
    guesses = {name: Guess(_units(draw), _units(draw)) for name in given}
    plain, more = fit_fusion(given, DEV), fit_fusion(given, DEV, guesses)
    assert [(one.weight, one.middle) for one in plain.values()] == [
        (one.weight, one.middle) for one in more.values()
    ]
    assert (fuse(given, plain).left[:, :12] == fuse(given, more, guesses).left[:, :12]).all()
    found, wanted = scores(fuse(given, more, guesses)), scores(fuse(given, plain))
    assert found == pytest.approx(wanted, abs=1e-5)


def test_a_missing_vector_never_acts():
    draw = np.random.default_rng(1)
    sides = [draw.normal(size=(SIZE, 12)) for _ in range(2)]
    has = tuple(draw.random(SIZE) < 0.7 for _ in range(2))
    other = world()["m0"]

    def fused(junk):
        own = [np.where(there[:, None], side, junk) for side, there in zip(sides, has, strict=True)]
        given = {"a": other, "b": Modality.of(*own, has=has)}
        return fuse(given, fit_fusion(given, DEV))

    first, second = fused(0.0), fused(np.nan)
    third = fused(1e6 * draw.normal(size=(SIZE, 12)))
    for again in (second, third):
        assert (first.left == again.left).all() and (first.right == again.right).all()


def test_an_entity_that_lacks_a_modality_is_ranked_by_the_others_alone():
    given = world(gone=(0.0, 0.5))
    view = fuse(given, fit_fusion(given, DEV))
    lacking = np.flatnonzero(~given["m1"].has[0])
    own = given["m0"].left[lacking] @ given["m0"].right.T
    best = [one[lacking if len(one) == SIZE else slice(None)].argsort(axis=1)[:, -3:]
            for one in (scores(view), own)]  # fmt: skip
    assert (best[0] == best[1]).mean() > 0.99


def test_at_any_share_the_fusion_is_at_least_as_good_as_the_best_alone():
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        leads = []
        for seed in range(3):
            given = world((1.2, 1.2), (share, 0.0), seed, 32)
            fused = hits_of(fuse(given, fit_fusion(given, DEV)))
            leads.append(fused - max(hits_of(one.view) for one in given.values()))
        assert np.mean(leads) >= -0.02, share
    assert hits_of(fuse(world(), fit_fusion(world(), DEV))) > max(
        hits_of(one.view) for one in world().values()
    )


def test_noise_counts_little_and_chance_alone_is_no_fault():
    draw = np.random.default_rng(9)
    noise = Modality.of(draw.normal(size=(SIZE, 12)), draw.normal(size=(SIZE, 12)))
    given = {"noise": noise, **world()}
    fusion = fit_fusion(given, DEV)
    assert fusion["noise"].weight < 0.2 * fusion["m0"].weight
    opposed = Modality.of(np.eye(SIZE, 12) + 1e-3, -np.eye(SIZE, 12))
    assert fit_fusion({"a": opposed}, DEV)["a"].weight == 1.0


def test_learning_is_better_than_the_closed_form_or_equal_and_repeats():
    given = world((0.5, 1.2), (0.3, 0.0))
    start = hits_of(fuse(given, fit_fusion(given, DEV, steps=0)))
    learnt = fit_fusion(given, DEV)
    assert hits_of(fuse(given, learnt)) >= start - 0.02
    assert learnt == fit_fusion(given, DEV)


def test_links_that_share_an_entity_are_all_right():
    links = np.concatenate([DEV, DEV[:5] + np.array([0, 100])])
    found = fit_fusion(world(), links)
    assert all(np.isfinite([one.weight, one.middle]).all() for one in found.values())


def test_too_few_links_are_one_line():
    with pytest.raises(UserError) as fault:
        fit_fusion(world(), DEV[: LEAST - 1])
    assert "at least 20 dev links" in str(fault.value)
