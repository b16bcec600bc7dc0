from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_commands import QUICK, Place, everything, good, write_tsv, xadapt
from tiny_tagging import train, write_conll
from tiny_training import pairs, tagged

import xadapt as face
from xadapt.composition.text import parse
from xadapt.composition.values import Mix
from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines import weight_search as room


def valley(best: tuple[float, ...]):
    return lambda weights: float(sum((w - b) ** 2 for w, b in zip(weights, best, strict=True)))


def test_the_search_finds_a_minimum_inside_the_bounds_and_keeps_to_its_budget() -> None:
    told: list[room.Trial] = []
    controls = room._controls("ab")
    trials = room._search(valley((0.8, -0.5)), controls, 40, told.append)
    best = room.best(trials)
    # of (w - b)^2 + 0.05 |w| the least is at b - 0.025 sign(b)
    np.testing.assert_allclose(best.weights, (0.775, -0.475), atol=0.01)
    assert told == trials and len(trials) <= 40 and len({t.weights for t in trials}) == len(trials)
    far = room._search(valley((9.0, -9.0)), controls, 40, lambda _: None)
    assert room.best(far).weights == (1.5, -1.5)
    assert trials == room._search(valley((0.8, -0.5)), controls, 40, lambda _: None)


def test_what_is_taken_fits_no_worse_than_any_control() -> None:
    rows = [("start", 3.0, 3.0), ("a alone", 2.0, 2.3), ("search", 2.1, 2.15), ("search", 1.9, 2.2)]
    trials = [room.Trial(what, (loss,), loss, objective) for what, loss, objective in rows]
    assert room.best(trials) == trials[3] and room.best(trials[:3]) == trials[1]


def test_controls_are_start_equal_weights_and_each_alone() -> None:
    assert room._controls("abc") == {
        "start": (0, 0, 0),
        "alike": (0.3333, 0.3333, 0.3333),
        "a alone": (1, 0, 0),
        "b alone": (0, 1, 0),
        "c alone": (0, 0, 1),
    }


def test_weights_go_into_the_one_mixture() -> None:
    value = parse("mix(a, b) + c")
    assert room._weighed(value, (0.5, -0.25)) == parse("mix(a:.5, b:-.25) + c")
    for wrong in ("a + b", "mix(a, mix(b, c))", "mix(a, b) + mix(c)", "by_language(* = mix(a))"):
        with pytest.raises(UserError, match="one mixture"):
            room._mixture(parse(wrong))


@pytest.fixture(scope="module")
def helping(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Path]:
    """A module that learnt these examples, one that learnt shuffled pairs, and the examples."""
    folder = tmp_path_factory.mktemp("few")
    place = Place(folder)
    rows = pairs(24, seed=77)
    shuffled = [row.__class__(row.text, other.pivot, row.lang)
                for row, other in zip(rows, rows[7:] + rows[:7], strict=True)]  # fmt: skip
    write_tsv(folder / "dev.tsv", pairs(3, seed=7))
    for name, own, rate, epochs in (("good", rows, 0.001, 30), ("noise", shuffled, 0.01, 3)):
        data = write_tsv(folder / f"{name}.tsv", own)
        given = ("--base", place.base, "--data", data, "--dev", folder / "dev.tsv", "--lang", "de")
        fast = ("--set", f"train.learning_rate={rate}", "--set", f"train.epochs={epochs}")
        good("train", "translation_ranking", *given, "--out", folder / name, *QUICK, *fast)
    write_tsv(folder / "few.tsv", rows)
    return place, folder


def test_weight_goes_to_the_module_that_helps(helping: tuple[Place, Path], tmp_path: Path) -> None:
    place, folder = helping
    text = f"mix({folder}/noise, {folder}/good)"
    given = ("--base", place.base, "--few-shot", folder / "few.tsv", "--lang", "de")
    done = good("compose", text, *given, "--out", tmp_path / "m", "--json", tmp_path / "j.json")
    told = json.loads((tmp_path / "m" / "few_shot.json").read_text())
    result = json.loads((tmp_path / "j.json").read_text())
    assert result.pop("written_by").startswith("xadapt ") and told == result
    noise, useful = told["best"]["weights"]
    assert useful > 0.3 and useful > abs(noise) + 0.2, told["best"]
    trials = {trial["what"]: trial for trial in told["trials"]}
    for control in ("start", "alike", "noise alone", "good alone"):
        assert told["best"]["loss"] <= trials[control]["loss"] + 1e-9
    assert len(told["trials"]) <= 40 and told["examples"]["rows"] == 24
    assert str(tmp_path) not in json.dumps(told) and str(folder) not in json.dumps(told)
    assert f"found {told['composition']}" in done.out and "one LoRA" in done.out
    value = Mix({f"{folder}/noise": noise, f"{folder}/good": useful})
    expected = AdaptedEncoder.load(str(place.base), compose=value, dtype="float32")
    saved = AdaptedEncoder.load(str(place.base), str(tmp_path / "m"), dtype="float32")
    texts = [pair.text for pair in pairs(3)]
    np.testing.assert_allclose(
        saved.encode(texts), expected.encode(texts), atol=1e-5
    )  # the plain LoRA is the mixture that was found


def test_tagged_examples_weigh_what_lies_below_a_task(
    made: tuple[Place, Path],
    tmp_path: Path,
) -> None:
    place, folder = made
    good(*train(place, folder, tmp_path / "task"))
    few = write_conll(tmp_path / "few.conll", tagged(8, seed=9))
    found = face.compose(
        f"mix({folder}/de, {folder}/sw) + {tmp_path}/task",
        base=str(place.base), out=tmp_path / "c", examples=few, budget=10,
    )  # fmt: skip
    assert found is not None and found.parts == ("de", "sw") and len(found.trials) <= 10
    start = found.trials[0]
    assert start.weights == (0, 0) and found.best.loss <= start.loss
    assert {"few_shot.json", "composition.json"} <= set(everything(tmp_path / "c"))


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("{0}/good", (), "one mixture"),
        ("mix({0}/good, {0}/noise)", ("--budget", 7), "8 trials or more"),
        ("mix({0}/good, {0}/noise)", ("--soup",), "--soup"),
        ("mix({0}/good, {0}/nowhere)", (), "no such module"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    helping: tuple[Place, Path], tmp_path: Path, text: str, more: tuple, said: str
) -> None:
    place, folder = helping
    given = ("--base", place.base, "--few-shot", folder / "few.tsv", "--out", tmp_path / "m")
    done = xadapt("compose", text.format(folder), *given, *more)
    assert done.code == 2 and len(done.lines) == 1 and said in done.err, done.err
    assert everything(tmp_path) == []


def test_a_search_shows_its_trials() -> None:
    from matplotlib.figure import Figure

    trials = (room.Trial("start", (0.0, 0.0), 3.0, 3.0), room.Trial("search", (0.5, 1.0), 1.0, 1.1))
    found = room.Found(parse("mix(a:.5, b:1)"), ("a", "b"), trials, {"examples": {"rows": 7}})
    text = repr(found)
    assert "2 trials on 7 examples" in text and "nothing was held out" in text
    assert found._repr_html_().count("<tr>") == 3
    frame = found.to_pandas()
    assert list(frame["best"]) == [False, True] and list(frame["a"]) == [0.0, 0.5]
    axes = found.plot(Figure().subplots())
    assert [list(line.get_ydata()) for line in axes.lines if line.get_label() == "trial"] == [
        [3, 1.1]
    ]
