from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from tiny_commands import Place, good
from tiny_folders import manifest_of, random_module, tensor_file, without_hashes
from tiny_models import tiny_encoder

from xadapt.composition.text import parse
from xadapt.composition.values import Mix, Stack
from xadapt.core.errors import UserError
from xadapt.heads.build import build_head
from xadapt.hub.composition_file import open_composition, write_composition
from xadapt.hub.folder import write_folder
from xadapt.hub.integrity import IntegrityNotice, allowing_modified, seal
from xadapt.hub.manifest import save_manifest
from xadapt.hub.opening import open_folder, open_head, read_manifest


@pytest.fixture(scope="module")
def module(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("modules") / "de"
    good(*place.train(folder))
    return folder


def test_written_and_opened_again(module: Path, tmp_path: Path) -> None:
    twin = tmp_path / "x" / "de"
    twin.parent.mkdir()
    twin.symlink_to(module)
    odd = tmp_path / "a b.c"
    odd.mkdir()
    for name in ("xadapt.json", tensor_file(module).name):
        (odd / name).write_bytes((module / name).read_bytes())
    value = Stack("/p", Mix({"q": 0.5, "r": 0.25, None: 1.0}))
    folders = {"/p": module, "q": twin, "r": odd}
    written = write_composition(tmp_path / "out", value, folders)
    assert written == parse("de + mix(de:.5, a-b-c:.25, none:1)")
    found = open_composition(tmp_path / "out")
    assert found is not None and found[0] == written
    for name, source in (("de", module), ("a-b-c", odd)):
        assert found[1][name] == tmp_path / "out" / "modules" / name
        for file in ("xadapt.json", tensor_file(source).name):
            assert (found[1][name] / file).read_bytes() == (source / file).read_bytes()
    card = (tmp_path / "out" / "README.md").read_text()
    assert "de + mix(de:0.5" in card and str(tmp_path) not in card
    assert open_composition(module) is None
    with pytest.raises(UserError, match="not empty"):
        write_composition(tmp_path / "out", value, folders)


def test_a_head_goes_with_its_module(tmp_path: Path) -> None:
    encoder = tiny_encoder()
    module = random_module(encoder, "lora", rank=2)
    head = build_head("classification", ["a", "b"], encoder.width)
    manifest = manifest_of(encoder, module)
    write_folder(tmp_path / "m", module, encoder, manifest, verify={}, head=head)
    write_composition(tmp_path / "out", "m", {"m": tmp_path / "m"})
    inner = tmp_path / "out" / "modules" / "m"
    spec = read_manifest(inner).head
    assert spec is not None
    found = open_head(inner, spec, encoder.width).state_dict()
    assert all(torch.equal(found[name], value) for name, value in head.state_dict().items())


def test_two_folders_of_one_name_are_told_apart(module: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "de"
    other.mkdir(parents=True)
    for name in ("xadapt.json", tensor_file(module).name):
        (other / name).write_bytes((module / name).read_bytes())
    folders = {"a": module, "b": other}
    assert write_composition(tmp_path / "o", Stack("a", "b"), folders) == Stack("de", "de-2")


def test_what_cannot_be_read_leaves_nothing(module: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such module folder"):
        write_composition(tmp_path / "o", Stack("a", "b"), {"a": module, "b": tmp_path / "none"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no composition"),
        ("[]", "no composition"),
        ('{"schema_version": 3, "composition": "a"}', "no composition"),
        ('{"schema_version": 1, "composition": 3}', "no composition"),
        (json.dumps({"schema_version": 1, "composition": "../x"}), "no name of a module"),
        (json.dumps({"schema_version": 1, "composition": '".." + a'}), "no name of a module"),
        (json.dumps({"schema_version": 1, "composition": "a +"}), "name is missing"),
        ("[" * 100_000, "no composition"),
        ('{"schema_version": 1, "composition": "a", "composition": "b"}', r":1: .*stands twice"),
        ('{"schema_version": 1, "composition": "a", "weight": NaN}', "no composition"),
        ('{"schema_version": 1, "composition": "a", "more": 1}', "no composition"),
        ('{"schema_version": 2, "composition": "a"}', "no composition"),
        (" " * (2 << 20), "no composition"),
    ],
)
def test_a_malformed_file_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "composition.json").write_text(text)
    with pytest.raises(UserError, match=said):
        open_composition(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"schema_version": 1, "composition": "a"}')
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "composition.json").symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match="no composition"):
        open_composition(tmp_path / "c")


