from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
from twin_graphs import twins

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import names_of
from xadapt.tasks.kg import name_vectors
from xadapt.tasks.kg.name_vectors import EntityNames, encode_names


def encode(texts):
    return np.array([np.random.default_rng(zlib.crc32(t.encode())).normal(size=3) for t in texts],
                    dtype=np.float32)  # fmt: skip


@pytest.fixture
def graph():
    left, *_ = twins(5, 20)
    tables = {"de": [(0, "eins"), (0, "uno"), (3, "drei")], "en": [(1, "one")]}
    return replace(left, labels=names_of(left.entities, tables))


def test_the_usual_name_or_nothing(graph):
    names = EntityNames(graph, "de")
    assert list(names) == ["eins", "", "", "drei", ""] == names[:]
    assert names.named == 2 and names.lang == "de" and len(names) == 5
    assert names.has_name.tolist() == [True, False, False, True, False]
    with pytest.raises(UserError, match="names in de, en"):
        EntityNames(graph)
    with pytest.raises(UserError, match="no names in 'sw'"):
        EntityNames(graph, "sw")


def test_vectors_do_not_depend_on_blocks_or_place(graph, tmp_path, monkeypatch):
    names = EntityNames(graph, "de")
    told = []
    whole = encode_names(names, encode, tmp_path, "a.npy", told.append)
    assert told == [5] and (whole[[1, 2, 4]] == 0).all()
    assert whole[3] == pytest.approx(encode(["drei"])[0])
    monkeypatch.setattr(name_vectors, "BLOCK", 2)
    monkeypatch.setattr(name_vectors, "IN_MEMORY", 10)
    parts = encode_names(names, encode, tmp_path, "b.npy")
    assert isinstance(parts, np.memmap) and (np.asarray(parts) == whole).all()
    assert (tmp_path / "b.npy").is_file() and not (tmp_path / "a.npy").exists()


def test_no_name_at_all_is_refused(tmp_path):
    with pytest.raises(UserError, match="no entity has a name"):
        encode_names(["", ""], encode, tmp_path, "a.npy")
