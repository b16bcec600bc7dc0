from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_commands import everything, good, xadapt
from tiny_models import tiny_folder

from xadapt import integrations as bridges
from xadapt.core.files import read_json
from xadapt.hub.opening import read_manifest
from xadapt.pipelines import quickstart

SMALL = ("--set", "train.epochs=1", "--set", "data.train.limit=60", "--set", "module.rank=2")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def ran(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """One quickstart in two languages, looked at by several tests."""
    out = tmp_path_factory.mktemp("q") / "quick"
    given = ("--base", base, "--lang", "fr,ru", "--out", out, *SMALL)
    return out, good("quickstart", *given, "--json", out.parent / "q.json")


def snippet(output: str) -> str:
    return output.split("Load it without xadapt:\n")[1]


def test_it_leaves_a_module_a_language_and_one_page(ran: tuple[Path, Any]) -> None:
    out, done = ran
    assert {p.name for p in out.iterdir()} == {"fr", "ru", "report.html", "scores.png"}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "French" in page and "Russian" in page and "TF-IDF" in page
    assert str(out.parent) not in page  # a page may be shown around
    assert re.search(r"\bhttps?://(?!www\.w3\.org)[^\"' ]+\.(js|css)", page) is None
    assert done.out.count("each sentence looked up among 500") == 2
    assert max(map(len, done.out.split("The picture")[0].splitlines())) <= 80
    told = read_json(out.parent / "q.json")["languages"]
    assert list(told) == ["fr", "ru"] and told["fr"]["pool"] == 500


def test_names_of_the_graph_are_the_second_part(base: Path, tmp_path: Path) -> None:
    given = ("quickstart", "--names", "--base", base, "--lang", "sw", "--out", tmp_path, *SMALL)
    done = good(*given)
    assert "names looked up among" in done.out
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "entities never seen" in page and read_manifest(tmp_path / "sw").data[0].name == "cldr"


def test_the_second_time_it_says_what_it_reuses(base: Path, ran: tuple[Path, Any]) -> None:
    out, first = ran
    before = {n: (out / "fr" / n).stat().st_mtime_ns for n in everything(out / "fr")}
    done = good("quickstart", "--base", base, "--lang", "fr", "--out", out, *SMALL)
    assert "fr: reusing the module in" in done.err and "from an earlier quickstart" in done.out
    assert before == {n: (out / "fr" / n).stat().st_mtime_ns for n in everything(out / "fr")}
    rows = [line for line in done.out.splitlines() if line.startswith("module  ")]
    assert rows[0] in first.out  # the same scores


def test_other_settings_are_not_mixed_up_with_what_is_there(
    base: Path, ran: tuple[Path, Any]
) -> None:
    out, _ = ran
    done = xadapt("quickstart", "--base", base, "--lang", "fr", "--out", out, *SMALL[:4])
    assert done.code == 2 and "another recipe" in done.err and len(done.lines) == 1


def test_another_base_is_not_mixed_up_with_what_is_there(
    base: Path, ran: tuple[Path, Any], tmp_path: Path
) -> None:
    out, _ = ran
    other = tiny_folder(tmp_path / "other", seed=5)
    done = xadapt("quickstart", "--base", other, "--lang", "fr", "--out", out, *SMALL)
    assert done.code == 2 and "another base" in done.err and len(done.lines) == 1


def test_a_fault_of_the_last_language_is_found_before_the_first_is_trained(
    base: Path, ran: tuple[Path, Any], tmp_path: Path
) -> None:
    out = tmp_path / "q"
    shutil.copytree(ran[0] / "ru", out / "ru")
    done = xadapt("quickstart", "--base", base, "--lang", "fr,ru", "--out", out, *SMALL[:4])
    assert done.code == 2 and "another recipe" in done.err and len(done.lines) == 1
    assert not (out / "fr").exists()


@pytest.mark.parametrize("name", [quickstart.PAGE, quickstart.PICTURE])
def test_a_page_of_another_is_not_replaced(base: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<title>my thesis</title>")
    done = xadapt("quickstart", "--base", base, "--lang", "fr", "--out", tmp_path, *SMALL)
    assert done.code == 2 and len(done.lines) == 1
    assert "Quickstart did not write it" in done.err
    assert everything(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "<title>my thesis</title>"


def test_the_printed_lines_run_as_they_stand(ran: tuple[Path, Any]) -> None:
    pytest.importorskip("adapters")
    _, done = ran
    code = snippet(done.out)
    load = code.strip().split("\n\n")[0].splitlines()
    assert len(load) == 5 and sum("set_active=True" in line for line in load) == 1
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code + "\nprint(tuple(vectors.shape))"],
        capture_output=True,
        text=True,
        env={"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PATH": ""},
    )
    assert run.stdout.strip() == "(2, 32)", run.stderr


def test_the_printed_vectors_are_those_of_xadapt(base: Path, ran: tuple[Path, Any]) -> None:
    pytest.importorskip("adapters")
    import numpy as np

    from xadapt.inference.adapted_encoder import AdaptedEncoder

    out, done = ran
    names: dict[str, Any] = {}
    exec(snippet(done.out), names)
    ours = AdaptedEncoder.load(str(base), str(out / "fr"), dtype="float32")
    texts = ["A sentence.", "Another, longer one."]
    np.testing.assert_allclose(names["vectors"].detach().numpy(), ours.encode(texts), atol=1e-5)


def test_where_adapters_cannot_the_next_library_is_printed(
    base: Path, ran: tuple[Path, Any]
) -> None:
    out, _ = ran
    manifest = read_manifest(out / "fr")
    loaders = dict(manifest.loaders)
    loaders["adapters"] = loaders["adapters"].model_copy(update={"status": "cannot hold"})
    other = manifest.model_copy(update={"loaders": loaders})
    lines = quickstart.loading_lines(other, str(base), "FOLDER/fr")
    assert "from peft import PeftModel" in lines and f"base = {str(base)!r}" in lines
    assert not any("AutoAdapterModel" in line for line in lines)


def test_an_interrupted_quickstart_goes_on(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("quickstart", "--base", base, "--lang", "fr", "--out", tmp_path / "q", *SMALL)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("xadapt.pipelines.train.publish", stop)
        done = xadapt(*given)
    assert done.code == 130 and "the same command goes on" in done.err
    done = good(*given)
    assert "going on with the interrupted run" in done.err
    assert (tmp_path / "q" / "fr" / "xadapt.json").exists()


def test_usable_bridges_are_what_a_module_was_verified_with(ran: tuple[Path, Any]) -> None:
    out, _ = ran
    loaders = read_manifest(out / "ru").loaders
    for name, reason in bridges.usable().items():
        written = loaders[name].status != "left out"  # type: ignore[index]
        if name != "sentence-transformers" and written:  # the tiny base has no id on the Hub
            assert loaders[name].status == ("verified" if reason is None else "unverified")  # type: ignore[index]
