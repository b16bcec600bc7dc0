from __future__ import annotations

import json

import pytest
import torch
from twin_graphs import family, twins

from xadapt.core.errors import UserError
from xadapt.tasks.kg.structure_folder import (
    FILE,
    TENSORS,
    GraphFacts,
    as_array,
    read_manifest,
    read_tensors,
    require_graphs,
    save_structure,
)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "shape"
    about = {"kind": "completion", "method": "TransE", "options": {"dim": 3}}
    tensors = {"a": torch.arange(6.0).view(2, 3), "triples": torch.zeros(1, 3, dtype=torch.int64)}
    save_structure(place, tensors, graphs=[GraphFacts.of(family())], **about)
    return place


def test_what_is_written_is_read(folder):
    manifest = read_manifest(folder, "completion")
    assert manifest.method == "TransE" and manifest.options == {"dim": 3}
    tensors = read_tensors(folder, manifest)
    assert as_array(tensors["a"], (2, -1), "a", folder).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert sorted(path.name for path in folder.iterdir()) == [FILE, TENSORS]
    require_graphs(folder, manifest, family())


def test_no_file_is_replaced(folder):
    with pytest.raises(UserError, match="not empty"):
        save_structure(folder, {}, kind="completion", method="x", graphs=[])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.pop("kind"), "kind"),
        (lambda m: m.update(extra=1), "extra"),
        (lambda m: m.update(version=2), "version"),
        (lambda m: m.update(method="../x"), "method"),
        (lambda m: m.update(tensors="abc"), "tensors"),
        (lambda m: m["graphs"][0].update(entities=-1), "graphs"),
        (lambda m: m.update(graphs=[]), "graphs"),
    ],
)
def test_a_malformed_manifest_is_one_line(folder, change, said):
    value = json.loads((folder / FILE).read_text())
    change(value)
    (folder / FILE).write_text(json.dumps(value))
    with pytest.raises(UserError, match=said) as fault:
        read_manifest(folder)
    assert "\n" not in str(fault.value) and FILE in fault.value.where


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1, "version": 1}', "nul\x00"])
def test_what_is_no_manifest_is_refused(folder, text):
    (folder / FILE).write_text(text)
    with pytest.raises(UserError):
        read_manifest(folder)


def test_a_changed_missing_or_foreign_file_is_refused(folder, tmp_path):
    manifest = read_manifest(folder)
    raw = bytearray((folder / TENSORS).read_bytes())
    raw[-1] ^= 1
    (folder / TENSORS).write_bytes(raw)
    with pytest.raises(UserError, match="was changed"):
        read_tensors(folder, manifest)
    (folder / TENSORS).unlink()
    with pytest.raises(UserError, match="is missing"):
        read_tensors(folder, manifest)
    with pytest.raises(UserError, match="no folder of structure"):
        read_manifest(tmp_path / "none")
    with pytest.raises(UserError, match="for completion, not for alignment"):
        read_manifest(folder, "alignment")


def test_another_graph_is_refused(folder):
    left, *_ = twins()
    with pytest.raises(UserError, match="another graph than twin/de"):
        require_graphs(folder, read_manifest(folder), left)


def test_a_tensor_must_fit(folder):
    for tensor, shape in (
        (torch.zeros(2, 3), (3, 3)),
        (torch.zeros(2, 3, dtype=torch.int64), (2, 3)),
        (torch.zeros(2), (2, 3)),
        (torch.full((2, 3), torch.nan), (2, 3)),
    ):
        with pytest.raises(UserError, match="'x' does not fit"):
            as_array(tensor, shape, "x", folder)
