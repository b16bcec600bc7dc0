from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import xadapt


def fresh(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'transformers', 'rich', 'typer'}"
    assert (
        fresh(f"import sys, xadapt; xadapt.__version__; print({heavy} & set(sys.modules))")
        == "set()"
    )


@pytest.mark.parametrize("name", [name for name in xadapt.__all__ if name != "__version__"])
def test_every_public_name_is_a_documented_callable(name: str) -> None:
    assert callable(getattr(xadapt, name)) and getattr(xadapt, name).__doc__


def test_no_room_has_the_name_of_a_function() -> None:
    import xadapt.training.loop as module

    assert module.Trainer and callable(xadapt.train)
    rooms = {p.name for p in Path(xadapt.__file__).parent.iterdir() if p.is_dir()}
    assert not rooms & set(xadapt.__all__)


def test_the_version_is_that_of_the_distribution() -> None:
    assert xadapt.__version__ == version("xadapt")


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        xadapt.tarin  # type: ignore[attr-defined]  # noqa: B018
    assert set(xadapt.__all__) <= set(dir(xadapt))
