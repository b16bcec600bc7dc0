from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from twin_graphs import twins

from xadapt.core.errors import UserError
from xadapt.tasks.kg.image_vectors import read_image_vectors, vectors_of_graph

LEFT, _, _ = twins(40, 100)


def written(folder, ids="de1\nde2\n", **tensors):
    path = folder / "images.safetensors"
    save_file(tensors or {"vectors": torch.tensor([[3.0, 4.0], [0.0, 1.0]])}, path)
    if ids is not None:
        (folder / "images.txt").write_text(ids, encoding="utf-8")
    return path


def test_vectors_and_their_ids(tmp_path):
    ids, vectors = read_image_vectors(written(tmp_path))
    assert ids == ["de1", "de2"] and vectors.tolist() == [[3, 4], [0, 1]]
    rows = np.concatenate([vectors, vectors])
    found = vectors_of_graph(LEFT, [*ids, "nobody", "de1"], rows)
    assert found[1] == pytest.approx([0.6, 1.8]) and found[2].tolist() == [0, 1]
    assert not found[3:].any() and not found[0].any()


@pytest.mark.parametrize(
    ("ids", "tensors", "said"),
    [
        (None, {}, "no file of ids"),
        ("de1\n", {}, "1 ids for 2 vectors"),
        ("a\nb\n", {"other": torch.ones(2, 2)}, "no single tensor 'vectors'"),
        ("a\nb\n", {"vectors": torch.ones(2)}, "not (rows, dim)"),
        ("a\nb\n", {"vectors": torch.ones(2, 2, dtype=torch.int64)}, "not finite numbers"),
        ("a\nb\n", {"vectors": torch.full((2, 2), float("nan"))}, "not finite numbers"),
    ],
)
def test_faulty_files_are_one_line(tmp_path, ids, tensors, said):
    with pytest.raises(UserError) as fault:
        read_image_vectors(written(tmp_path, ids, **tensors))
    assert said in str(fault.value)


def test_what_is_no_file_of_vectors_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_image_vectors(tmp_path / "none.safetensors")
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"\xff" * 64)
    with pytest.raises(UserError, match="no safetensors file"):
        read_image_vectors(bad)
    path = written(tmp_path)
    (tmp_path / "images.txt").write_bytes(b"\xff\n\xfe\n")
    with pytest.raises(UserError, match="not UTF-8"):
        read_image_vectors(path)
