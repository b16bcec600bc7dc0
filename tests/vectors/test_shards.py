from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_shards import adapted, source

from xadapt import open_vectors
from xadapt.core.errors import UserError
from xadapt.inference.bulk.encoding import encode_into
from xadapt.inference.bulk.plan import Layout
from xadapt.vectors import shards as vector_shards
from xadapt.vectors.shards import ShardedVectors

KINDS = {"npy": Layout(rows=5), "parquet": Layout(rows=5, file_format="parquet", half=True)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("shards")
    one, text = adapted(home / "base"), source(home)
    for name, layout in KINDS.items():
        encode_into(one, text, home / name, layout)
    return {name: home / name for name in KINDS}


@pytest.fixture(params=KINDS)
def both(request: pytest.FixtureRequest, folders: dict) -> tuple[ShardedVectors, np.ndarray]:
    """The array over shards, and the same as an array in memory."""
    folder = folders[request.param]
    read = {"npy": np.load, "parquet": vector_shards.read_parquet}[request.param]
    parts = [read(file) for file in sorted(folder.glob("part-*"))]
    return open_vectors(folder, check=True), np.concatenate(parts)


def test_it_is_an_array(both: tuple[ShardedVectors, np.ndarray]) -> None:
    vectors, whole = both
    assert (vectors.shape, vectors.dtype, vectors.ndim) == (whole.shape, whole.dtype, 2)
    assert len(vectors) == 23 and np.array_equal(np.asarray(vectors), whole)
    assert np.asarray(vectors, dtype=np.float64).dtype == np.float64
    for row in (0, 4, 5, 22, -1, -23, np.int64(7)):
        assert np.array_equal(vectors[row], whole[row])
    for start in (None, 0, 4, 5, 6, 22, 40, -3):
        for stop in (None, 0, 5, 9, 10, 23, 99, -2):
            for step in (None, 1, 2, 7, -1, -3):
                cut = slice(start, stop, step)
                assert np.array_equal(vectors[cut], whole[cut]), cut
    for rows in ([], [3], [22, 0, 5, 5, -1], np.array([[1, 9], [20, 4]]), np.arange(23) % 3 == 0):
        own = vectors[rows]
        assert np.array_equal(own, whole[rows if len(rows) else np.zeros(0, int)])
        assert own.dtype == whole.dtype
    assert np.array_equal(np.stack(list(vectors)), whole)
    for size in (None, 1, 4, 5, 7, 100):
        blocks = list(vectors.blocks(size))
        assert np.array_equal(np.concatenate(blocks), whole)
        assert {len(block) for block in blocks[:-1]} <= {size or 5}


def test_what_no_array_has(both: tuple[ShardedVectors, np.ndarray]) -> None:
    vectors, _ = both
    for row in (23, -24, [0, 23]):
        with pytest.raises(IndexError, match="23 rows"):
            vectors[row]
    with pytest.raises(IndexError, match="a mask of"):
        vectors[np.ones(22, bool)]
    for key in (1.5, [0.5], (0, 1), "0"):
        with pytest.raises(TypeError):
            vectors[key]


def test_a_slice_of_one_shard_is_a_view_of_the_file(folders: dict) -> None:
    vectors = open_vectors(folders["npy"])
    own = vectors[6:9]
    assert not own.flags.owndata and not own.flags.writeable
    assert np.shares_memory(own, vectors[5:10])


def test_few_shards_are_open_at_a_time(folders: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_shards, "MAPPED", 2)
    vectors = open_vectors(folders["npy"])
    whole = np.asarray(vectors)
    assert len(vectors._open) == 2
    assert np.array_equal(vectors[list(range(22, -1, -1))], whole[::-1]) and len(vectors._open) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_shards_that_were_touched(folders: dict, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in folders[kind].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    part = next(folder.glob("part-00002.*"))
    good = part.read_bytes()
    part.unlink()
    with pytest.raises(UserError, match="this shard is missing"):
        open_vectors(folder)
    part.write_bytes(good[:-1])
    with pytest.raises(UserError, match="changed or cut"):
        open_vectors(folder)
    part.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    open_vectors(folder)
    with pytest.raises(UserError, match="changed or cut"):
        open_vectors(folder, check=True)
    part.write_bytes(b"\x80" * len(good))
    with pytest.raises(UserError, match="can't read this shard") as caught:
        open_vectors(folder)[12]
    assert caught.value.where == str(part)


def test_a_shard_of_another_shape_or_a_pickled_one(folders: dict, tmp_path: Path) -> None:
    vectors = open_vectors(folders["npy"])
    moved = ShardedVectors(tmp_path, vectors.index)
    for array, said in (
        (np.zeros((5, 31), np.float32), "another than the index says"),
        (np.zeros((5, 32), np.float64), "another than the index says"),
        (np.array([{}] * 5, dtype=object), "can't read this shard"),
    ):
        np.save(tmp_path / "part-00000.npy", array, allow_pickle=True)
        with pytest.raises(UserError, match=said):
            moved[0]


def test_vectors_say_what_they_are(both: tuple[ShardedVectors, np.ndarray]) -> None:
    array, plain = both
    shown = repr(array)
    assert shown.startswith(f"ShardedVectors: {len(plain)} x {plain.shape[1]} {plain.dtype} in ")
    assert shown.endswith(str(array.folder))
