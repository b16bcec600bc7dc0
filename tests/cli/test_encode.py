from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_commands import Place, everything, good, xadapt

from xadapt import open_vectors
from xadapt.inference.adapted_encoder import Adapted

TEXTS = ["the cat sat", "die katze sitzt", "", "ein hund\u2028im park"]
FLOAT = ("--dtype", "float32")


@pytest.fixture(scope="module")
def module(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("m") / "de"
    good(*place.train(folder))
    return folder


def lines(path: Path, rows: list[str]) -> Path:
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_vectors_are_those_of_the_python_face(place: Place, module: Path, tmp_path: Path) -> None:
    text = lines(tmp_path / "t.txt", TEXTS)
    tags = lines(tmp_path / "l.txt", ["en", "deu", "-", "de"])
    out = tmp_path / "new" / "v.npy"
    given = ("--base", place.base, "--module", module, "--text", text)
    done = good("encode", *given, "--languages", tags, "--out", out, *FLOAT)
    assert "no module is for en" in done.err
    expected = Adapted.load(str(place.base), str(module), dtype="float32").encode(
        TEXTS, [None, "de", None, "de"]
    )
    found = np.load(out)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    good("encode", *given, "--lang", "de", "--out", out, *FLOAT)
    assert np.abs(np.load(out)[0] - expected[0]).max() > 1e-5


def test_modules_are_composed(place: Place, module: Path, tmp_path: Path) -> None:
    text, out = lines(tmp_path / "t.txt", TEXTS), tmp_path / "v.npy"
    given = ("--base", place.base, "--text", text, "--out", out, *FLOAT)
    good("encode", *given, "--compose", f"mix({module}:.5, none:1)")
    by_path = np.load(out)
    good("encode", *given, "--module", f"m={module}", "--compose", "mix(m:.5)")
    np.testing.assert_array_equal(np.load(out), by_path)
    loaded = Adapted.load(str(place.base), compose=f"{module}", dtype="float32")
    np.testing.assert_array_equal(by_path, loaded.with_(f"mix({module}:.5)").encode(TEXTS))
    assert np.abs(by_path - loaded.encode(TEXTS)).max() > 1e-5
    out.unlink()
    done = xadapt("encode", *given, "--compose", "mix(m:.5")
    assert done.code == 2 and len(done.lines) == 1 and "')' is missing" in done.err
    assert not out.exists()


def test_standard_input_is_cut_into_the_lines_a_file_is(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = lines(tmp_path / "t.txt", TEXTS)
    good("encode", "--base", place.base, "--text", text, "--out", tmp_path / "a.npy", *FLOAT)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.read_bytes())))
    good("encode", "--base", place.base, "--text", "-", "--out", tmp_path / "b.npy", *FLOAT)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n\xff\n")))
    done = xadapt("encode", "--base", place.base, "--text", "-", "--out", tmp_path / "c.npy")
    assert done.code == 2 and "standard input:2: this line is not UTF-8" in done.err


def test_mistakes(place: Place, module: Path, tmp_path: Path) -> None:
    text = lines(tmp_path / "t.txt", TEXTS)
    few = lines(tmp_path / "few.txt", ["de"])
    bad = lines(tmp_path / "bad.txt", ["de", "klingonisch", "de", "de"])
    empty = lines(tmp_path / "empty.txt", [])
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "xadapt.json").write_text("{}")
    before = everything(tmp_path)
    base = ("--base", place.base)
    for arguments, said in (
        ((*base, "--text", text, "--languages", few), f"{few}: 4 texts and 1 languages"),
        ((*base, "--text", text, "--languages", bad), f"{bad}:2: unknown language tag"),
        ((*base, "--text", text, "--languages", few, "--lang", "de"), "both given"),
        ((*base, "--text", empty), f"{empty}: there is no text"),
        ((*base, "--text", tmp_path / "none"), "no such file"),
        ((*base, "--text", text, "--module", stranger), "stranger"),
        ((*base, "--text", text, "--module", tmp_path / "none"), "no such module folder"),
        ((*base, "--text", text, "--dtype", "int3"), "unknown dtype 'int3'"),
        (("--base", tmp_path, "--text", text), str(tmp_path)),
    ):
        done = xadapt("encode", *arguments, "--out", tmp_path / "v.npy")
        assert done.code == 2 and len(done.lines) == 1 and said in done.err, (said, done.err)
    assert everything(tmp_path) == before


