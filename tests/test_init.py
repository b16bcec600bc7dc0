from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

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


@pytest.mark.parametrize("name", xadapt.VERBS)
def test_the_verbs_stay_verbs_when_rooms_of_their_name_are_imported(name: str) -> None:
    import xadapt.evaluation.comparison
    import xadapt.training.loop

    assert callable(getattr(xadapt, name)) and getattr(xadapt, name).__doc__


def test_rooms_are_imported_as_ever() -> None:
    code = "from xadapt.training import checkpoint; from xadapt.training.loop import Trainer; import xadapt"
    assert fresh(f"{code}; print(checkpoint.NAME, callable(xadapt.training))").endswith("True")


def test_the_version_is_that_of_the_distribution() -> None:
    assert xadapt.__version__ == version("xadapt")


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        xadapt.tarin  # type: ignore[attr-defined]  # noqa: B018
    assert set(xadapt.__all__) <= set(dir(xadapt))
