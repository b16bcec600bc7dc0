from __future__ import annotations

import json
import random
import shutil
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_folders import manifest_of, random_module, without_hashes
from tiny_models import MANY, tiny_encoder

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.hub.composition_file import write_composition
from xadapt.hub.folder import write_folder
from xadapt.hub.hashes import file_hash
from xadapt.hub.integrity import IntegrityNotice, allowing_modified, manifest_hash
from xadapt.hub.opening import open_control, open_folder, open_head, read_manifest
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.injection.attachment import model_shape


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return tiny_encoder()


@pytest.fixture(scope="module")
def made(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "sw"
    module = random_module(encoder, "lora", rank=2, alpha=4, sites=("q", "v"), layers=(0, 2))
    twin = random_module(encoder, "lora", rank=2, alpha=4, sites=("q", "v"), layers=(0, 2), seed=1)
    base = manifest_of(encoder, module).base.model_dump()
    manifest = manifest_of(encoder, module, base=base | {"fingerprint": encoder.identity.to_dict()})
    head = Head("tagging", ["O", "B-x", "I-x"], encoder.width)
    own = {"head": head, "controls": {"shuffled": twin}}
    write_folder(folder, module, encoder, manifest, verify={}, loaders="none", **own)
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "copy")


@pytest.fixture(autouse=True)
def no_notice() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", IntegrityNotice)
        yield


def everything(folder: Path, encoder: Encoder) -> None:
    """Read all that can be read of a module's folder."""
    open_folder(folder)
    spec = read_manifest(folder).head
    assert spec is not None
    open_head(folder, spec, encoder.width)
    open_control(folder, "shuffled", model_shape(encoder))


def test_every_file_and_tensor_has_its_hash(made: Path, encoder: Encoder) -> None:
    everything(made, encoder)
    hashes = read_manifest(made).integrity
    assert hashes is not None
    names = {p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file()}
    assert hashes.files.keys() == names - {"xadapt.json"}
    assert {"README.md", "controls/shuffled.safetensors"} < names
    assert all(hashes.files[name] == file_hash(made / name) for name in hashes.files)
    own = ("module.safetensors", "head.safetensors", "controls/shuffled.safetensors")
    assert {n: set(t) for n, t in hashes.tensors.items()} == {
        name: set(load_file(made / name)) for name in own
    }


