import json

import numpy as np
import pytest
import torch
from maps.spaces import rotated

from xadapt.core.errors import UserError
from xadapt.maps.contract import LinearMaps
from xadapt.maps.embedding_map import FACTS, TENSORS, EmbeddingMap
from xadapt.maps.normalising import VECMAP, Normalisation
from xadapt.maps.procrustes import orthogonal


def made(target_map=False):
    source, target, _ = rotated(words=80, dim=6, noise=0.1)
    x, y = torch.from_numpy(source.vectors) + 0.3, torch.from_numpy(target.vectors) - 0.2
    one, left = Normalisation.fit(x, VECMAP)
    other, right = Normalisation.fit(y, VECMAP)
    w = orthogonal(left, right)
    maps = LinearMaps(w, 2 * torch.eye(6) if target_map else None)
    return EmbeddingMap(maps, one, other, {"method": "procrustes"}), x.numpy(), y.numpy()


@pytest.fixture
def folder(tmp_path):
    own, *_ = made()
    return own.save_pretrained(tmp_path / "map")


@pytest.mark.parametrize("target_map", [False, True])
def test_saved_and_loaded_it_maps_alike(tmp_path, target_map):
    own, x, y = made(target_map)
    again = EmbeddingMap.from_pretrained(own.save_pretrained(tmp_path / "map"))
    for side, rows in (("source", x), ("target", y)):
        assert np.array_equal(own.transform(rows, side), again.transform(rows, side))
    assert again.facts["method"] == "procrustes" and again.dim == 6
    assert again.source.actions == VECMAP
    assert sorted(file.name for file in (tmp_path / "map").iterdir()) == [FACTS, TENSORS]


def test_a_vector_is_normalised_by_the_means_of_its_own_side_and_mapped_by_w(tmp_path):
    """By hand, for one source vector: unit, minus the source mean, unit, W x."""
    own, x, y = made()
    mean = (x / np.linalg.norm(x, axis=1, keepdims=True)).mean(axis=0)
    one = x[3] / np.linalg.norm(x[3]) - mean
    by_hand = own.W @ (one / np.linalg.norm(one))
    assert np.allclose(own.transform(x[3]), by_hand, atol=1e-5)
    other = (y / np.linalg.norm(y, axis=1, keepdims=True)).mean(axis=0)
    wrong = x[3] / np.linalg.norm(x[3]) - other
    assert np.abs(own.W @ (wrong / np.linalg.norm(wrong)) - by_hand).max() > 1e-2
    assert np.allclose(own.transform(x[3:4])[0], own.transform(x)[3], atol=1e-6)


def test_lists_tensors_and_nothing(tmp_path):
    own, x, _ = made()
    assert np.allclose(own.transform(x.tolist()), own.transform(torch.from_numpy(x)))
    assert own.transform(np.zeros((0, 6))).shape == (0, 6)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.ones((2, 5)), "vectors of 6 values"),
        (np.full((1, 6), np.nan), "NaN or infinity"),
        ("text", "no vectors"),
        (None, "no vectors|vectors of 6 values"),
        (np.ones((1, 1, 6)), "vectors of 6 values"),
    ],
)
def test_what_can_not_be_mapped_is_refused(rows, said):
    own, *_ = made()
    with pytest.raises(UserError, match=said):
        own.transform(rows)
    with pytest.raises(UserError, match="did you mean 'target'"):
        own.transform(np.ones((1, 6)), "targets")


def test_a_folder_with_content_is_not_written_over(folder):
    before = (folder / FACTS).read_bytes()
    with pytest.raises(UserError, match="not empty"):
        made()[0].save_pretrained(folder)
    assert (folder / FACTS).read_bytes() == before


def test_a_flipped_byte_is_refused(folder):
    raw = bytearray((folder / TENSORS).read_bytes())
    raw[-3] ^= 1
    (folder / TENSORS).write_bytes(raw)
    with pytest.raises(UserError, match="differs from the one that was saved"):
        EmbeddingMap.from_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "other"}, "no map of xadapt"),
        ({"version": 9}, "version 9"),
        ({"dim": 7}, "do not fit"),
        ({"dim": None}, "no map of xadapt"),
        ({"normalize": ["unit"]}, "do not fit"),
        ({"normalize": ["unit", "rotate"]}, "unknown normalisation"),
        ({"normalize": "unit"}, "no map of xadapt"),
    ],
)
def test_facts_that_do_not_fit_are_refused(folder, change, said):
    facts = json.loads((folder / FACTS).read_text()) | change
    (folder / FACTS).write_text(json.dumps(facts))
    with pytest.raises(UserError, match=said):
        EmbeddingMap.from_pretrained(folder)


def test_what_is_no_folder_of_a_map_is_refused(tmp_path, folder):
    with pytest.raises(UserError, match="no folder of a map"):
        EmbeddingMap.from_pretrained(tmp_path)
    (folder / FACTS).write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        EmbeddingMap.from_pretrained(folder)
