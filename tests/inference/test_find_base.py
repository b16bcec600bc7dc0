"""The base is found where it is not named: by a saved encoder, a manifest, or a fingerprint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from local_hub import LocalHub
from local_hub import _new_sessions as new_sessions
from tiny_commands import Place
from tiny_folders import random_module, tensor_file
from tiny_models import MANY

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.find_base import base_and_modules, find_base


@pytest.fixture(scope="module")
def on_mini(tmp_path_factory: pytest.TempPathFactory) -> tuple[AdaptedEncoder, Path]:
    model = AdaptedEncoder.from_pretrained("mini", dtype="float32")
    model.add("sw", random_module(model.encoder, "lora", rank=2))
    return model, model.save_pretrained(tmp_path_factory.mktemp("mini") / "sw")


def test_a_saved_encoder_knows_its_base(on_mini: tuple[AdaptedEncoder, Path]) -> None:
    model, folder = on_mini
    assert find_base(str(folder)) == "mini"
    again = AdaptedEncoder.from_pretrained(folder, dtype="float32")
    np.testing.assert_array_equal(again.encode(MANY, "sw"), model.encode(MANY, "sw"))


def test_a_base_that_ships_is_known_by_its_fingerprint(
    on_mini: tuple[AdaptedEncoder, Path], tmp_path: Path, de: Path
) -> None:
    (tmp_path / "sw").mkdir()
    for name in ("xadapt.json", tensor_file(on_mini[1]).name):
        (tmp_path / "sw" / name).write_bytes((on_mini[1] / name).read_bytes())
    assert find_base(str(tmp_path / "sw")) == find_base(f"a={tmp_path / 'sw'}") == "mini"
    with pytest.raises(UserError, match="its base has no id on the Hub"):
        find_base(str(de))


def test_base_and_modules_are_told_apart(place: Place, de: Path, on_mini: tuple) -> None:
    saved = str(on_mini[1])
    assert base_and_modules(str(place.base), [str(de)]) == (str(place.base), [str(de)])
    assert base_and_modules("mini", [saved]) == ("mini", [saved])
    assert base_and_modules(saved, [str(de)]) == ("mini", [saved, str(de)])
    assert base_and_modules(None, [saved]) == ("mini", [saved])
    encoder = on_mini[0].encoder
    assert base_and_modules(encoder, [saved]) == (encoder, [saved])
    with pytest.raises(UserError, match="no base and no module"):
        base_and_modules(None, [])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("mini", None), "nothing is given where a folder or a name is meant"),
        ((3,), "int is given where a folder"),
        (("mini", 3), "int is given where a folder"),
        (("mini", "org/x@../../etc"), "no such module folder"),
        (("EMPTY",), r"config\.json can't be read \(there is none\)"),
        (("mini", "EMPTY"), r"no file xadapt\.json"),
        (("SAVED", "mini"), "mini: there is no such module folder"),
    ],
)
def test_what_is_neither_base_nor_module_is_one_line(
    on_mini: tuple, tmp_path: Path, given: tuple, said: str
) -> None:
    named = {"EMPTY": str(tmp_path), "SAVED": str(on_mini[1])}
    with pytest.raises(UserError, match=said):
        AdaptedEncoder.from_pretrained(*(named.get(one, one) for one in given))


def test_from_a_hub_by_id_alone(
    local_hub: LocalHub, on_mini: tuple[AdaptedEncoder, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, folder = on_mini
    commit = local_hub.put_folder("org/sw", folder)
    wanted = model.encode(MANY, "sw")
    for given in (
        ("org/sw",),
        ("mini", f"org/sw@{commit}"),
        ("mini", "x=org/sw"),
        (None, "hf:org/sw"),
    ):
        found = AdaptedEncoder.from_pretrained(*given, dtype="float32")
        np.testing.assert_array_equal(found.encode(MANY, "sw"), wanted)
    task = AdaptedEncoder.from_pretrained("mini", compose="mix(org/sw:.5)", dtype="float32")
    assert list(task.modules) == ["org/sw"]
    again = AdaptedEncoder.from_pretrained("mini", dtype="float32")
    again.add("swahili", "org/sw")
    np.testing.assert_array_equal(again.encode(MANY, "sw"), wanted)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    new_sessions()
    found = AdaptedEncoder.from_pretrained("org/sw", dtype="float32")
    np.testing.assert_array_equal(found.encode(MANY, "sw"), wanted)


def test_an_encoder_of_the_hub_names_no_folder_here(
    local_hub: LocalHub, on_mini: tuple[AdaptedEncoder, Path], place: Place
) -> None:
    local_hub.put_folder("org/sw", on_mini[1])
    said = json.loads(local_hub.files("org/sw")["encoder.json"])
    raw = json.dumps({**said, "base": str(place.base)}).encode()
    local_hub.put("org/sw", {**local_hub.files("org/sw"), "encoder.json": raw})
    with pytest.raises(UserError, match="names a folder as its base"):
        AdaptedEncoder.from_pretrained("org/sw")


def test_pushed_and_loaded_again(local_hub: LocalHub, on_mini: tuple[AdaptedEncoder, Path]) -> None:
    model = on_mini[0]
    url = model.push_to_hub("someone/sw", private=True, commit_message="First")
    repository = local_hub.repositories["someone/sw"]
    assert repository.private and repository.commits[-1].message == "First"
    assert url.endswith(repository.commits[-1].oid) and len(repository.commits) == 2
    again = AdaptedEncoder.from_pretrained("someone/sw", dtype="float32")
    np.testing.assert_array_equal(again.encode(MANY, "sw"), model.encode(MANY, "sw"))


def test_without_a_token_nothing_is_pushed(
    local_hub: LocalHub, on_mini: tuple[AdaptedEncoder, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nowhere/token")
    with pytest.raises(UserError, match="no token"):
        on_mini[0].push_to_hub("someone/sw")
    assert "someone/sw" not in local_hub.repositories
