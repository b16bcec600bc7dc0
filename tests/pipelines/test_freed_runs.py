"""What a run held is freed when it returns: no tensor waits for a collection of cycles.

A cycle through the base is not noticed in one run. In a program of many runs, bases pile up until
Python happens to collect them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_commands import Place, good
from tiny_models import tiny_folder
from tiny_training import labelled, pairs, plain

import xadapt
from xadapt.integrations import verify


def tensors() -> dict[int, torch.Tensor]:
    return {id(one): one for one in gc.get_objects() if issubclass(type(one), torch.Tensor)}


@contextmanager
def all_freed() -> Iterator[None]:
    """Check that the tensors of the block are freed without the collector."""
    gc.collect()
    before = tensors()
    gc.disable()
    try:
        yield
        kept = [tuple(one.shape) for key, one in tensors().items() if key not in before]
        assert not kept, f"{len(kept)} tensors stay, such as {kept[:5]}"
    finally:
        gc.enable()


def test_the_check_sees_a_cycle() -> None:
    class Node:
        def __init__(self, values: torch.Tensor) -> None:
            self.values, self.own = values, self

    with pytest.raises(AssertionError, match=r"1 tensors stay, such as \[\(3, 2\)\]"), all_freed():
        Node(torch.zeros(3, 2))
    with all_freed():
        Node(torch.zeros(3, 2)).own = None


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_folder(tmp_path_factory.mktemp("base") / "base", mlm=True))


@pytest.mark.parametrize(
    ("recipe", "rows", "more"),
    [
        ("translation_ranking", pairs(60), {}),
        ("translation_ranking", pairs(60), {"controls": True}),
        ("mlm", plain(40), {}),
        ("classification", labelled(60), {}),
    ],
)
def test_a_training_leaves_no_tensor(
    base: str, tmp_path: Path, recipe: str, rows: Any, more: Any
) -> None:
    given = {"base": base, "data": rows, "lang": "de", "epochs": 2, "rank": 2, **more}
    with all_freed():
        xadapt.train(recipe, out=tmp_path / "m", loaders="none", **given)


def test_libraries_that_check_a_folder_leave_no_tensor(
    place: Place, de: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first folder, ``de``, has imported them, and they keep a few constants."""
    monkeypatch.setattr(verify, "LARGE", 0)
    with all_freed():
        good(*place.train(tmp_path / "m"))


def test_a_measurement_and_vectors_leave_no_tensor(place: Place, de: Path) -> None:
    base = str(place.base)
    with all_freed():
        xadapt.evaluate("bitext", base=base, data=place.test, module=de, dtype="float32")
    with all_freed():
        xadapt.load(base, de, dtype="float32").encode(["die katze", "the cat"], ["de", None])
