from __future__ import annotations

import json

import pytest
from maps.spaces import rotated
from tiny_commands import good, xadapt

from xadapt.maps.vector_files import read_vectors, write_vectors


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    source, target, _ = rotated(words=120, dim=6)
    write_vectors(folder / "a.vec", source)
    write_vectors(folder / "b.vec", target)
    (folder / "d.txt").write_text("".join(f"s{i} t{i}\n" for i in range(110)))
    return folder


def test_map_and_map_vectors(place, tmp_path):
    given = ["--src-emb", place / "a.vec", "--tgt-emb", place / "b.vec"]
    done = good(
        "map", *given, "--dico-train", place / "d.txt", "--out", tmp_path / "map", "--method",
        "rcsls", "--set", "niter=1,model=spectral", "--json", tmp_path / "r.json",
    )  # fmt: skip
    assert "P@10" in done.out and "22 of 22 source words (100.0%)" in done.out
    told = json.loads((tmp_path / "r.json").read_text())
    assert told["map"]["options"]["model"] == "spectral"
    assert told["scores"]["rcsls"]["nn"]["P@1"]["mean"] == 1
    for side, file in (("source", "a"), ("target", "b")):
        out = tmp_path / f"{file}.vec"
        good(
            "map-vectors", tmp_path / "map", "--vectors", place / f"{file}.vec", "--side", side,
            "--out", out,
        )  # fmt: skip
    one, other = (read_vectors(tmp_path / f"{file}.vec").vectors for file in "ab")
    assert ((one * other).sum(1) > 0.99).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--method", "procrusts"], "did you mean 'procrustes'"),
        (["--set", "niter"], "write OPTION=VALUE"),
        (["--contexts", "3"], "--contexts does nothing without --base"),
        (["--dico-train", "nowhere.txt"], "no such file"),
    ],
)
def test_a_mistake_is_one_line(place, tmp_path, change, said):
    done = xadapt(
        "map", "--src-emb", place / "a.vec", "--tgt-emb", place / "b.vec", "--dico-train",
        place / "d.txt", "--out", tmp_path / "map", *change,
    )  # fmt: skip
    assert done.code == 2 and said in done.err and not (tmp_path / "map").exists()


def test_vectors_are_asked_for_and_a_file_is_not_written_over(place, tmp_path):
    done = xadapt("map", "--dico-train", place / "d.txt", "--out", tmp_path / "map")
    assert done.code == 2 and "give --src-emb and --tgt-emb" in done.err
    done = xadapt("map-vectors", tmp_path, "--vectors", place / "a.vec", "--out", place / "b.vec")
    assert done.code == 2 and "there is a file already" in done.err
    done = xadapt("map-vectors", tmp_path, "--vectors", place / "a.vec", "--out", tmp_path / "x")
    assert done.code == 2 and "no folder of a map" in done.err
