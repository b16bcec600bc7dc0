from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from tiny_commands import Place, everything, good, xadapt
from tiny_folders import tensor_file

from xadapt import open_vectors
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.inference.adapted_encoder import AdaptedEncoder

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
    expected = AdaptedEncoder.load(str(place.base), str(module), dtype="float32").encode(
        TEXTS, [None, "de", None, "de"]
    )
    found = np.load(out)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    good("encode", *given, "--lang", "de", "--out", out, "--force", *FLOAT)
    assert np.abs(np.load(out)[0] - expected[0]).max() > 1e-5


def test_modules_are_composed(place: Place, module: Path, tmp_path: Path) -> None:
    text, out = lines(tmp_path / "t.txt", TEXTS), tmp_path / "v.npy"
    given = ("--base", place.base, "--text", text, "--out", out, *FLOAT)
    good("encode", *given, "--compose", f"mix({module}:.5, none:1)")
    by_path = np.load(out)
    good("encode", *given, "--module", f"m={module}", "--compose", "mix(m:.5)", "--force")
    np.testing.assert_array_equal(np.load(out), by_path)
    loaded = AdaptedEncoder.load(str(place.base), compose=f"{module}", dtype="float32")
    np.testing.assert_array_equal(by_path, loaded.with_(f"mix({module}:.5)").encode(TEXTS))
    assert np.abs(by_path - loaded.encode(TEXTS)).max() > 1e-5
    out.unlink()
    done = xadapt("encode", *given, "--compose", "mix(m:.5")
    assert done.code == 2 and len(done.lines) == 1 and "')' is missing" in done.err
    assert not out.exists()


