from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from tiny_shards import adapted, made_of, source

from xadapt.core.errors import UserError
from xadapt.vectors.index import Index, Shard, read_index


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("index")
    made = made_of(adapted(home / "base"), source(home), rows=5)
    cuts = [(0, 5), (5, 10), (10, 12)]
    shards = [Shard(start=a, stop=b, bytes=9, sha256="s", text="t") for a, b in cuts]
    return Index(rows=12, dim=4, made=made, shards=shards).model_dump(mode="json")


def write(folder: Path, value: Any) -> Path:
    (folder / "index.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def test_back_and_the_files_it_names(good: dict, tmp_path: Path) -> None:
    index = read_index(write(tmp_path, good))
    assert index.model_dump(mode="json") == good
    assert index.made.file(tmp_path, 12) == tmp_path / "part-00012.npy"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": 13}, "shard 2 does not hold"),
        ({"rows": 0}, "rows: "),
        ({"rows": "12"}, "rows: "),
        ({"dim": -1}, "dim: "),
        ({"version": 2}, "version: "),
        ({"shards": []}, "shards: "),
        ({"secret": 1}, "secret: "),
        ({"made": {}}, "made.base: "),
    ],
)
def test_what_does_not_add_up(good: dict, tmp_path: Path, change: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        read_index(write(tmp_path, {**good, **change}))
    assert said in str(caught.value) and caught.value.where.endswith("index.json")


def test_shards_out_of_order_or_too_few(good: dict, tmp_path: Path) -> None:
    for shards in (good["shards"][:2], good["shards"][::-1], good["shards"] + good["shards"][:1]):
        with pytest.raises(UserError, match="shard"):
            read_index(write(tmp_path, {**good, "shards": shards}))


def test_an_index_cut_or_changed_anywhere_is_one_line(good: dict, tmp_path: Path) -> None:
    text, rng = json.dumps(good), random.Random(0)
    for _ in range(150):
        place = rng.randrange(len(text) - 1)
        with pytest.raises(UserError) as caught:
            read_index(write(tmp_path, text[:place]))
        assert "\n" not in str(caught.value)
        with contextlib.suppress(UserError):  # a letter more in a name is no fault
            read_index(write(tmp_path, text[:place] + rng.choice('0-[{"e\0') + text[place + 1 :]))
    for value in ("", "null", "[]", "3", "[" * 100_000):
        with pytest.raises(UserError):
            read_index(write(tmp_path, value))


def test_a_folder_without_one(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match=r"no finished folder of vectors: .* --resume"):
            read_index(folder)
