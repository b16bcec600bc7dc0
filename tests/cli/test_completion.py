from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import Done, xadapt

from xadapt.cli import completion


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("hub/models--org--name", "hub/datasets--org--data", "mine/deep", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "mine" / "r.yaml").write_text("")
    (tmp_path / "mine" / "r.txt").write_text("")
    return tmp_path


def test_names_and_files() -> None:
    assert completion.recipes("mi") == ["mixture_of_loras", "mine/"]
    assert completion.recipes("mine/") == ["mine/deep/", "mine/r.yaml"]
    assert completion.bases("") == ["mini", "org/name", "hub/", "mine/"]
    assert completion.bases("no/such/") == []
    assert completion.parts("translation_") == [
        "translation_ranking",
        "translation_ranking_bottleneck",
    ]
    assert completion.metrics("") == ["matthews"]
    assert completion.dtypes("b") == ["bfloat16"]


def complete(monkeypatch: pytest.MonkeyPatch, words: str) -> Done:
    """What bash is offered after these words."""
    monkeypatch.setenv("_XADAPT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    return xadapt()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("xadapt tra", ["train", "translate"]),
        ("xadapt train mlm", ["mlm"]),
        ("xadapt train mlm --base mi", ["mini", "mine/"]),
        ("xadapt explain mat", ["matthews"]),
        ("xadapt list mod", ["modules"]),
        ("xadapt evaluate t", ["tagging", "tagging_probe"]),
        ("xadapt evaluate tagging --met", ["--metric"]),
        ("xadapt evaluate tagging --metric m", ["matthews"]),
        ("xadapt encode --norm", ["--normalize"]),
    ],
)
def test_the_shell_is_offered(
    monkeypatch: pytest.MonkeyPatch, words: str, offered: list[str]
) -> None:
    done = complete(monkeypatch, words)
    assert done.out.split() == offered and done.err == ""


def test_the_script_of_a_shell_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))  # not make's sh
    done = xadapt("--show-completion")
    assert done.code == 0 and "complete -o default -F _xadapt" in done.out
