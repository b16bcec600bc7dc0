"""Whether a person watches, in a notebook or on a terminal, and what a notebook is shown."""

from __future__ import annotations

import sys
import warnings
from typing import Any


def in_notebook() -> bool:
    """Return whether this process runs the cells of a notebook."""
    shell = _shell()
    return shell is not None and hasattr(shell, "kernel")


def interactive() -> bool:
    """Return whether a person watches: in a notebook, in IPython, or on a terminal."""
    return _shell() is not None or bool(sys.stderr and sys.stderr.isatty())


def write_line(line: str) -> None:
    """Write one line of a log on stderr; bars that are shown stay below it."""
    from tqdm import tqdm  # late, for a quick start of the command line

    tqdm.write(line, file=sys.stderr)
    sys.stderr.flush()


def cell_bar(label: str, total: int | None) -> Any:
    """Return tqdm's bar for the cell of a notebook; without ipywidgets a bar of text.

    Args:
        label: The name of the work.
        total: The number of units; None if not known.
    """
    from tqdm import TqdmWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # that ipywidgets is missing
        from tqdm.auto import tqdm

        return tqdm(total=total, desc=label)


def _shell() -> Any:
    """Return the shell of IPython that runs this process, if there is one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
