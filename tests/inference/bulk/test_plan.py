from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_folders import random_module
from tiny_shards import adapted, made_of, source

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.bulk.plan import Layout, module_hash, refuse_other
from xadapt.inference.fallback_language import FallbackLanguages
from xadapt.inference.measured_fallback import MeasuredFallback


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> AdaptedEncoder:
    return adapted(tmp_path_factory.mktemp("base"))


def test_equal_modules_have_one_hash_and_others_another(one: AdaptedEncoder) -> None:
    def lora(**options: int) -> torch.nn.Module:
        return random_module(one.encoder, "lora", **{"rank": 2, **options})

    first = lora()
    assert module_hash(first) == module_hash(lora()) == module_hash(one.modules["de"])
    others = [lora(seed=1), lora(rank=3), random_module(one.encoder, "bottleneck"), lora(alpha=3)]
    assert len({module_hash(module) for module in (first, *others)}) == 5
    with torch.no_grad():
        next(first.parameters()).view(-1)[0] += 1e-6
    assert module_hash(first) != module_hash(lora())


def test_it_names_no_local_folder(one: AdaptedEncoder, tmp_path: Path) -> None:
    where = str(tmp_path / "runs" / "de")
    placed = AdaptedEncoder(one.encoder, {where: one.modules["de"]}, where)
    made = made_of(placed, source(tmp_path))
    assert made.composition == "de" and list(made.modules) == ["de"]
    assert str(tmp_path) not in json.dumps(made.model_dump())


def test_only_modules_that_act_count(one: AdaptedEncoder, tmp_path: Path) -> None:
    spare = random_module(one.encoder, "lora", seed=3, rank=2)
    more = AdaptedEncoder(one.encoder, {**one.modules, "spare": spare}, one.composition)
    assert made_of(more, source(tmp_path)) == made_of(one, source(tmp_path))


def test_what_stands_in_counts(one: AdaptedEncoder, tmp_path: Path) -> None:
    made = made_of(one, source(tmp_path))
    known = FallbackLanguages(("de",), ("en",))
    chosen = MeasuredFallback(("de",), ("en",), tag="nl", chosen="de")
    others = [
        made_of(AdaptedEncoder(one.encoder, one.modules, one.composition, own), source(tmp_path))
        for own in (known, chosen, replace(chosen, chosen=None))
    ]
    refuse_other(made, made_of(one, source(tmp_path)), tmp_path)
    for before, now in zip([made, *others], others, strict=False):
        with pytest.raises(UserError, match="relatives: "):
            refuse_other(before, now, tmp_path)


def test_a_new_name_of_the_text_is_no_difference(one: AdaptedEncoder, tmp_path: Path) -> None:
    made = made_of(one, source(tmp_path))
    refuse_other(made, made.model_copy(update={"text": "moved.txt", "base": "org/name"}), tmp_path)
    broken = made.model_copy(update={"fingerprint": {"weights_exact": 3}})
    with pytest.raises(UserError, match="no fingerprint"):
        refuse_other(broken, made, tmp_path)


def test_layouts_that_are_none() -> None:
    with pytest.raises(UserError, match="a shard of 0 rows"):
        Layout(rows=0)
    with pytest.raises(UserError, match="unknown shard format 'zarr'"):
        Layout(file_format="zarr")  # type: ignore[arg-type]