def test_vectors_of_norm_one_and_batches_of_any_size(
    place: Place, module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = lines(tmp_path / "t.txt", TEXTS)
    given = ("--base", place.base, "--module", module, "--text", text, *FLOAT)
    good("encode", *given, "--out", tmp_path / "a.npy")
    sizes: list[int] = []
    real = Encoder.pool

    def pool(encoder: Encoder, states: torch.Tensor, *rest: object) -> torch.Tensor:
        sizes.append(len(states))
        return real(encoder, states, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Encoder, "pool", pool)
    good("encode", *given, "--out", tmp_path / "b.npy", "--normalize", "--batch-size", 1)
    assert sizes == [1] * len(TEXTS)
    plain, unit = np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy")
    norms = np.linalg.norm(plain, axis=1, keepdims=True)
    assert (np.abs(norms - 1) > 0.1).all()
    np.testing.assert_allclose(unit, plain / norms, atol=1e-6)
    shards = ("--shards", tmp_path / "s", "--shard-rows", 3)
    good("encode", *given, *shards, "--normalize", "--batch-size", 2)
    np.testing.assert_allclose(open_vectors(tmp_path / "s")[:], unit, atol=1e-6)
    done = xadapt("encode", *given, *shards, "--resume")
    assert done.code == 2 and "normalize: True, now False" in done.err
    done = xadapt("encode", *given, "--out", tmp_path / "c.npy", "--batch-size", 0)
    assert done.code == 2 and "--batch-size" in done.err


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
    adapted = AdaptedEncoder.load(str(place.base), str(module), dtype="float32")
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
    good("encode", *given, "--module", module, *FLOAT, "--force")
    np.testing.assert_array_equal(found, np.load(tmp_path / "v.npy"))


@pytest.fixture
def mine(place: Place, tmp_path: Path) -> Path:
    """A folder of a person's own files, all of which a command reads."""
    folder = tmp_path / "mine"
    folder.mkdir()
    lines(folder / "t.txt", TEXTS)
    lines(folder / "l.txt", ["de"] * 4)
    (folder / "dev.tsv").write_bytes(place.test.read_bytes())
    shutil.copytree(place.base, folder / "base")
    os.link(folder / "t.txt", folder / "hard.npy")
    (folder / "link.npy").symlink_to("t.txt")
    return folder


READ = ("t.txt", "hard.npy", "link.npy", "l.txt", "base/config.json", "base/model.safetensors")


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_nothing_that_is_read_is_written_over(
    mine: Path, name: str, force: tuple[str, ...]
) -> None:
    before = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
    given = ("--base", mine / "base", "--text", mine / "t.txt", "--languages", mine / "l.txt")
    done = xadapt("encode", *given, "--out", mine / name, *force)
    assert done.code == 2 and len(done.lines) == 1
    assert "this file is read by the same command. Name another one" in done.err
    assert before == {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}


def test_the_file_chosen_by_and_a_module_are_read_too(
    place: Place, module: Path, mine: Path
) -> None:
    given = ("--base", place.base, "--text", mine / "t.txt", "--force")
    dev, tensors = mine / "dev.tsv", tensor_file(module)
    for more, out in (
        (("--module", module, "--lang", "sw", "--select-on", dev), dev),
        (("--module", f"m={module}"), tensors),
        (("--compose", f"mix({module}:.5)"), tensors),
    ):
        before = out.read_bytes()
        done = xadapt("encode", *given, *more, "--out", out)
        assert done.code == 2 and "this file is read by the same command" in done.err, done.err
        assert out.read_bytes() == before


def test_a_file_that_is_there_is_replaced_by_force_alone(place: Place, mine: Path) -> None:
    given = ("encode", "--base", place.base, "--text", mine / "t.txt", *FLOAT)
    (mine / "thesis.npy").write_text("mine")
    (mine / "to.npy").symlink_to("thesis.npy")
    for name in ("thesis.npy", "to.npy"):
        done = xadapt(*given, "--out", mine / name)
        assert done.code == 2 and "there is such a file already" in done.err
        assert (mine / "thesis.npy").read_text() == "mine"
    good(*given, "--out", mine / "to.npy", "--force")
    assert (mine / "to.npy").is_symlink() and np.load(mine / "thesis.npy").shape == (4, 32)


def test_devices_and_pipes_are_written_into(place: Place, mine: Path) -> None:
    given = ("encode", "--base", place.base, "--text", mine / "t.txt", *FLOAT)
    null = Path("/dev/null").stat()
    good(*given, "--out", "/dev/null")
    assert os.path.samestat(Path("/dev/null").stat(), null)
    full = xadapt(*given, "--out", "/dev/full")
    assert full.code == 2 and "/dev/full: can't write (No space" in full.err
    pipe = mine / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        good(*given, "--out", pipe)
        assert reader.stdout is not None
        through = reader.stdout.read()
    good(*given, "--out", mine / "v.npy")
    assert (mine / "v.npy").read_bytes() == through and pipe.is_fifo()


@pytest.mark.parametrize("option", ["--out", "--shards", "--text", "--languages"])
@pytest.mark.parametrize("path", ["t.txt/inside", "x" * 300, "/proc/nowhere/v"])
def test_a_path_that_cannot_be_used_is_one_line_before_the_base_is_loaded(
    mine: Path, option: str, path: str
) -> None:
    before = everything(mine)
    given = {"--base": "/no/such", "--text": mine / "t.txt", "--out": mine / "v.npy"}
    given |= {option: mine / path}
    if option == "--shards":
        del given["--out"]
    done = xadapt("encode", *[x for both in given.items() for x in both])
    assert done.code == 2 and len(done.lines) == 1, done.err
    assert path[:30] in done.err and "no base" not in done.err
    assert everything(mine) == before


def test_options_that_would_do_nothing(place: Place, module: Path, mine: Path) -> None:
    base = ("encode", "--base", place.base, "--text", mine / "t.txt")
    out, shards = ("--out", mine / "v.npy"), ("--shards", mine / "v")
    before = everything(mine)
    for arguments, said in (
        ((*out, "--shard-rows", 5), "need --shards"),
        ((*out, "--shard-format", "npy"), "need --shards"),
        ((*out, "--pivot", "fr"), "--pivot does nothing without --select-on"),
        ((*shards, "--pivot", "fr"), "--pivot does nothing without --select-on"),
        ((*shards, "--force"), "--force is for --out"),
        ((*out, "--module", f"a={module}", "--compose", f"{module}"), "no composition names 'a'"),
    ):
        done = xadapt(*base, *arguments)
        assert done.code == 2 and len(done.lines) == 1 and said in done.err, (said, done.err)
    assert everything(mine) == before


def test_two_commands_into_one_folder_of_shards(place: Place, mine: Path) -> None:
    lines(mine / "many.txt", TEXTS * 150)
    given = ("encode", "--base", place.base, "--text", mine / "many.txt", *FLOAT)
    given += ("--shards", mine / "v", "--shard-rows", 2)
    with forked.command(*given) as first:
        limit = time.monotonic() + 300
        while not (mine / "v" / "part-00001.npy").exists() and time.monotonic() < limit:
            time.sleep(0.01)
        for more in ((), ("--resume",), ("--half", "--resume")):
            done = xadapt(*given, *more)
            assert done.code == 2 and len(done.lines) == 1
            assert f"is being written by process {first.pid} on" in done.err
        first.terminate()
        _, err = first.communicate(timeout=300)
    assert first.returncode == 143, err
    assert err.splitlines()[-1].endswith("with --resume goes on after them")
    assert not [name for name in everything(mine) if name.startswith("v/.") or "/." in name]
    good(*given, "--resume")
    assert len(open_vectors(mine / "v", check=True)) == 600


def test_windows_of_long_texts(place: Place, module: Path, tmp_path: Path) -> None:
    texts = ["die katze sitzt auf der matte " * 30, "ein hund"]
    text, out = lines(tmp_path / "t.txt", texts), tmp_path / "v.npy"
    given = ("encode", "--base", place.base, "--module", module, "--lang", "de", "--text", text,
             "--out", out, "--force", *FLOAT)  # fmt: skip
    told = "1 of 2 texts is longer than the 48 tokens that the base reads, and cut"
    done = good(*given)
    assert done.err.count(told) == 1
    first = np.load(out)
    done = good(*given, "--windows", "mean")
    assert "longer" not in done.err
    found, model = np.load(out), AdaptedEncoder.load(str(place.base), module, dtype="float32")
    np.testing.assert_array_equal(found, model.encode(texts, "de", windows="mean"))
    np.testing.assert_array_equal(found[1], first[1])
    assert np.abs(found[0] - first[0]).max() > 1e-4
    done = xadapt(*given, "--windows", "maen")
    assert done.code == 2 and "did you mean 'mean'" in done.err