def changes(raw: bytes) -> dict[str, bytes]:
    """Ways in which the bytes of a file may be damaged."""
    return {
        "first": bytes([raw[0] ^ 1]) + raw[1:],
        "last": raw[:-1] + bytes([raw[-1] ^ 128]),
        "cut": raw[:-1],
        "half": raw[: len(raw) // 2],
        "empty": b"",
        "longer": raw + b"\n",
        "zeros": bytes(len(raw)),
    }


def test_damage_to_any_file_is_one_line_and_a_card_s_is_a_notice(
    copy: Path, encoder: Encoder
) -> None:
    for path in sorted(p for p in copy.rglob("*") if p.is_file()):
        raw = path.read_bytes()
        for what, changed in changes(raw).items():
            path.write_bytes(changed)
            if path.name == "README.md":
                with pytest.warns(IntegrityNotice, match=r"README\.md was edited"):
                    everything(copy, encoder)
                continue
            if path.name == "xadapt.json" and what in ("cut", "longer"):  # a newline at the end
                everything(copy, encoder)
                continue
            with pytest.raises(UserError) as caught:
                everything(copy, encoder)
            assert "\n" not in str(caught.value) and len(str(caught.value)) < 600, what
        path.unlink()
        path.mkdir()
        if path.name == "README.md":
            with pytest.warns(IntegrityNotice, match=r"README\.md was edited"):
                everything(copy, encoder)
        else:
            with pytest.raises(UserError, match=r"no file|not what was published"):
                everything(copy, encoder)
        path.rmdir()
        path.write_bytes(raw)
    everything(copy, encoder)


def test_files_of_other_libraries_may_be_absent(copy: Path, encoder: Encoder) -> None:
    own = {"xadapt.json", "module.safetensors", "head.safetensors", "shuffled.safetensors"}
    for path in [p for p in copy.rglob("*") if p.is_file() and p.name not in own]:
        path.unlink()
    everything(copy, encoder)


def change_tensors(folder: Path, change: Any) -> None:
    file = folder / "module.safetensors"
    length = struct.unpack("<Q", file.read_bytes()[:8])[0]
    metadata = json.loads(file.read_bytes()[8 : 8 + length])["__metadata__"]
    tensors = {name: value.clone() for name, value in load_file(file).items()}
    save_file(change(tensors), file, metadata=metadata)


def swapped(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    a, b = "layers.0.q.0.A", "layers.1.q.0.A"
    return tensors | {a: tensors[b], b: tensors[a]}


def reinterpreted(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return tensors | {"layers.0.v.0.B": tensors["layers.0.v.0.B"].view(torch.int32)}


def negated(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return tensors | {"layers.0.v.0.B": -tensors["layers.0.v.0.B"]}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (swapped, "tensor 'layers.0.q.0.A' and 1 more"),
        (reinterpreted, "tensor 'layers.0.v.0.B'"),
        (negated, "tensor 'layers.0.v.0.B'"),
        (dict, "its header"),
    ],
)
def test_changed_tensors_are_named(copy: Path, change: Any, named: str) -> None:
    if change is dict:  # the same tensors, and their header written otherwise
        raw = (copy / "module.safetensors").read_bytes()
        length = struct.unpack("<Q", raw[:8])[0]
        header = raw[8 : 8 + length].rstrip() + b" " * 16
        header += b" " * (-len(header) % 8)
        (copy / "module.safetensors").write_bytes(
            struct.pack("<Q", len(header)) + header + raw[8 + length :]
        )
    else:
        change_tensors(copy, change)
    with pytest.raises(UserError, match=r"not what was published .*module") as caught:
        open_folder(copy)
    assert named in str(caught.value)


def test_a_dtype_is_no_other_even_where_there_are_no_hashes(copy: Path, encoder: Encoder) -> None:
    change_tensors(without_hashes(copy), reinterpreted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(UserError, match=r"'layers\.0\.v\.0\.B' is torch\.int32 in the file"):
            AdaptedEncoder(encoder, {}).add("sw", copy)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (("module", "options", "alpha"), 8.0),
        (("head", "labels", 1), "B-y"),
        (("pooling", "modes"), ["cls"]),
        (("prompt",), "query: "),
        (("max_length",), 7),
        (("composition",), "a + b"),
        (("languages", 0), "de"),
        (("evidence",), [{"task": "bitext", "data": "d", "metric": "m", "value": 1.0}]),
        (("integrity", "tensors"), {}),
    ],
)
def test_no_field_of_the_manifest_can_be_changed(copy: Path, key: tuple, value: object) -> None:
    file = copy / "xadapt.json"
    said = json.loads(file.read_text(encoding="utf-8"))
    place = said
    for step in key[:-1]:
        place = place[step]
    place[key[-1]] = value
    file.write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(UserError, match=r"the content of xadapt\.json"):
        open_folder(copy)


def test_the_alpha_of_module_and_manifest_changed_together_is_seen(copy: Path) -> None:
    for name in ("xadapt.json", "module.safetensors"):
        raw = (copy / name).read_bytes()
        changed = raw.replace(b'\\"alpha\\": 4.0', b'\\"alpha\\": 8.0').replace(
            b'"alpha": 4.0', b'"alpha": 8.0'
        )
        assert changed != raw
        (copy / name).write_bytes(changed)
    with pytest.raises(UserError, match=r"xadapt\.json, module\.safetensors \(its header\)"):
        open_folder(copy)
    with allowing_modified(), pytest.warns(IntegrityNotice, match="not what was published"):
        assert open_folder(copy)[0].module.options["alpha"] == 8.0


def test_how_the_manifest_is_written_does_not_matter(copy: Path, encoder: Encoder) -> None:
    file = copy / "xadapt.json"
    said = json.loads(file.read_text(encoding="utf-8"))
    turned = dict(reversed(list(said.items())))
    for text in (
        json.dumps(turned, indent=7),
        json.dumps(turned, ensure_ascii=True, separators=(",", ":")),
        json.dumps(said).replace("4.0", "4.00e0"),
    ):
        file.write_text("\n " + text + "\r\n", encoding="utf-8")
        everything(copy, encoder)
        assert manifest_hash(json.loads(text)) == said["integrity"]["manifest"]


@pytest.mark.parametrize("version", [1, 3, None])
def test_hashes_cannot_be_left_out_by_one_edit(copy: Path, version: int | None) -> None:
    file = copy / "xadapt.json"
    said = json.loads(file.read_text(encoding="utf-8"))
    said["schema_version"] = version
    file.write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(UserError, match="no manifest"):
        open_folder(copy)
    del said["integrity"]
    file.write_text(json.dumps(said | {"schema_version": 2}), encoding="utf-8")
    with pytest.raises(UserError, match="no manifest"):
        open_folder(copy)


def test_a_second_key_is_refused_with_its_line(copy: Path) -> None:
    file = copy / "xadapt.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('  "prompt": ""', '  "prompt": "",\n  "prompt": ""'), "utf-8")
    line = next(i for i, row in enumerate(text.splitlines(), 1) if '  "prompt": ' in row) + 1
    with pytest.raises(UserError, match=rf"xadapt\.json:{line}: the key 'prompt' stands twice"):
        open_folder(copy)


def test_a_file_that_was_put_in_is_not_read(copy: Path, encoder: Encoder) -> None:
    (copy / "pytorch_model.bin").write_bytes(b"anything")
    everything(copy, encoder)
    shutil.copyfile(copy / "controls/shuffled.safetensors", copy / "controls/other.safetensors")
    assert open_control(copy, "absent", model_shape(encoder)) is None
    with pytest.raises(UserError, match=r"controls/other\.safetensors \(not among its files\)"):
        open_control(copy, "other", model_shape(encoder))


def test_a_link_of_a_control_or_its_folder_is_not_followed(
    copy: Path, tmp_path: Path, encoder: Encoder
) -> None:
    (copy / "controls").rename(tmp_path / "elsewhere")
    (copy / "controls").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="link that leaves the folder"):
        open_control(copy, "shuffled", model_shape(encoder))
    with pytest.raises(UserError, match=r"not what was published .*controls/shuffled"):
        open_folder(copy)


