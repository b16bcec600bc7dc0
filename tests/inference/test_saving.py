"""Encoders saved and loaded again: the same vectors, the base known, nothing of others lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_commands import Place
from tiny_folders import random_module
from tiny_models import MANY, TEXTS, tiny_encoder

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.hub.opening import read_manifest
from xadapt.inference.adapted_encoder import AdaptedEncoder


@pytest.fixture(scope="module")
def encoder(place: Place) -> Encoder:
    return Encoder.from_pretrained(str(place.base), dtype="float32", device="cpu")


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_one_published_module_stays_what_was_published(
    place: Place, encoder: Encoder, de: Path, tmp_path: Path
) -> None:
    model = AdaptedEncoder.from_pretrained(encoder, de)
    out = model.save_pretrained(tmp_path / "out")
    before, after = files(de), files(out)
    assert after.pop("encoder.json") and after == {n: before[n] for n in after}
    assert set(before) - set(after) == {n for n in before if n.startswith("run/")}
    again = AdaptedEncoder.from_pretrained(encoder, out)
    np.testing.assert_array_equal(again.encode(MANY, "de"), model.encode(MANY, "de"))
    assert str(tmp_path) not in "".join(raw.decode("utf-8", "ignore") for raw in after.values())


def test_several_modules_and_a_composition_come_back(
    encoder: Encoder, de: Path, tmp_path: Path
) -> None:
    model = AdaptedEncoder.from_pretrained(encoder, de)
    model.add("sw", random_module(encoder, "bottleneck", width=4))
    model.add("my.own", random_module(encoder, "lora", rank=3))
    tags = [("de", "sw", "fr", None)[i % 4] for i in range(len(MANY))]
    model.save_pretrained(tmp_path / "languages")
    again = AdaptedEncoder.from_pretrained(encoder, tmp_path / "languages")
    np.testing.assert_array_equal(again.encode(MANY, tags), model.encode(MANY, tags))
    mixed = model.with_(f"mix({de}:.25, my.own:-.5)")
    mixed.save_pretrained(tmp_path / "mixed")
    back = AdaptedEncoder.from_pretrained(encoder, tmp_path / "mixed")
    assert sorted(p.name for p in (tmp_path / "mixed" / "modules").iterdir()) == ["de", "my-own"]
    np.testing.assert_array_equal(back.encode(MANY), mixed.encode(MANY))
    kept = read_manifest(tmp_path / "mixed" / "modules" / "de")
    assert kept.evidence == read_manifest(de).evidence != []
    assert read_manifest(tmp_path / "mixed" / "modules" / "my-own").evidence == []


def test_without_modules_it_is_the_bare_base(encoder: Encoder, tmp_path: Path) -> None:
    AdaptedEncoder(encoder, {}).save_pretrained(tmp_path / "bare")
    again = AdaptedEncoder.from_pretrained(encoder, tmp_path / "bare")
    np.testing.assert_array_equal(again.encode(MANY), AdaptedEncoder(encoder, {}).encode(MANY))


def test_changed_values_are_saved_and_lose_their_evidence(
    encoder: Encoder, de: Path, tmp_path: Path
) -> None:
    model = AdaptedEncoder.from_pretrained(encoder, de)
    with torch.no_grad():
        for value in model.modules[str(de)].parameters():
            value.add_(0.05)
    model.save_pretrained(tmp_path / "out")
    manifest, before = read_manifest(tmp_path / "out"), read_manifest(de)
    assert not manifest.evidence and manifest.parents == [before.name] and before.evidence
    again = AdaptedEncoder.from_pretrained(encoder, tmp_path / "out")
    np.testing.assert_array_equal(again.encode(MANY, "de"), model.encode(MANY, "de"))
    plain = AdaptedEncoder.from_pretrained(encoder, de).encode(MANY, "de")
    assert np.abs(again.encode(MANY, "de") - plain).max() > 1e-3


def test_a_module_whose_folder_is_gone_keeps_its_evidence(
    encoder: Encoder, de: Path, tmp_path: Path
) -> None:
    shutil.copytree(de, tmp_path / "de")
    model = AdaptedEncoder.from_pretrained(encoder, tmp_path / "de")
    shutil.rmtree(tmp_path / "de")
    model.save_pretrained(tmp_path / "out")
    assert read_manifest(tmp_path / "out").evidence == read_manifest(de).evidence
    again = AdaptedEncoder.from_pretrained(encoder, tmp_path / "out")
    np.testing.assert_array_equal(again.encode(MANY, "de"), model.encode(MANY, "de"))


def test_a_local_base_is_named_only_where_that_is_asked_for(
    place: Place, encoder: Encoder, de: Path, tmp_path: Path
) -> None:
    model = AdaptedEncoder.from_pretrained(encoder, de)
    model.save_pretrained(tmp_path / "a")
    assert json.loads((tmp_path / "a" / "encoder.json").read_text())["base"] is None
    with pytest.raises(UserError, match="its base has no id on the Hub"):
        AdaptedEncoder.from_pretrained(tmp_path / "a")
    model.save_pretrained(tmp_path / "b", base=str(place.base))
    again = AdaptedEncoder.from_pretrained(tmp_path / "b", dtype="float32")
    np.testing.assert_array_equal(again.encode(MANY, "de"), model.encode(MANY, "de"))


def test_foreign_folders_stay_as_they_are(encoder: Encoder, de: Path, tmp_path: Path) -> None:
    model = AdaptedEncoder.from_pretrained(encoder, de)
    out = tmp_path / "out"
    model.save_pretrained(out)
    first = files(out)
    model.with_("none").save_pretrained(out)
    assert "xadapt.json" not in files(out)
    model.save_pretrained(out)
    assert files(out) == first
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"notes\.txt was added"):
        model.save_pretrained(out)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.txt").write_text("mine", encoding="utf-8")
    link = tmp_path / "link"
    link.symlink_to(mine)
    for wrong, said in ((mine, "no saved encoder"), (mine / "a.txt", "no saved"), (link, "a link"),
                        (de, "no saved encoder")):  # fmt: skip
        with pytest.raises(UserError, match=said):
            model.save_pretrained(wrong)
    assert files(mine) == {"a.txt": b"mine"}
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_an_encoder_may_be_saved_over_the_folder_it_came_from(
    encoder: Encoder, de: Path, tmp_path: Path
) -> None:
    AdaptedEncoder.from_pretrained(encoder, de).save_pretrained(tmp_path / "out")
    model = AdaptedEncoder.from_pretrained(encoder, tmp_path / "out")
    wanted = model.encode(MANY, "de")
    model.save_pretrained(tmp_path / "out")
    again = AdaptedEncoder.from_pretrained(encoder, tmp_path / "out")
    np.testing.assert_array_equal(again.encode(MANY, "de"), wanted)


def test_a_base_in_memory_can_be_saved_too(tmp_path: Path) -> None:
    encoder = tiny_encoder()
    model = AdaptedEncoder(encoder, {"sw": random_module(encoder, "lora", rank=2)})
    model.save_pretrained(tmp_path / "out")
    manifest = read_manifest(tmp_path / "out")
    assert manifest.languages == ["sw"] and manifest.base.id is None and not manifest.evidence
    again = AdaptedEncoder.from_pretrained(encoder, tmp_path / "out")
    np.testing.assert_array_equal(again.encode(TEXTS, "sw"), model.encode(TEXTS, "sw"))
