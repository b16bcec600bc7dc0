"""Progress of a call in Python, through tqdm: in a notebook, on a terminal, or nowhere.

Progress that nobody asked for is shown only to a person who looks, and only for work that takes
more than two seconds.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from xadapt.core.notebook import interactive

LATE = 2.0
"""Seconds of work before progress is shown that was not asked for."""


@contextmanager
def bar(
    label: str, total: int, show: bool | None, unit: str = "it"
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar inside the block.

    Args:
        label: The name of the work.
        total: Number of units.
        show: ``True`` shows the bar at once, ``False`` never; ``None`` shows the bar after two
            seconds on a terminal or in a notebook.
        unit: The name of a unit.

    Yields:
        A function that is called with the number of further units done.
    """
    if not (interactive() if show is None else show):
        yield lambda _: None
        return
    from tqdm.auto import tqdm

    with tqdm(
        total=total, desc=label, unit=unit, delay=LATE if show is None else 0, leave=bool(show)
    ) as shown:
        yield lambda count: shown.update(count) and None


@contextmanager
def step(label: str, show: bool | None = None) -> Iterator[None]:
    """Say on stderr what is being done, and how long it took.

    Args:
        label: What is being done, such as ``loading the base``.
        show: ``True`` says it at once, ``False`` never; ``None`` says it after two seconds on a
            terminal or in a notebook.
    """
    if not (interactive() if show is None else show):
        yield
        return
    began, late = time.monotonic(), threading.Timer(LATE, _say, [f"{label} ..."])
    late.daemon = True
    late.start() if show is None else _say(f"{label} ...")
    try:
        yield
    finally:
        late.cancel()
    seconds = time.monotonic() - began
    if show or seconds > LATE:
        _say(f"{label}: {seconds:.1f} s")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
