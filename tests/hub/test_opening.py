import random
import shutil
import struct

import pytest
import torch
from safetensors.torch import save_file
from tiny_folders import manifest_of, random_module, without_hashes
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.hub.folder import write_folder
from xadapt.hub.integrity import IntegrityNotice, allowing_modified
from xadapt.hub.opening import open_folder, read_manifest


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good") / "out"
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora", rank=2, alpha=4, layers=(0, 1))
    write_folder(folder, module, encoder, manifest_of(encoder, module), verify={}, loaders="none")
    return folder, module


@pytest.fixture
def copy(good, tmp_path):
    return shutil.copytree(good[0], tmp_path / "copy")


def test_what_was_written_comes_back(good):
    folder, module = good
    manifest, tensors = open_folder(folder)
    assert manifest.name == "tiny-sw"
    assert tensors.keys() == module.state_dict().keys()
    assert all(torch.equal(tensors[k], v) for k, v in module.state_dict().items())


def test_pickled_files_are_never_read(tmp_path):
    encoder, copy = tiny_encoder("bert"), tmp_path / "copy"
    module = random_module(encoder, "lora")
    write_folder(copy, module, encoder, manifest_of(encoder, module), verify={}, loaders="all")
    (copy / "pytorch_adapter.bin").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(UserError, match=r"not what was published .*pytorch_adapter\.bin"):
        open_folder(copy)
    with allowing_modified(), pytest.warns(IntegrityNotice, match="pytorch_adapter"):
        open_folder(copy)
    with pytest.warns(IntegrityNotice, match="before xadapt kept hashes"):
        open_folder(without_hashes(copy))


@pytest.mark.parametrize("file", ["module.safetensors", "xadapt.json"])
def test_a_truncated_file_is_refused_at_every_length(copy, file):
    raw = (copy / file).read_bytes()
    for length in {0, 1, 7, 8, 9, 20, len(raw) // 2, len(raw) - 2}:
        (copy / file).write_bytes(raw[:length])
        with pytest.raises(UserError):
            open_folder(copy)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**40, 17 * 2**20, 0])
def test_a_header_of_a_false_length_is_refused(copy, length):
    file = copy / "module.safetensors"
    file.write_bytes(struct.pack("<Q", length) + file.read_bytes()[8:])
    with pytest.raises(UserError):
        open_folder(copy)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"null",
        b"{",
        b"[" * 5000,
        b'{"__metadata__": 3}',
        b'{"__metadata__": {"kind": "lora"}}',
        b'{"__metadata__": {"kind": "lora", "options": "[]"}}',
        b'{"__metadata__": {"kind": "lora", "options": "{"}}',
        b'{"a": {"dtype": "F32", "shape": [99999999999], "data_offsets": [0, 4]}, '
        b'"__metadata__": {"kind": "lora", "options": "{}"}}',
    ],
)
def test_a_malformed_header_is_refused(copy, header):
    raw = struct.pack("<Q", len(header)) + header + b"\0" * 4
    (copy / "module.safetensors").write_bytes(raw)
    with pytest.raises(UserError):
        open_folder(copy)


def test_flipped_bytes_raise_nothing_else(copy):
    rng = random.Random(1)
    for file in ("module.safetensors", "xadapt.json"):
        raw = (copy / file).read_bytes()
        for _ in range(150):
            broken = bytearray(raw)
            for _ in range(rng.randint(1, 4)):
                broken[rng.randrange(min(len(raw), 1500))] = rng.randrange(256)
            (copy / file).write_bytes(broken)
            try:
                open_folder(copy)
            except UserError as error:
                assert "\n" not in str(error)
        (copy / file).write_bytes(raw)


def test_a_manifest_of_another_module_is_refused(copy):
    options = read_manifest(copy).module.options | {"rank": 99}
    without_hashes(copy, module={"kind": "lora", "options": options})
    with pytest.raises(UserError, match="different modules"):
        open_folder(copy)


def test_absent_files_and_folders_are_refused(copy, tmp_path):
    with pytest.raises(UserError, match="no such"):
        open_folder(tmp_path / "nowhere")
    with pytest.raises(UserError):
        open_folder(copy / "xadapt.json")
    (copy / "module.safetensors").unlink()
    with pytest.raises(UserError, match="no file"):
        open_folder(copy)
    (copy / "module.safetensors").mkdir()
    with pytest.raises(UserError, match="no file"):
        open_folder(copy)


@pytest.mark.parametrize("file", ["module.safetensors", "xadapt.json"])
def test_a_link_out_of_the_folder_is_refused(copy, tmp_path, file):
    elsewhere = tmp_path / "elsewhere"
    (copy / file).rename(elsewhere)
    (copy / file).symlink_to(elsewhere)
    with pytest.raises(UserError, match="link"):
        open_folder(copy)
    (copy / file).unlink()
    (copy / file).symlink_to(copy / file)
    with pytest.raises(UserError):
        open_folder(copy)


def test_the_links_of_the_hubs_own_cache_are_followed(copy, tmp_path):
    blobs, snapshot = tmp_path / "models--a--b/blobs", tmp_path / "models--a--b/snapshots/abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, name in enumerate(("module.safetensors", "xadapt.json")):
        (copy / name).rename(blobs / str(number))
        (snapshot / name).symlink_to(blobs / str(number))
    assert read_manifest(snapshot).name == "tiny-sw"
    open_folder(snapshot)


def test_a_folder_that_is_itself_a_link_can_be_opened(copy, tmp_path):
    (tmp_path / "link").symlink_to(copy)
    assert open_folder(tmp_path / "link")[0].name == "tiny-sw"


def test_a_safetensors_file_of_someone_else_is_refused(copy):
    save_file({"a": torch.zeros(2)}, copy / "module.safetensors")
    with pytest.raises(UserError):
        open_folder(copy)