def test_shards_from_the_command_line(place: Place, module: Path, tmp_path: Path) -> None:
    tags = ("en", "deu", None, "de")
    rows = [{"say": text, "in": tag} for text, tag in zip(TEXTS, tags, strict=True)]
    text = lines(tmp_path / "t.jsonl", [json.dumps(row) for row in rows])
    out = tmp_path / "new" / "v"
    given = ("--base", place.base, "--module", module, "--text", text, "--column", "say", *FLOAT)
    given += ("--lang-column", "in", "--shards", out, "--shard-rows", 3)
    done = good("encode", *given)
    assert done.out == f"4 vectors of 32 in 2 shards: {out}\n"
    assert "no module is for en" in done.err
    found = open_vectors(out)
    adapted = Adapted.load(str(place.base), str(module), dtype="float32")
    np.testing.assert_array_equal(found[:3], adapted.encode(TEXTS[:3], [None, "de", None]))
    np.testing.assert_array_equal(found[3:], adapted.encode(TEXTS[3:], ["de"]))
    done = xadapt("encode", *given)
    assert done.code == 2 and len(done.lines) == 1 and "holds finished vectors" in done.err
    good("encode", *given, "--resume")
    for more, said in ((("--half",), "dtype: float32, now float16"), (("--lang", "de"), "both")):
        done = xadapt("encode", *given, "--resume", *more)
        assert done.code == 2 and len(done.lines) == 1 and said in done.err


def test_one_file_or_shards(place: Place, tmp_path: Path) -> None:
    base = ("--base", place.base, "--text", lines(tmp_path / "t.txt", TEXTS))
    before = everything(tmp_path)
    out, shards = ("--out", tmp_path / "v.npy"), ("--shards", tmp_path / "v")
    for arguments, said in (
        ((), "give --out FILE.npy or --shards DIR"),
        ((*out, *shards), "give --out FILE.npy or --shards DIR"),
        ((*out, "--half"), "need --shards"),
        ((*out, "--shard-format", "parquet"), "need --shards"),
        ((*shards, "--shard-format", "zarr"), "unknown shard format"),
        ((*shards, "--column", "a"), "lines of text have no columns"),
        ((*shards, "--shard-rows", 0), "shard-rows"),
    ):
        done = xadapt("encode", *base, *arguments)
        assert done.code == 2 and len(done.lines) == 1 and said in done.err, (said, done.err)
    assert everything(tmp_path) == before


def test_vectors_that_are_not_finite_are_an_error_and_no_file(
    place: Place, module: Path, tmp_path: Path
) -> None:
    text = lines(tmp_path / "t.txt", TEXTS)
    given = ("--base", place.base, "--text", text, "--compose", f"mix({module}:1e308)", *FLOAT)
    for out in (("--out", tmp_path / "v.npy"), ("--shards", tmp_path / "s")):
        done = xadapt("encode", *given, *out)
        assert done.code == 2 and len(done.lines) == 1
        assert f"mix({module}:1e+308): the vectors of row 1 and 3 more are not finite" in done.err
    assert not list(tmp_path.rglob("*.npy"))


def test_a_changed_module_is_loaded_only_if_it_is_allowed(
    place: Place, module: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "de"
    shutil.copytree(module, changed)
    settings = json.loads((changed / "adapter_config.json").read_text())
    (changed / "adapter_config.json").write_text(json.dumps(settings | {"r": 3}))
    text = lines(tmp_path / "t.txt", TEXTS)
    given = ("--base", place.base, "--text", text, "--lang", "de", "--out", tmp_path / "v.npy")
    done = xadapt("encode", *given, "--module", changed, *FLOAT)
    assert done.code == 2 and len(done.lines) == 1 and "adapter_config.json" in done.err
    assert not (tmp_path / "v.npy").exists()
    done = good("encode", *given, "--module", changed, *FLOAT, "--allow-modified")
    assert done.lines[0].startswith(f"{changed}: this is not what was published")
    found = np.load(tmp_path / "v.npy")
    good("encode", *given, "--module", module, *FLOAT)
    np.testing.assert_array_equal(found, np.load(tmp_path / "v.npy"))
