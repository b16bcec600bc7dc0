from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_commands import Place, good, xadapt
from tiny_counts import Counts
from tiny_models import tiny_encoder
from tiny_tagging import train
from tiny_training import hooks_do_nothing, module_for, shaken, tagged

from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.functional.tag_scheme import decode
from xadapt.heads.head import Head
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.tasks import emea as room
from xadapt.tasks.tagging import Tagger, scores

ENCODER = tiny_encoder()
ROWS = [row.words for row in tagged(12)]
TWO = parse("route(emea; a, b) + c")


@pytest.fixture
def tagger() -> Tagger:
    modules = {name: shaken(module_for(ENCODER), n, 0.5) for n, name in enumerate("abc")}
    torch.manual_seed(0)
    head = Head("tagging", ("O", "B-X", "I-X"), ENCODER.width)
    with torch.no_grad():
        head.linear.weight.mul_(4)
    return Tagger(AdaptedEncoder(ENCODER, modules, "c"), head)


def entropy(tagger: Tagger, steps: int, rows: list[tuple[str, ...]], monkeypatch) -> list[float]:
    seen: list[np.ndarray] = []
    plain = room.decode

    def watched(each, labels, scheme):
        seen.append(each)
        return plain(each, labels, scheme)

    with monkeypatch.context() as patch:
        patch.setattr(room, "decode", watched)
        room.emea(tagger, rows, TWO, steps=steps)
    return [float(-(np.exp(each) * each).sum(-1).mean()) for each in seen]


def test_no_step_is_the_uniform_mixture(tagger: Tagger) -> None:
    found = room.emea(tagger, ROWS, TWO, steps=0)
    mixed = tagger.tag(ROWS, compositions=[parse("mix(a:.5, b:.5) + c")] * len(ROWS))
    assert found == mixed


def test_steps_lower_the_entropy_of_each_sentence(tagger: Tagger, monkeypatch) -> None:
    before = entropy(tagger, 0, ROWS, monkeypatch)
    after = entropy(tagger, 10, ROWS, monkeypatch)
    assert np.mean(after) < np.mean(before) - 1e-3
    assert sum(a < b + 1e-6 for a, b in zip(after, before, strict=True)) >= 10


def test_a_batch_gives_what_single_sentences_give(tagger: Tagger, monkeypatch) -> None:
    """With gentle modules: steep ones blow rounding up from step to step."""
    for number, module in enumerate(tagger.adapted.modules.values()):
        shaken(module, number, 0.1)
    together = entropy(tagger, 4, ROWS, monkeypatch)
    apart = [entropy(tagger, 4, [row], monkeypatch)[0] for row in ROWS]
    assert not np.allclose(together, entropy(tagger, 0, ROWS, monkeypatch), atol=1e-3)
    assert np.allclose(together, apart, atol=1e-5)


def test_the_bare_base_may_be_an_expert(tagger: Tagger) -> None:
    rows = ROWS[:1]
    value = parse("route(emea; a, none) + c")
    found = room.emea(tagger, rows, value, steps=0)
    half = tagger.tag(rows, compositions=[parse("mix(a:.5) + c")])
    assert found == half


def test_nothing_is_left_on_the_encoder(tagger: Tagger) -> None:
    room.emea(tagger, ROWS[:2], TWO, steps=1)
    assert hooks_do_nothing(ENCODER)
    bare = scores(ENCODER, tagger.head, ROWS[:1])[0]
    assert decode(bare, tagger.head.labels, "bio") == tagger.tag(ROWS[:1], compositions=[None])[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a + c", "no route"),
        ("route(emea; a, b) + route(emea; a, b)", "2 route"),
        ("route(emea; by_language(de = a), b)", "not by language"),
        ("route(emea; a, nowhere)", "no module 'nowhere'"),
    ],
)
def test_compositions_that_do_not_fit_are_refused(tagger: Tagger, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        room.emea(tagger, ROWS, parse(text), steps=1)


def test_on_the_command_line(made: tuple[Place, Path], tmp_path: Path) -> None:
    place, folder = made
    good(*train(place, folder, tmp_path / "m"))
    given = ("evaluate", "tagging", "--base", place.base, "--data", folder / "test.conll",
             "--module", f"m={tmp_path}/m")  # fmt: skip
    done = good(*given, "--compose", f"route(emea; {folder}/de, {folder}/sw) + m", "--emea", 2)
    assert "equal weights" in done.out
    done = xadapt(*given, "--compose", "m", "--emea", 2)
    assert done.code == 2 and "one is needed" in done.err and len(done.lines) == 1


def test_steps_share_what_lies_below_the_experts(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate("abc"):
        upper = module_for(ENCODER, rank=2, layers=[2, 4])
        tagger.adapted.modules[name] = shaken(upper, number, 0.5)
    plain = room.shared_states
    monkeypatch.setattr(room, "shared_states", lambda *_: None)
    expected = entropy(tagger, 3, ROWS, monkeypatch)
    monkeypatch.setattr(room, "shared_states", plain)
    counts = Counts(monkeypatch)
    assert entropy(tagger, 3, ROWS, monkeypatch) == pytest.approx(expected, abs=1e-5)
    assert counts.taken() == {0: len(set(ROWS)), 2: 4 * len(ROWS)}