def test_a_folder_without_hashes_loads_with_one_notice(copy: Path, encoder: Encoder) -> None:
    before = AdaptedEncoder(encoder, {})
    before.add("sw", copy)
    without_hashes(copy)
    adapted = AdaptedEncoder(encoder, {})
    with pytest.warns(IntegrityNotice, match="before xadapt kept hashes") as caught:
        adapted.add("sw", copy)
    assert len([w for w in caught if w.category is IntegrityNotice]) == 1
    texts, tags = MANY[:3], ["sw"] * 3
    assert (adapted.encode(texts, tags) == before.encode(texts, tags)).all()


def test_a_changed_folder_is_allowed_by_those_who_say_so(copy: Path, encoder: Encoder) -> None:
    change_tensors(copy, negated)
    adapted = AdaptedEncoder(encoder, {})
    with pytest.raises(UserError, match="allow_modified=True"):
        adapted.add("sw", copy)
    with pytest.warns(IntegrityNotice, match=r"tensor 'layers\.0\.v\.0\.B'"):
        adapted.add("sw", copy, allow_modified=True)
    with pytest.warns(IntegrityNotice):
        loaded = AdaptedEncoder.load(encoder, str(copy), allow_modified=True)
    assert (loaded.encode(["a"], ["sw"]) == adapted.encode(["a"], ["sw"])).all()
    with pytest.raises(UserError):
        AdaptedEncoder.load(encoder, str(copy))


def test_nothing_that_is_not_finite_is_written(encoder: Encoder, tmp_path: Path) -> None:
    module = random_module(encoder, "lora", rank=2)
    next(iter(module.parameters())).data[0, 0] = float("inf")
    with pytest.raises(UserError, match=r"'layers\.0\.q\.0\.A' holds values that are not finite"):
        write_folder(tmp_path / "m", module, encoder, manifest_of(encoder, module), verify={})
    assert list(tmp_path.iterdir()) == []


FLIPS = 200


def test_a_flipped_byte_is_noticed_or_changes_no_vector(
    made: Path, encoder: Encoder, tmp_path: Path
) -> None:
    """The short form of ``examples/benchmarks/byte_flips.py``."""
    write_composition(tmp_path / "c", "x", {"x": made})
    rng = random.Random(14)
    outcomes = {"refused": 0, "notice": 0, "same": 0}
    for folder in (shutil.copytree(made, tmp_path / "m"), tmp_path / "c"):
        whole = vectors(folder, encoder)
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        for number in range(FLIPS // 2):
            path = files[number % len(files)]
            raw = path.read_bytes()
            at = rng.randrange(len(raw))
            path.write_bytes(raw[:at] + bytes([raw[at] ^ rng.randint(1, 255)]) + raw[at + 1 :])
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error", IntegrityNotice)
                    same = torch.equal(vectors(folder, encoder), whole)
                assert same, f"byte {at} of {path} was not noticed"
                outcomes["same"] += 1
            except IntegrityNotice:
                assert path.name == "README.md"
                outcomes["notice"] += 1
            except UserError as error:
                assert "\n" not in str(error)
                outcomes["refused"] += 1
            path.write_bytes(raw)
        assert torch.equal(vectors(folder, encoder), whole)
    assert outcomes["same"] < 0.02 * FLIPS and outcomes["notice"] > 10, outcomes


def vectors(folder: Path, encoder: Encoder) -> torch.Tensor:
    """What a folder makes of two texts, loaded anew."""
    one = AdaptedEncoder.load(encoder, str(folder), compose=f'"{folder}"')
    return torch.from_numpy(one.encode(MANY[:2]))
