from __future__ import annotations

import importlib
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import huggingface_hub
import numpy as np
import pytest
from safetensors import safe_open
from tiny_commands import (
    QUICK,
    Place,
    apart,
    everything,
    good,
    write_tsv,
    xadapt,
)
from tiny_folders import tensor_file
from tiny_models import tiny_folder
from tiny_training import pairs

from xadapt.cli.app import main
from xadapt.core.files import LOCK, read_json
from xadapt.data.loading.records import digest
from xadapt.data.records import ParallelPair
from xadapt.hub.opening import read_manifest
from xadapt.training.metrics_log import read_metrics


def module_bytes(folder: Path) -> bytes:
    return tensor_file(folder).read_bytes()


def tensors(folder: Path) -> dict[str, np.ndarray]:
    with safe_open(str(tensor_file(folder)), framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_the_same_command_gives_the_same_bytes(place: Place, tmp_path: Path) -> None:
    good(*place.train(tmp_path / "a"))
    good(*place.train(tmp_path / "b"))
    good(*place.train(tmp_path / "c", "--set", "seed=1"))
    assert module_bytes(tmp_path / "a") == module_bytes(tmp_path / "b")
    assert module_bytes(tmp_path / "a") != module_bytes(tmp_path / "c")


def test_what_a_finished_run_leaves_and_says(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = good(*place.train(out, "--json", tmp_path / "t.json", "--controls"))
    assert done.lines[0] == f"de -> {out}" and "de: 60 of 60 pairs kept" in done.err
    assert max(map(len, done.out.splitlines())) <= 80
    names = everything(out)
    assert {"xadapt.json", "README.md", tensor_file(out).name} < set(names)
    assert "controls/shuffled.safetensors" in names
    assert not [n for n in names if "checkpoint" in n or "/." in n or n.startswith(".")]
    assert (out / "run" / "metrics.jsonl").stat().st_size and "run/module" not in names
    manifest = read_manifest(out)
    assert manifest.languages == ["de"] and manifest.base.id is None
    told = read_json(tmp_path / "t.json")
    assert told["command"] == "train" and told["modules"][0]["folder"] == "out"
    assert (
        told["modules"][0]["manifest"]["data"]
        == json.loads((out / "xadapt.json").read_text())["data"]
    )
    cost = told["modules"][0]
    assert 0 <= cost["padding"] < 1
    assert cost["forwards"] == cost["seconds"] / cost["forward_seconds"] > 0
    assert f"{cost['forwards']:.1f} times one frozen forward over the data" in done.err
    for text in (
        tmp_path / "t.json",
        *out.rglob("*.json"),
        *out.rglob("*.md"),
        *out.rglob("*.yaml"),
    ):
        assert str(tmp_path) not in text.read_text(encoding="utf-8"), text


def test_the_manifest_hashes_what_was_trained_on(place: Place, tmp_path: Path) -> None:
    good(
        *place.train(
            tmp_path / "o", "--set", "data.train.dev=0", "--set", "data.train.filter=false"
        )
    )
    (data,) = read_manifest(tmp_path / "o").data
    assert (data.name, data.rows, data.sha256) == ("pairs.tsv", 60, digest(pairs(60)))


def test_several_languages_make_one_module_each(place: Place, tmp_path: Path) -> None:
    for tag in ("de", "sw"):
        write_tsv(tmp_path / f"{tag}.tsv", pairs(30, seed=len(tag) + ord(tag[0])))
    given = ("--base", place.base, "--data", tmp_path / "{lang}.tsv", "--lang", "deu,sw")
    good("train", "translation_ranking", *given, "--out", tmp_path / "m", "--json", tmp_path / "j")
    assert [read_manifest(tmp_path / "m" / tag).languages for tag in ("de", "sw")] == [
        ["de"],
        ["sw"],
    ]
    assert [m["folder"] for m in read_json(tmp_path / "j")["modules"]] == ["m/de", "m/sw"]


def test_joint_makes_one_module_of_all(place: Place, tmp_path: Path) -> None:
    other = write_tsv(tmp_path / "sw.tsv", pairs(30, seed=3))
    dev = [write_tsv(tmp_path / f"dev{n}.tsv", pairs(6, seed=50 + n)) for n in range(2)]
    given = (
        "--base",
        place.base,
        "--data",
        f"{place.data},{other}",
        "--lang",
        "de",
        "--lang",
        "sw",
    )
    more = ("--dev", f"{dev[0]},{dev[1]}", "--set", "data.train.filter=false")
    good("train", "translation_ranking", *given, "--joint", *more, "--out", tmp_path / "m")
    manifest = read_manifest(tmp_path / "m")
    assert manifest.languages == ["de", "sw"]
    assert [d.rows for d in manifest.data] == [60, 30]
    assert manifest.evidence[0].rows is not None and manifest.evidence[0].rows <= 12


def test_seeds_train_several_and_tell_the_spread(place: Place, tmp_path: Path) -> None:
    done = good(*place.train(tmp_path / "m", "--seeds", 2))
    assert "2 seeds" in done.out
    assert module_bytes(tmp_path / "m" / "seed-0") != module_bytes(tmp_path / "m" / "seed-1")
    assert [read_manifest(tmp_path / "m" / f"seed-{n}").recipe["seed"] for n in (0, 1)] == [0, 1]


def test_cldr_needs_no_file(place: Place, tmp_path: Path) -> None:
    few = ("--set", "data.train.limit=40", "--set", "data.train.filter=false")
    given = ("--base", place.base, "--data", "cldr", "--lang", "sw", "--out", tmp_path / "m")
    good("train", "translation_ranking", *given, *few)
    assert read_manifest(tmp_path / "m").data[0].name == "cldr"


def test_set_changes_what_is_stored(place: Place, tmp_path: Path) -> None:
    good(*place.train(tmp_path / "m", "--set", "train.epochs=2"))
    manifest = read_manifest(tmp_path / "m")
    assert manifest.recipe["train"]["epochs"] == 2
    assert manifest.module.options["rank"] == 2
    assert "epochs: 2" in (tmp_path / "m" / "run" / "recipe.yaml").read_text()


def test_a_recipe_with_two_sources_of_data(tmp_path: Path) -> None:
    place = Place(tmp_path, mlm=True)
    text = tmp_path / "text.txt"
    text.write_text("die katze sitzt\nein hund läuft im park\n" * 5, encoding="utf-8")
    recipe = tmp_path / "both.yaml"
    recipe.write_text(
        "name: my.own\nsource: {paper: Own, url: https://example.org}\n"
        "module: {kind: lora, rank: 2}\n"
        "objectives:\n- {name: translation_ranking}\n- {name: mlm, weight: 0.1, data: mono}\n"
        "data: {train: {}, mono: {reader: plain_text}}\ntrain: {batch_size: 8}\n"
    )
    given = ("--base", place.base, "--lang", "de", "--data", place.data)
    good("train", recipe, *given, "--data", f"mono={text}", "--controls", "--out", tmp_path / "m")
    manifest = read_manifest(tmp_path / "m")
    assert [d.name for d in manifest.data] == ["pairs.tsv", "text.txt"]
    assert manifest.name == "de_my_own"  # a dot can't stand in the name of a module


def test_finished_and_unfinished_folders(place: Place, tmp_path: Path) -> None:
    good(*place.train(tmp_path / "m"))
    before = {n: (tmp_path / "m" / n).stat().st_mtime_ns for n in everything(tmp_path / "m")}
    done = xadapt(*place.train(tmp_path / "m"))
    assert done.code == 2 and "finished module" in done.err and len(done.lines) == 1
    again = good(*place.train(tmp_path / "m", "--resume"))
    assert "holds the finished module already" in again.err
    assert before == {
        n: (tmp_path / "m" / n).stat().st_mtime_ns for n in everything(tmp_path / "m")
    }
    other = xadapt(*place.train(tmp_path / "m", "--resume", "--set", "seed=4"))
    assert other.code == 2 and "another recipe" in other.err
    (tmp_path / "n" / "run").mkdir(parents=True)
    (tmp_path / "n" / "run" / "metrics.jsonl").write_text("")
    done = xadapt(*place.train(tmp_path / "n"))
    assert done.code == 2 and "unfinished run. Add --resume" in done.err


class Cut(Exception):
    """Stands for a kill: nothing after it runs."""


def cut_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int) -> None:
    """Make the ``call``-th call of a function end in `Cut`, as if the process had died there."""
    real = getattr(owner, name)
    seen = [0]

    def counted(*args: Any, **kw: Any) -> Any:
        seen[0] += 1
        if seen[0] == call:
            raise Cut
        return real(*args, **kw)

    monkeypatch.setattr(owner, name, counted)


POINTS = [
    ("xadapt.training.loop", "Trainer._step", 3),
    ("xadapt.pipelines.train", "evidence_of", 1),
    ("xadapt.pipelines.train", "publish", 1),
    ("xadapt.pipelines.outcome", "write_folder", 1),
    ("xadapt.hub.folder", "save_module", 1),
    ("pathlib", "Path.replace", -1),
    ("pathlib", "Path.replace", -3),
    ("xadapt.pipelines.run_folder", "clear", 1),
]


@pytest.mark.parametrize(("module", "name", "call"), POINTS)
def test_a_run_cut_anywhere_is_resumed_to_the_same_module(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    name: str,
    call: int,
) -> None:
    arguments = place.train(
        tmp_path / "m", "--controls", "--set", "train.checkpoint_seconds=0.0001"
    )
    good(*place.train(tmp_path / "whole", "--controls"))
    owner: Any = sys.modules[module]
    *way, last = name.split(".")
    for step in way:
        owner = getattr(owner, step)
    with monkeypatch.context() as patch:
        if call < 0:  # among the moves of the finished files, counted from the last
            patch.setenv("XADAPT_DEBUG", "1")
            cut_move(patch, -call)
        else:
            cut_at(patch, owner, last, call)
        assert xadapt_or_cut(arguments) != 0
    finished = (tmp_path / "m" / "xadapt.json").exists()
    assert finished == (name == "clear")
    good(*arguments, "--resume")
    assert module_bytes(tmp_path / "m") == module_bytes(tmp_path / "whole")
    twin = "controls/shuffled.safetensors"
    assert (tmp_path / "m" / twin).read_bytes() == (tmp_path / "whole" / twin).read_bytes()
    names = [set(everything(tmp_path / n)) for n in ("m", "whole")]
    assert names[0] - names[1] <= {"run/recipe.yaml"} and not names[1] - names[0]


def cut_move(patch: pytest.MonkeyPatch, before_the_end: int) -> None:
    real = Path.replace

    def move(self: Path, target: Path) -> Path:
        inside = self.parent.name == "module" and self.parent.parent.name == "run"
        if inside and len(list(self.parent.iterdir())) == before_the_end:
            raise Cut
        return real(self, target)

    patch.setattr(Path, "replace", move)


def xadapt_or_cut(arguments: tuple[Any, ...]) -> int:
    try:
        return xadapt(*arguments).code
    except Cut:
        return 1


def test_several_languages_go_on_where_they_stopped(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = ("--base", place.base, "--data", place.data, "--lang", "de,sw", "--out", tmp_path / "m")
    arguments = ("train", "translation_ranking", *given, "--set", "module.rank=2")
    arguments += ("--set", "data.train.filter=false")
    with monkeypatch.context() as patch:
        cut_at(patch, importlib.import_module("xadapt.pipelines.train"), "publish", 2)
        assert xadapt_or_cut(arguments) != 0
    first = module_bytes(tmp_path / "m" / "de")
    good(*arguments, "--resume")
    assert module_bytes(tmp_path / "m" / "de") == first
    assert read_manifest(tmp_path / "m" / "sw").languages == ["sw"]


def test_a_fault_of_the_last_language_is_told_before_the_first_is_trained(
    place: Place,
    tmp_path: Path,
) -> None:
    (tmp_path / "bad.tsv").write_text("only one column\n")
    given = ("--base", place.base, "--data", f"{place.data},{tmp_path / 'bad.tsv'}")
    done = xadapt(
        "train", "translation_ranking", *given, "--lang", "de,sw", "--out", tmp_path / "m"
    )
    assert done.code == 2 and len(done.lines) == 1 and "bad.tsv:1" in done.err
    assert not (tmp_path / "m").exists()


def test_ctrl_c_leaves_a_run_that_goes_on(place: Place, tmp_path: Path) -> None:
    slow = place.train(tmp_path / "m", "--set", "train.epochs=400")
    run = forked.command(*slow)
    log = tmp_path / "m" / "run" / "metrics.jsonl"
    limit = time.monotonic() + 300
    while not (log.exists() and log.stat().st_size) and time.monotonic() < limit:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=300)
    assert run.returncode == 130
    assert err.splitlines()[-1].endswith("the same command with --resume goes on where it stopped")
    assert "Traceback" not in err
    assert (tmp_path / "m" / "run" / "checkpoint.safetensors").exists()


def until(there: Callable[[], object]) -> None:
    limit = time.monotonic() + 300
    while not there() and time.monotonic() < limit:
        time.sleep(0.02)
    assert there()


def test_a_second_training_into_a_folder_is_refused_and_changes_nothing(
    place: Place, tmp_path: Path
) -> None:
    out = tmp_path / "m"
    long = place.train(out, "--set", "train.epochs=40")
    log = out / "run" / "metrics.jsonl"
    with forked.command(*long) as first:
        until(lambda: log.exists() and log.stat().st_size)
        for more in ((), ("--resume",), ("--resume", "--set", "seed=3")):
            done = xadapt(*long, *more)
            assert done.code == 2 and len(done.lines) == 1, done.err
            said = f"is being written by process {first.pid} on"
            assert said in done.err or ("unfinished run" in done.err and "--resume" not in more)
        _, err = first.communicate(timeout=300)
    assert first.returncode == 0, err
    steps = [row["step"] for row in read_metrics(log) if "dev" not in row]
    assert steps == list(range(1, len(steps) + 1))
    good(*place.train(tmp_path / "alone", "--set", "train.epochs=40"))
    assert module_bytes(out) == module_bytes(tmp_path / "alone")
    assert set(everything(out)) == set(everything(tmp_path / "alone"))


def test_a_killed_run_is_gone_on_with_and_swept(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "m"
    long = place.train(out, "--set", "train.epochs=12", "--set", "train.checkpoint_seconds=0.01")
    good(*place.train(tmp_path / "whole", *long[long.index("train.epochs=12") - 1 :]))
    with forked.command(*long) as first:
        until(lambda: (out / "run" / "checkpoint.safetensors").exists())
        first.kill()
        first.communicate()
    owner = json.loads((out / LOCK).read_text())
    assert owner["pid"] == first.pid
    left = [out / "run" / f".{name}.{owner['process']}-abcd1234" for name in
            ("metrics.jsonl", "checkpoint.safetensors", "module")]  # fmt: skip
    left += [out / f".README.md.{owner['process']}-abcd1234"]
    left += [tmp_path / f".other.{owner['process']}-abcd1234"]
    for path in left:
        path.write_text("half")
    good(*long, "--resume")
    assert not [name for name in everything(tmp_path) if "abcd1234" in name or LOCK in name]
    assert module_bytes(out) == module_bytes(tmp_path / "whole")


def test_sigterm_says_how_to_go_on(place: Place, tmp_path: Path) -> None:
    slow = place.train(tmp_path / "m", "--set", "train.epochs=400")
    log = tmp_path / "m" / "run" / "metrics.jsonl"
    with forked.command(*slow) as run:
        until(lambda: log.exists() and log.stat().st_size)
        run.terminate()
        _, err = run.communicate(timeout=300)
    assert run.returncode == 143 and "Traceback" not in err
    assert err.splitlines()[-1].endswith("the same command with --resume goes on where it stopped")
    assert (tmp_path / "m" / "run" / "checkpoint.safetensors").exists()
    assert not [name for name in everything(tmp_path / "m") if "/." in name or name[0] == "."]


def test_output_that_nobody_reads_does_not_end_the_work(place: Place, tmp_path: Path) -> None:
    arguments = place.train(tmp_path / "m", "--json", tmp_path / "r.json")
    with forked.command(*arguments, stderr=subprocess.STDOUT) as run:
        assert run.stdout is not None and run.stdout.readline()
        run.stdout.close()
        assert run.wait(timeout=300) == 0
    assert read_manifest(tmp_path / "m").languages == ["de"]
    assert read_json(tmp_path / "r.json")["command"] == "train"


def test_a_full_standard_output_does_not_end_the_work(place: Place, tmp_path: Path) -> None:
    with (
        Path("/dev/full").open("w") as full,
        forked.command(*place.train(tmp_path / "m"), stdout=full) as run,
    ):
        _, err = run.communicate(timeout=300)
    assert run.returncode == 0 and "Traceback" not in err and "Exception ignored" not in err
    assert err.count("can't write to standard output (No space left on device)") == 1
    assert read_manifest(tmp_path / "m").languages == ["de"]


def test_a_stdout_that_is_no_utf8_and_no_colour(place: Place, tmp_path: Path) -> None:
    names = tmp_path / "straße"
    env = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C", "NO_COLOR": "1"}
    run = forked.command(*place.train(names), env=env, encoding="ascii")
    out, err = run.communicate(timeout=600)
    assert run.returncode == 0, err
    assert out.isascii() and err.isascii() and "held-out" in out
    assert "\x1b" not in out + err
    wrong = apart("explain", "straße", env=env)
    assert wrong.returncode == 2 and len(wrong.stderr.splitlines()) == 1
    assert r"'stra\udcc3\udc9fe'" in wrong.stderr


UNUSABLE = ("file/inside", "x" * 300, "file", "/proc/nowhere/out", "/dev/null")


@pytest.mark.parametrize("where", ["--out", "--data", "--dev", "--json"])
@pytest.mark.parametrize("path", UNUSABLE)
def test_a_path_that_cannot_be_used_is_one_line_before_the_base_is_loaded(
    place: Place, tmp_path: Path, where: str, path: str
) -> None:
    if (where, path) in (("--json", "/dev/null"),):
        return  # a device may be written to
    (tmp_path / "file").write_text("mine")
    given: dict[str, Any] = {"--base": "/no/such", "--data": place.data, "--lang": "de"}
    given |= {"--out": tmp_path / "o", where: tmp_path / path}
    done = xadapt("train", "translation_ranking", *[x for both in given.items() for x in both])
    assert done.code == 2 and len(done.lines) == 1, done.err
    assert path[:30] in done.err and "no base" not in done.err and "went wrong" not in done.err
    assert everything(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "mine"


NOTHING = {
    "--joint": ("translation_ranking", ("--joint",)),
    "--pivot": ("mlm", ("--pivot", "fr")),
    "--columns": ("ner", ("--columns", "2,1")),
    "--format": ("ner", ("--format", "tsv")),
    "--seeds": ("translation_ranking", ("--seeds", "2", "--set", "seed=1")),
    "--base-id": ("translation_ranking", ("--base", "org/name", "--base-id", "other/name")),
}


@pytest.mark.parametrize("option", NOTHING)
def test_an_option_that_would_do_nothing_is_refused(
    place: Place, tmp_path: Path, option: str
) -> None:
    recipe, more = NOTHING[option]
    given = ("--base", place.base, "--data", place.data, "--lang", "de", "--out", tmp_path / "o")
    done = xadapt("train", recipe, *given, *more)
    assert done.code == 2 and len(done.lines) == 1 and option in done.err, done.err
    assert everything(tmp_path) == []


def test_columns_of_a_source_without_columns_are_refused(place: Place, tmp_path: Path) -> None:
    given = ("--base", place.base, "--data", "cldr", "--lang", "sw", "--out", tmp_path / "o")
    done = xadapt("train", "translation_ranking", *given, "--columns", "2,1")
    assert done.code == 2 and "cldr has no columns to choose from" in done.err
    assert everything(tmp_path) == []


def test_a_result_never_replaces_data_or_another_file(place: Place, tmp_path: Path) -> None:
    data = tmp_path / "d.tsv"
    data.write_bytes(place.data.read_bytes())
    for path in (data, place.base / "config.json", place.base / "model.safetensors"):
        before = path.read_bytes()
        given = ("--base", place.base, "--data", data, "--lang", "de", "--out", tmp_path / "o")
        done = xadapt("train", "translation_ranking", *given, "--json", path)
        assert done.code == 2 and len(done.lines) == 1 and "not written by xadapt" in done.err
        assert path.read_bytes() == before and everything(tmp_path) == ["d.tsv"]


def test_two_processes_train_one_module(place: Place, tmp_path: Path) -> None:
    arguments = place.train(tmp_path / "two", "--json", tmp_path / "two.json")
    said = forked.together(lambda: print(xadapt(*arguments).out, file=sys.stderr))
    assert "".join(said).count("held-out pairs") == 1  # one process speaks
    good(*place.train(tmp_path / "one"))
    one, two = tensors(tmp_path / "one"), tensors(tmp_path / "two")
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, atol=1e-4)
    assert read_json(tmp_path / "two.json")["modules"][0]["folder"] == "two"


BAD = {
    "missing column": (b"one\nTwo\tzwei\n", ":1", "column 2 is missing"),
    "empty file": (b"", "", "empty"),
    "not UTF-8": (b"one\teins\ntwo\tzw\xe9i\n", ":2", "not UTF-8"),
    "one-sided row": (b"one\teins\ntwo\t\n", ":2", "the de side of this row is empty"),
    "a row of 10 MB": (b"one\teins\n" + b"a" * (10 << 20) + b"\tb\n", ":2", "longer than"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_one_line_and_leaves_nothing(
    place: Place,
    tmp_path: Path,
    case: str,
) -> None:
    content, where, said = BAD[case]
    file = tmp_path / "bad.tsv"
    file.write_bytes(content)
    out = tmp_path / "deep" / "out"
    arguments = ["train", "translation_ranking", "--base", place.base, "--data", file]
    done = xadapt(*arguments, "--lang", "de", "--out", out)
    assert done.code == 2 and len(done.lines) == 1, done.err
    assert f"{file}{where}: " in done.err and said in done.err
    assert everything(tmp_path) == ["bad.tsv"]


def wrong(*change: Any, drop: str = "") -> Any:
    def arguments(place: Place, out: Path) -> list[Any]:
        given = {"--base": place.base, "--data": place.data, "--lang": "de", "--out": out}
        given.pop(drop, None)
        return [x for both in given.items() for x in both] + list(change)

    return arguments


MISTAKES: dict[str, tuple[str, Any, str]] = {
    "recipe key": ("translation_ranking", wrong("--set", "train.epoch=2"), "did you mean 'epochs'"),
    "recipe": ("translation_rankin", wrong(), "did you mean 'translation_ranking'"),
    "language": ("translation_ranking", wrong("--lang", "klingonisch"), "unknown language tag"),
    "no base": (
        "translation_ranking",
        wrong(drop="--base"),
        "no base is given. Name one with --base",
    ),
    "base": ("translation_ranking", wrong("--base", "/no/such/folder"), "no base"),
    "offline": (
        "translation_ranking",
        wrong("--base", "someone/something"),
        "Hub can't be reached",
    ),
    "sources": ("translation_ranking", wrong("--data", "a,b"), "3 sources and 1 languages"),
    "data": (
        "translation_ranking",
        wrong("--data", "none.tsv", drop="--data"),
        "none.tsv: there is no",
    ),
    "both sides": ("translation_ranking", wrong("--pivot", "de"), "both sides are de"),
    "option": ("translation_ranking", wrong("--lnag", "de"), "No such option: --lnag"),
    "seeds": ("translation_ranking", wrong("--seeds", "0"), "--seeds"),
    "no lang": ("translation_ranking", wrong(drop="--lang"), "Missing option '--lang'"),
    "json": ("translation_ranking", wrong("--json", "/"), "is a directory"),
    "licence": ("translation_ranking", wrong("--licence", "a b\nc"), "licence"),
    "base id": ("translation_ranking", wrong("--base-id", "/a/path"), "id"),
    "module": ("translation_ranking", wrong("--set", "module.layers=[7,9]"), "layers"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_one_line_and_leave_nothing(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    recipe, make, said = MISTAKES[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # read at its import
    done = xadapt("train", recipe, *make(place, tmp_path / "out"))
    assert done.code == 2 and len(done.lines) == 1, done.err
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_a_base_without_the_head_is_refused_before_training(
    place: Place,
    tmp_path: Path,
) -> None:
    (tmp_path / "a.txt").write_text("die katze\n" * 9)
    given = ("--base", place.base, "--data", tmp_path / "a.txt", "--lang", "de")
    done = xadapt("train", "mlm", *given, "--out", tmp_path / "out")
    assert done.code == 2 and len(done.lines) == 1
    assert "no masked-language-model head" in done.err
    assert everything(tmp_path) == ["a.txt"]


def test_controls_need_pairs(tmp_path: Path) -> None:
    base = tiny_folder(tmp_path / "base", mlm=True)
    (tmp_path / "a.txt").write_text("die katze\n" * 9)
    given = ("--base", base, "--data", tmp_path / "a.txt", "--lang", "de", "--out", tmp_path / "o")
    done = xadapt("train", "mlm", *given, "--controls")
    assert done.code == 2 and "--controls" in done.err and not (tmp_path / "o").exists()
    good("train", "mlm", *given, "--set", "module.rank=2")
    assert read_manifest(tmp_path / "o").evidence == []


def test_an_output_folder_that_holds_something(place: Place, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    done = xadapt(*place.train(tmp_path / "out"))
    assert done.code == 2 and len(done.lines) == 1 and "not empty" in done.err
    assert everything(tmp_path / "out") == ["notes.txt"]


def trains_on_a_full_disk(limit: int, arguments: tuple[Any, ...]) -> None:
    """Let no file grow beyond ``limit`` bytes, as on a full disk; in a process of its own."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.argv = ["xadapt", *map(str, arguments)]
    main()


@pytest.mark.parametrize("limit", [100, 9000, 30000])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    place: Place,
    tmp_path: Path,
    limit: int,
) -> None:
    """Another file is the one that does not fit each time."""
    arguments = place.train(tmp_path / "out")
    env = {"XADAPT_CACHE": str(tmp_path / "cache")}
    run = forked.start(lambda: trains_on_a_full_disk(limit, arguments), env)
    _, err = run.communicate(timeout=600)
    assert run.returncode == 2, err
    assert "can't write" in err.splitlines()[-1]
    assert "Traceback" not in err
    left = everything(tmp_path / "out") if (tmp_path / "out").exists() else []
    assert "xadapt.json" not in left
    assert not [name for name in left if "/." in name]
    if left:  # only a run that can be gone on with
        assert "run/checkpoint.safetensors" in left
        good(*place.train(tmp_path / "out", "--resume"))


def test_pairs_are_not_dropped_unseen(place: Place, tmp_path: Path) -> None:
    rows = [*pairs(30), ParallelPair("cat", "cat", "de"), *pairs(2)]
    data = write_tsv(tmp_path / "d.tsv", rows)
    given = ("--base", place.base, "--data", data, "--lang", "de", "--out", tmp_path / "m")
    done = good("train", "translation_ranking", *given, "--set", "module.rank=2")
    assert "de: 30 of 33 pairs kept (2 duplicate, 1 copy dropped)" in done.err


def moses(folder: Path, name: str, rows: list[ParallelPair]) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    files = folder / f"{name}.en.txt", folder / f"{name}.de.txt"
    for file, lines in zip(
        files, zip(*((p.pivot, p.text) for p in rows), strict=True), strict=True
    ):
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return files


def test_two_files_and_paths_with_commas_are_sources(place: Place, tmp_path: Path) -> None:
    en, de = moses(tmp_path / "a,b", "train", pairs(60))
    held = write_tsv(tmp_path / "de,v.tsv", pairs(9, seed=5))
    comma = tmp_path / "the, module"
    good(*place.train(tmp_path / "plain", "--dev", held))
    given = ("train", "translation_ranking", "--base", place.base, "--lang", "de", *QUICK)
    for n, data in enumerate((f"{en},{de}", f"{de},{en}", tmp_path / "a,b" / "train")):
        out = comma if not n else tmp_path / f"m{n}"
        done = good(*given, "--data", data, "--dev", held, "--out", out)
        assert "train.en.txt: this file is read as en, train.de.txt as de" in done.err
        assert module_bytes(out) == module_bytes(tmp_path / "plain")
    test = ("--data", f"{en},{de}", "--base", place.base)
    good("evaluate", "bitext", *test, "--module", comma)
    good("encode", "--text", de, "--base", place.base, "--lang", "de", "--module", comma,
         "--out", tmp_path / "v.npy")  # fmt: skip
    assert np.load(tmp_path / "v.npy").shape[0] == 60


def test_what_a_missing_twin_is_advised_works_as_a_command(place: Place, tmp_path: Path) -> None:
    en, _ = moses(tmp_path, "train", pairs(60))
    given = ("train", "translation_ranking", "--base", place.base, "--lang", "de", *QUICK)
    failed = xadapt(*given, "--data", en, "--out", tmp_path / "m")
    assert failed.code == 2 and len(failed.lines) == 1
    option, source = failed.err.strip().partition("Name both files: ")[2].split(" ", 1)
    good(*given, option, source, "--out", tmp_path / "m")


def test_what_was_guessed_skipped_and_unused_is_shown(place: Place, tmp_path: Path) -> None:
    rows = [f"{p.pivot}\t{p.text}\t0.5\n" for p in pairs(60)]
    (tmp_path / "a.tsv").write_text("".join([*rows, "alone\n"]), encoding="utf-8")
    given = ("train", "translation_ranking", "--base", place.base, "--lang", "de", *QUICK)
    done = good(*given, "--data", tmp_path / "a.tsv", "--out", tmp_path / "m")
    assert done.lines[1:4] == [
        "a.tsv: column 1 is read as en, column 2 as de",
        "a.tsv: column 3 is not used",
        "a.tsv: 1 of 61 rows skipped; the first, a.tsv:61: column 2 is missing: this row has 1",
    ]
    ids = "".join(f"{i}\t{row}" for i, row in enumerate(rows))
    (tmp_path / "a.tsv").write_text(ids, encoding="utf-8")
    failed = xadapt(*given, "--data", tmp_path / "a.tsv", "--out", tmp_path / "n")
    assert failed.code == 2 and len(failed.lines) == 1
    assert "column 1 holds numbers or ids" in failed.err
    option, columns = failed.err.strip().rpartition("with ")[2].split()
    good(*given, "--data", tmp_path / "a.tsv", option, columns, "--out", tmp_path / "n")


def test_report_to_names_trackers(place: Place, tmp_path: Path) -> None:
    done = xadapt(*place.train(tmp_path / "m", "--report-to", "tensorbord"))
    assert done.code == 2 and "did you mean 'tensorboard'" in done.err
    assert not (tmp_path / "m").exists()
    pytest.importorskip("tensorboard")
    good(*place.train(tmp_path / "m", "--report-to", "tensorboard"))
    assert list((tmp_path / "m" / "run" / "tensorboard" / "m").glob("events*"))