@pytest.fixture
def saved(module: Path, tmp_path: Path) -> Path:
    write_composition(tmp_path / "c", parse("mix(x:.5)"), {"x": module})
    return tmp_path / "c"


def edit(file: Path, **changes: object) -> None:
    said = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**said, **changes}, indent=5), encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"composition": "mix(de:.6)"},
        {"composition": "de"},
        {"modules": {"de": "0" * 64}},
        {"modules": {}},
        {"files": {}},
        {"sha256": "0" * 64},
    ],
)
def test_no_field_of_a_composition_can_be_changed(saved: Path, changes: dict) -> None:
    edit(saved / "composition.json")  # written otherwise it says the same
    assert open_composition(saved) is not None
    edit(saved / "composition.json", **changes)
    with pytest.raises(UserError, match=r"not what was published .*composition\.json"):
        open_composition(saved)
    with allowing_modified(), pytest.warns(IntegrityNotice, match="not what was published"):
        assert open_composition(saved) is not None


def test_a_module_put_in_the_place_of_another_is_seen(
    saved: Path, module: Path, tmp_path: Path
) -> None:
    """The other module is whole: only the composition knows which one was meant."""
    inner = saved / "modules" / "de"
    other = json.loads((module / "xadapt.json").read_text(encoding="utf-8"))
    manifest = read_manifest(inner).model_copy(update={"licence": "MIT"})
    assert manifest.integrity is not None and other["licence"] is None
    save_manifest(inner, seal(inner, manifest, [manifest.module.file]))
    open_folder(inner)
    with pytest.raises(UserError, match=r"not what was published .*modules/de/xadapt\.json"):
        open_composition(saved)


def test_a_card_that_was_edited_is_a_notice(saved: Path) -> None:
    (saved / "README.md").write_text("# mine\n")
    with pytest.warns(IntegrityNotice, match=r"README\.md was edited"):
        assert open_composition(saved) is not None


def test_compositions_and_modules_without_hashes_still_load_and_get_hashes_when_copied(
    saved: Path, module: Path, tmp_path: Path
) -> None:
    text = json.loads((saved / "composition.json").read_text(encoding="utf-8"))["composition"]
    (saved / "composition.json").write_text(
        json.dumps({"schema_version": 1, "composition": text}), encoding="utf-8"
    )
    found = open_composition(saved)
    assert found is not None and found[0] == parse(text)
    old = without_hashes(shutil.copytree(module, tmp_path / "old"))
    with pytest.warns(IntegrityNotice, match="before xadapt kept hashes"):
        write_composition(tmp_path / "new", "x", {"x": old})
    copied = tmp_path / "new" / "modules" / "old"
    with warnings.catch_warnings():
        warnings.simplefilter("error", IntegrityNotice)
        open_folder(copied)
    raw = bytearray(tensor_file(copied).read_bytes())
    raw[-1] ^= 1
    tensor_file(copied).write_bytes(raw)
    with pytest.raises(UserError, match="not what was published"):
        open_folder(copied)


@pytest.mark.parametrize("link", ["modules", "modules/de"])
def test_a_link_among_the_modules_is_not_followed(saved: Path, tmp_path: Path, link: str) -> None:
    (saved / link).rename(tmp_path / "elsewhere")
    (saved / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="link that leaves the folder"):
        open_composition(saved)
