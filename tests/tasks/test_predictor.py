from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_folders import random_module
from tiny_heads import published
from tiny_models import tiny_encoder, tiny_folder
from tiny_training import forward

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.tasks.classification import Classifier
from xadapt.tasks.predictor import chosen_head, first_scores, heads_of, load_each
from xadapt.tasks.qa import AnswerFinder
from xadapt.tasks.sts import PairScorer
from xadapt.tasks.tagging import Tagger


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, Path]:
    """A base and modules: a language's, and heads, some trained inside others."""
    folder = tmp_path_factory.mktemp("heads")
    encoder = Encoder.from_pretrained(str(tiny_folder(folder / "base")), dtype="float32")
    published(folder / "lang", encoder, seed=1)
    published(folder / "one", encoder, "classification", 2)
    published(folder / "two", encoder, "classification", 3, ("lang", "one"))
    published(folder / "tags", encoder, "tagging", 4)
    return encoder, folder


def places(folder: Path, *names: str) -> dict[str, str]:
    return {name: str(folder / name) for name in names}


def test_the_head_is_that_of_the_module_trained_inside_the_others(
    there: tuple[Encoder, Path],
) -> None:
    _, folder = there
    where, spec = chosen_head(places(folder, "lang", "one", "two"), "classification")
    assert where == str(folder / "two") and spec.labels == ["x", "y", "z"]
    for name in ("one", str(folder / "one")):
        found = chosen_head(places(folder, "one", "two"), "classification", name)[0]
        assert found == str(folder / "one")
    assert heads_of(places(folder, "lang", "one", "tags"), "tagging").keys() == {
        str(folder / "tags")
    }


def test_it_must_be_clear_whose_head_is_meant(there: tuple[Encoder, Path], tmp_path: Path) -> None:
    encoder, folder = there
    other = published(tmp_path / "other", encoder, "classification", 5)
    both = {**places(folder, "one"), "other": str(other)}
    with pytest.raises(UserError, match=r"2 of these modules.*classification") as caught:
        chosen_head(both, "classification")
    assert "head=" in str(caught.value.todo)
    with pytest.raises(UserError, match="none of these modules has a head for span_extraction"):
        AnswerFinder.load(str(folder / "base"), str(folder / "one"))
    with pytest.raises(UserError, match="none of these modules has a task head"):
        chosen_head(places(folder, "lang"), "tagging")
    with pytest.raises(UserError, match="'lang' is no module with a head"):
        chosen_head(places(folder, "lang", "one"), "classification", "lang")


def test_a_composition_may_hold_several_heads(there: tuple[Encoder, Path]) -> None:
    _, folder = there
    given = [f"{name}={folder / name}" for name in ("lang", "one", "two")]
    base, texts = str(folder / "base"), ["die katze", "ein hund läuft"]
    loaded = {
        name: Classifier.load(base, *given, compose="lang + one + two", head=name, dtype="float32")
        for name in (None, "one", "two")
    }
    found = {name: each.head.linear.weight for name, each in loaded.items()}
    assert torch.equal(found[None], found["two"]) and not torch.equal(found["one"], found["two"])
    assert loaded[None].classify(texts) == loaded["two"].classify(texts)


def test_first_scores_are_those_of_each_row_alone(there: tuple[Encoder, Path]) -> None:
    encoder, _ = there
    torch.manual_seed(0)
    head = Head("classification", ("a", "b"), encoder.width)
    ids = encoder.tokenize(["die katze sitzt auf der matte", "hund", "ein park"])
    found = first_scores(encoder, head, ids)
    for row, own in zip(ids, found, strict=True):
        tokens, mask = encoder.batch([row])
        with torch.no_grad():
            alone = head(forward(encoder, tokens, mask)[0, 0])
        torch.testing.assert_close(own, alone, atol=1e-5, rtol=1e-5)
    assert first_scores(encoder, head, []).shape == (0, 2)


def test_two_compositions_share_a_base(there: tuple[Encoder, Path]) -> None:
    encoder, folder = there
    paths = [f"{name}={folder / name}" for name in ("one", "lang")]
    found = load_each(Classifier, encoder, paths, compose="lang + one", baseline="one")
    assert list(found) == ["baseline", "module"]
    assert found["baseline"].adapted.encoder is found["module"].adapted.encoder is encoder
    with pytest.raises(UserError, match="none of these modules has a"):
        load_each(Classifier, encoder, paths, compose="one", baseline="lang")


HUGE = {
    "tagging": (Tagger, "tag"),
    "classification": (Classifier, "classify"),
    "pair_scoring": (PairScorer, "score"),
    "span_extraction": (AnswerFinder, "answer"),
}
LABELS = {"pair_scoring": ["score"], "span_extraction": ["start", "end"]}


@pytest.mark.parametrize("task", HUGE)
@pytest.mark.parametrize("part", ["head", "module"])
def test_scores_and_states_that_are_not_finite_are_an_error_that_names_the_module(
    task: str, part: str
) -> None:
    kind, method = HUGE[task]
    encoder = tiny_encoder()
    labels = {"pair_scoring": ["score"], "span_extraction": ["start", "end"]}.get(
        task, ["O", "B-x"]
    )
    head = Head(task, labels, encoder.width, scale=(0.0, 1.0) if task == "pair_scoring" else None)
    module = random_module(encoder, "lora", rank=2)
    given = {"tagging": ["a", "cat"], "classification": "a cat"}.get(task, ("a cat", "sat on"))
    predictor = kind(
        AdaptedEncoder(encoder, {"de": module, "sw": random_module(encoder, "lora")}), head
    )
    ask = getattr(predictor, method)
    assert len(ask([given] * 3, ["sw", "de", "sw"])) == 3
    with torch.no_grad():
        for value in (head if part == "head" else module).parameters():
            value.fill_(3e38) if part == "head" else value.mul_(1e30)
    tags = ["de"] * 3 if part == "head" else ["sw", "de", "sw"]
    what = "scores of row 1" if part == "head" else "states of row 2 are"
    with pytest.raises(UserError, match=f"^de: the {what}"):
        ask([given] * 3, tags)
