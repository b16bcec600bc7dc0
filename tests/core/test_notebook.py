from __future__ import annotations

import pytest

from xadapt.core import notebook
from xadapt.core.progress import meter


class Shell:
    """What IPython gives in the kernel of a notebook."""

    kernel, config = object(), {"IPKernelApp": {}}


def test_a_notebook_has_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    IPython = pytest.importorskip("IPython")
    assert not notebook.in_notebook()
    monkeypatch.setattr(IPython, "get_ipython", Shell)
    assert notebook.in_notebook() and notebook.interactive()
    with meter("training", 10) as bar:
        bar.skip(2)
        bar.advance(8, "loss 0.250")
    err = capsys.readouterr().err
    assert "training" in err and "10/10" in err and "loss 0.250" in err and bar.done == 10
    with meter("training", 10, show=False) as bar:
        bar.advance(8)
    assert capsys.readouterr() == ("", "")


def test_ipython_on_a_terminal_is_watched_and_is_no_notebook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    IPython = pytest.importorskip("IPython")
    monkeypatch.setattr(IPython, "get_ipython", object)
    assert notebook.interactive() and not notebook.in_notebook()


def test_lines_of_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    notebook.write_line("one line")
    assert capsys.readouterr() == ("", "one line\n") and not notebook.interactive()
